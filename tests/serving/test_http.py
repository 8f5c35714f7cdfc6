from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iot_northbound.serving import BindError, Limits
from iot_northbound.serving.http import GuardedServer
from tests.clock import eventually

from .probe import AT_ONCE, PATIENT, Probe, connect, hurry, read_all, read_answer, request, works


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def server(probe: Probe) -> Iterator[GuardedServer]:
    with GuardedServer(probe, limits=PATIENT) as running:
        yield running


def test_port_0_reports_the_port_really_bound(server: GuardedServer) -> None:
    assert server.address[1] > 0
    assert works(server)


def test_it_listens_on_ipv6_too(probe: Probe) -> None:
    with GuardedServer(probe, host="::1") as server:
        assert works(server)


def test_it_can_be_started_again_on_the_same_port(probe: Probe) -> None:
    server = GuardedServer(probe)
    with server:
        first = server.address
    with server:
        assert server.address == first
        assert works(server)


def test_a_taken_port_is_reported_at_once(server: GuardedServer, probe: Probe) -> None:
    with pytest.raises(BindError, match=f"{server.port}.*another program listens"):
        GuardedServer(probe, port=server.port).start()


def test_a_foreign_address_is_reported_at_once(probe: Probe) -> None:
    with pytest.raises(BindError, match="no such address"):
        GuardedServer(probe, host="192.0.2.1").start()


def test_an_impossible_port_is_reported_at_once(probe: Probe) -> None:
    with pytest.raises(BindError, match="check host and port"):
        GuardedServer(probe, port=70_000).start()


def test_one_connection_serves_many_requests(server: GuardedServer) -> None:
    with connect(server) as peer:
        for size in range(5):
            peer.sendall(request(body=b"a" * size))
            assert json.loads(read_answer(peer)[1])["size"] == size


def test_a_connection_that_says_nothing_is_refused_and_closed(server: GuardedServer) -> None:
    with connect(server, header_deadline=AT_ONCE, linger=AT_ONCE) as silent:
        assert b" 408 " in read_all(silent)


def test_headers_that_drip_are_cut_off(server: GuardedServer) -> None:
    with connect(server, header_deadline=AT_ONCE) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\n")
        assert read_answer(slow)[0] == 408


def test_half_the_headers_keep_nobody_from_being_served(server: GuardedServer) -> None:
    with connect(server) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\n")
        assert works(server)
        slow.sendall(b"content-length: 0\r\n\r\n")
        assert read_answer(slow)[0] == 200


def test_blank_lines_do_not_keep_a_connection_open(server: GuardedServer) -> None:
    with connect(server, header_deadline=AT_ONCE) as slow:
        slow.sendall(b"\r\n")
        assert read_answer(slow)[0] == 408


def test_the_header_deadline_applies_to_later_requests_too(server: GuardedServer) -> None:
    with connect(server) as slow:
        slow.sendall(request())
        assert read_answer(slow)[0] == 200
        hurry(server, header_deadline=AT_ONCE)
        slow.sendall(b"POST / HT")
        assert read_answer(slow)[0] == 408


def test_a_body_that_never_comes_is_cut_off(server: GuardedServer) -> None:
    with connect(server, body_deadline=AT_ONCE) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc")
        assert read_answer(slow)[0] == 408


def test_an_idle_connection_is_closed_without_a_word(probe: Probe) -> None:
    with GuardedServer(probe, limits=replace(PATIENT, idle=AT_ONCE)) as server, connect(server) as idle:
        idle.sendall(request())
        assert read_answer(idle)[0] == 200
        assert read_all(idle) == b""


def test_a_body_announced_too_large_is_refused_before_it_is_sent(server: GuardedServer) -> None:
    with connect(server) as peer:
        peer.sendall(b"POST / HTTP/1.1\r\ncontent-length: 10001\r\n\r\n")
        status, body = read_answer(peer)
    assert status == 413
    assert "10000 bytes" in json.loads(body)["error"]


def test_a_chunked_body_too_large_is_refused(server: GuardedServer) -> None:
    with connect(server) as peer:
        peer.sendall(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            peer.sendall(b"1000\r\n" + b"a" * 4096 + b"\r\n")
        assert read_answer(peer)[0] == 413


def test_the_reason_reaches_a_peer_that_sends_a_huge_body_before_it_reads(server: GuardedServer) -> None:
    with connect(server) as peer:
        peer.sendall(request(body=b"a" * 5_000_000))
        assert read_answer(peer)[0] == 413


def test_headers_without_end_are_refused(server: GuardedServer) -> None:
    with connect(server) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000)
        assert read_answer(peer)[0] == 431


def test_bytes_that_are_not_http_are_answered_400(server: GuardedServer) -> None:
    with connect(server) as peer:
        peer.sendall(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        assert read_answer(peer)[0] == 400


def test_a_peer_that_never_reads_loses_its_connection(server: GuardedServer) -> None:
    with connect(server, write_deadline=AT_ONCE) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sendall(request("/flood"))
        eventually(lambda: not server.state.connections)


def test_an_application_can_reset_the_connection(server: GuardedServer) -> None:
    with connect(server) as peer:
        peer.sendall(request("/reset"))
        with pytest.raises(ConnectionResetError):
            peer.recv(10)


def test_an_application_can_write_raw_bytes(server: GuardedServer) -> None:
    with connect(server) as peer:
        peer.sendall(request("/raw"))
        assert read_all(peer) == b"not http at all"


def test_beyond_the_connection_cap_the_longest_idle_one_makes_room(probe: Probe) -> None:
    with (
        GuardedServer(probe, limits=Limits(connections=2)) as server,
        connect(server) as first,
        connect(server) as other,
    ):
        for peer in (first, other):
            peer.sendall(request())
            read_answer(peer)
        assert works(server)
        assert first.recv(10) == b""
        other.sendall(request())
        assert read_answer(other)[0] == 200


def test_stuck_connections_up_to_the_cap_keep_nobody_out(probe: Probe) -> None:
    with GuardedServer(probe, limits=replace(PATIENT, connections=20)) as server:
        stuck = [connect(server) for _ in range(40)]
        for peer in stuck:
            peer.sendall(b"GET /")
        assert works(server)
        for peer in stuck:
            peer.close()


def test_a_stop_finishes_the_answer_under_way(probe: Probe) -> None:
    server = GuardedServer(probe).start()
    with connect(server) as peer:
        peer.sendall(request("/hold"))
        assert probe.entered.wait(60)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        eventually(lambda: server._socket is None)
        probe.release.set()
        assert read_answer(peer)[0] == 200
        stopper.join(60)
        assert not stopper.is_alive()
    with pytest.raises(ConnectionRefusedError):
        connect(server)


def test_a_stop_waits_for_an_answer_only_so_long(probe: Probe) -> None:
    server = GuardedServer(probe, limits=Limits(stop_grace=0.1)).start()
    with connect(server) as peer:
        peer.sendall(request("/hold"))
        assert probe.entered.wait(60)
        server.stop()
        assert read_all(peer) == b""
    probe.release.set()


def test_the_embedding_programs_logging_is_left_alone() -> None:
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "")]
    before = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    with GuardedServer(Probe()) as server:
        assert works(server)
        assert [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers] == before


UPGRADE = (
    "POST / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: {}\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize("protocol", ["websocket", "WebSocket", "h2c", "TLS/1.2"])
def test_a_peer_that_asks_for_another_protocol_is_answered_in_http_without_a_warning(
    server: GuardedServer, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    caplog.set_level(logging.INFO)
    with connect(server) as peer:
        peer.sendall(f"{UPGRADE.format(protocol)}content-length: 0\r\n\r\n".encode())
        status, answer = read_answer(peer)
    assert (status, json.loads(answer)["size"]) == (200, 0)
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert not any(record.name.startswith("uvicorn") for record in caplog.records)
    assert works(server)


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
@pytest.mark.parametrize(
    "body", ["content-length: 3\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
def test_a_body_that_would_be_lost_with_an_upgrade_is_refused(server: GuardedServer, protocol: str, body: str) -> None:
    with connect(server) as peer:
        peer.sendall((UPGRADE.format(protocol) + body).encode())
        status, answer = read_answer(peer)
    assert status == 400
    assert b"without that header" in answer
    assert works(server)


FOREGROUND = """
import sys
sys.path.insert(0, sys.argv[1])
from probe import Probe
from iot_northbound.serving.http import GuardedServer
server = GuardedServer(Probe())
server.serve_forever(lambda: print(server.port, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_the_foreground_a_signal_stops_it_cleanly(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FOREGROUND, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process, socket.create_connection(("127.0.0.1", int(process.stdout.readline())), timeout=60) as peer:
        peer.sendall(request())
        assert read_answer(peer)[0] == 200
        process.send_signal(number)
        assert process.stdout.readline() == "stopped\n"
        assert process.wait(60) == 0
