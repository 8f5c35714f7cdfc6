"""Which connection is closed when there is no room for another: real sockets from several addresses."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iot_northbound.emulator.home import prepare
from iot_northbound.serving import Limits, loop
from iot_northbound.serving.http import CONNECTION, GuardedServer
from iot_northbound.serving.room import sender_of

from .probe import Probe, is_open, read_all, read_answer, request

GREEDY, OTHER, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"
HALF_A_BODY = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"
HALF_THE_HEADERS = b"POST / HTTP/1.1\r\nhost: x\r\n"

Connect = Callable[..., socket.socket]


def room(**caps: int) -> Limits:
    """Return limits with other caps and no deadline. A stop does not wait for requests that never end."""
    usual = Limits(stop_grace=0.1, **caps)
    return replace(usual, header_deadline=3600, body_deadline=3600, write_deadline=3600, idle=3600)


@pytest.fixture
def probe() -> Iterator[Probe]:
    one = Probe()
    yield one
    one.release.set()


@pytest.fixture
def connect() -> Iterator[Connect]:
    peers: list[socket.socket] = []

    def from_address(server: GuardedServer, source: str, first: bytes = b"") -> socket.socket:
        peers.append(socket.create_connection(server.address, timeout=60, source_address=(source, 0)))
        peers[-1].sendall(first)
        return peers[-1]

    yield from_address
    for peer in peers:
        peer.close()


def is_closed(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def answered(peer: socket.socket) -> bool:
    peer.sendall(request(body=b"abc"))
    status, body = read_answer(peer)
    return status == 200 and json.loads(body)["size"] == 3


@pytest.mark.parametrize(
    "first", [HALF_A_BODY, HALF_THE_HEADERS, b"", b"\r\n"], ids=["half a body", "half the headers", "nothing", "a line"]
)
def test_1100_unfinished_requests_of_one_address_block_nobody(probe: Probe, connect: Connect, first: bytes) -> None:
    with GuardedServer(probe, limits=room()) as server:
        for _ in range(1_100):
            connect(server, GREEDY, first)
        assert answered(connect(server, OTHER))
        assert answered(connect(server, GREEDY))


def test_idle_connections_of_one_address_block_nobody(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=50)) as server:
        for _ in range(60):
            assert answered(connect(server, GREEDY))
        assert answered(connect(server, OTHER))
        assert answered(connect(server, GREEDY))


@pytest.mark.parametrize("kind", ["uvloop", "asyncio"])
def test_handshakes_that_are_never_finished_block_nobody(
    probe: Probe, connect: Connect, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "asyncio":
        monkeypatch.setattr(loop, "new_event_loop", asyncio.new_event_loop)
    home = prepare(tmp_path)
    context = ssl.create_default_context(cafile=str(home.ca))
    context.load_cert_chain(home.folder / "client.pem", home.folder / "client.key")
    with GuardedServer(probe, ssl_context=home.server_context(), limits=room()) as server:
        for number in range(1_100):
            connect(server, GREEDY, b"\x16\x03\x01\x02\x00" if number % 2 else b"")  # half a ClientHello
        for source in (OTHER, GREEDY):
            with context.wrap_socket(connect(server, source), server_hostname="localhost") as peer:
                assert answered(peer)


def test_the_slowest_connection_of_the_greediest_address_goes_first(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=4)) as server:
        oldest = connect(server, OTHER, HALF_A_BODY)
        greedy = [connect(server, GREEDY, HALF_A_BODY) for _ in range(3)]
        assert answered(connect(server, THIRD))
        assert is_closed(greedy[0])
        assert all(is_open(peer) for peer in (oldest, *greedy[1:]))


def test_bytes_that_drip_do_not_make_a_request_any_younger(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=2)) as server:
        dripping = connect(server, GREEDY, HALF_A_BODY)
        younger = connect(server, GREEDY, HALF_A_BODY)
        dripping.sendall(b"d")
        assert answered(connect(server, OTHER))
        assert is_closed(dripping)
        assert is_open(younger)


def test_a_request_that_is_all_there_is_answered_first(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=3)) as server:
        held = connect(server, GREEDY, request("/hold"))
        assert probe.entered.wait(60)
        halves = [connect(server, GREEDY, HALF_A_BODY) for _ in range(2)]
        for source in (OTHER, THIRD):
            assert answered(connect(server, source))
        assert all(is_closed(peer) for peer in halves)
        probe.release.set()
        assert read_answer(held)[0] == 200


def test_the_beginning_of_another_request_does_not_end_the_answer_to_the_first(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=2)) as server:
        held = connect(server, GREEDY, request("/hold"))
        assert probe.entered.wait(60)
        held.sendall(HALF_A_BODY)
        half = connect(server, OTHER, HALF_A_BODY)
        assert answered(connect(server, THIRD))
        assert is_closed(half)
        probe.release.set()
        assert read_answer(held)[0] == 200


def test_if_every_address_is_being_answered_the_next_connection_waits(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=2)) as server:
        held = [connect(server, source, request("/hold")) for source in (GREEDY, OTHER)]
        assert all(probe.holds.acquire(timeout=60) for _ in held)
        waiting = connect(server, THIRD, request())
        probe.release.set()
        assert all(read_answer(peer)[0] == 200 for peer in (waiting, *held))


def test_a_peer_that_does_not_read_its_answer_makes_room(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=1)) as server:
        connect(server, GREEDY, request("/flood"))
        assert answered(connect(server, OTHER))


def test_one_address_has_its_own_cap(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections_per_address=2)) as server:
        first, second = (connect(server, GREEDY, HALF_A_BODY) for _ in range(2))
        other = connect(server, OTHER, HALF_A_BODY)
        assert answered(connect(server, GREEDY))
        assert is_closed(first)
        assert is_open(second)
        assert is_open(other)


def test_an_address_whose_connections_are_all_being_answered_gets_no_more(
    probe: Probe, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with GuardedServer(probe, limits=room(connections_per_address=1)) as server:
        held = connect(server, GREEDY, request("/hold"))
        assert probe.entered.wait(60)
        for _ in range(5):
            assert is_closed(connect(server, GREEDY))
        assert answered(connect(server, OTHER))
        probe.release.set()
        assert read_answer(held)[0] == 200
        assert answered(connect(server, GREEDY))
    (warning,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "refused a connection of 127.0.0.1" in warning.message


def test_a_connection_that_the_application_took_over_is_not_closed(connect: Connect) -> None:
    class Taken(Probe):
        async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
            if scope["path"] == "/take":
                self.transport = scope["extensions"][CONNECTION].hijack()  # type: ignore[index]
                self.entered.set()
            else:
                await super().__call__(scope, receive, send)

    probe = Taken()
    with GuardedServer(probe, limits=room(connections=2)) as server:
        taken = connect(server, GREEDY, request("/take"))
        assert probe.entered.wait(60)
        for _ in range(2):
            assert answered(connect(server, OTHER))
        assert is_open(taken)


@pytest.mark.parametrize(
    ("host", "sender"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_one_ipv6_customer_counts_as_one_address(host: str, sender: str) -> None:
    assert sender_of(host) == sender


SHORT_OF_FILES = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from probe import Probe
from iot_northbound.serving import Limits
from iot_northbound.serving.http import GuardedServer
server = GuardedServer(Probe(), limits=Limits(stop_grace=0.1))
def ready():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    print(server.port, flush=True)
server.serve_forever(ready)
"""


def test_a_process_without_file_descriptors_left_makes_room_too(connect: Connect) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SHORT_OF_FILES, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process:
        server = GuardedServer(Probe(), port=int(process.stdout.readline()))
        for _ in range(100):
            connect(server, GREEDY, HALF_A_BODY)
        assert answered(connect(server, OTHER))
        process.terminate()


def test_a_closed_connection_is_no_longer_counted(probe: Probe, connect: Connect) -> None:
    with GuardedServer(probe, limits=room(connections=3)) as server:
        for _ in range(10):
            with connect(server, GREEDY) as peer:
                peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
                read_all(peer)
        resting = [connect(server, GREEDY) for _ in range(3)]
        assert all(answered(peer) for peer in resting)
        assert all(is_open(peer) for peer in resting)
