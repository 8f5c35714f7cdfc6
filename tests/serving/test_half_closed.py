"""Peers that close their half of the connection after a request, and peers that are gone before the answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound.push import MemoryInbox, PushMessageReceiver
from iot_northbound.serving import loop
from iot_northbound.serving.http import GuardedServer
from tests.clock import eventually
from tests.push.helpers import data_body

from .probe import PATIENT, Probe, connect, is_open, read_all, request
from .test_pipelining import sizes


@pytest.fixture
def probe() -> Iterator[Probe]:
    one = Probe()
    yield one
    one.release.set()


@pytest.fixture(params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> Iterator[GuardedServer]:
    if request.param == "asyncio":
        monkeypatch.setattr(loop, "new_event_loop", asyncio.new_event_loop)
    with GuardedServer(probe, limits=PATIENT) as running:
        yield running


def half_closed(server: GuardedServer, data: bytes) -> socket.socket:
    peer = connect(server)
    peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
    return peer


@pytest.mark.parametrize("count", [1, 2, 50])
def test_complete_requests_are_answered_and_then_the_connection_is_closed(server: GuardedServer, count: int) -> None:
    with half_closed(server, b"".join(request(body=b"x" * number) for number in range(count))) as peer:
        assert sizes(read_all(peer)) == list(range(count))
    eventually(lambda: not server.connections)


def test_an_answer_that_takes_long_is_sent_too(server: GuardedServer, probe: Probe) -> None:
    with half_closed(server, request("/hold", b"abc")) as peer:
        assert probe.entered.wait(60)
        assert is_open(peer)
        probe.release.set()
        assert sizes(read_all(peer)) == [3]


@pytest.mark.parametrize("rest", [request(body=b"cut off")[:-2], b"POST / HT", b"\r\n"])
def test_what_is_incomplete_is_dropped_behind_the_answers(server: GuardedServer, rest: bytes) -> None:
    with half_closed(server, request(body=b"abc") + rest) as peer:
        assert sizes(read_all(peer)) == [3]
    eventually(lambda: not server.connections)


@pytest.mark.parametrize("data", [b"", b"POST", request(body=b"cut off")[:-2]])
def test_without_a_complete_request_the_connection_is_closed_at_once(server: GuardedServer, data: bytes) -> None:
    with half_closed(server, data) as peer:
        assert read_all(peer) == b""
    eventually(lambda: not server.connections)


async def endless(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application whose answer begins, and ends when its reader is gone."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    assert (await receive())["type"] == "http.disconnect"


def test_an_answer_that_has_begun_is_given_up() -> None:
    with GuardedServer(endless, limits=PATIENT) as server, half_closed(server, request()) as peer:
        assert b"first" in read_all(peer)
        eventually(lambda: not server.connections)


def test_nothing_is_sent_any_more_when_the_loop_closes_the_connection() -> None:
    """The loop closes it in two steps. An answer in between would be an error in the log."""

    async def end_of_file(connection: Any) -> tuple[bool, bool]:
        return connection.eof_received(), connection.cycle.disconnected

    with GuardedServer(endless, limits=PATIENT) as server, connect(server) as peer:
        peer.sendall(request())
        assert peer.recv(1) == b"H"
        (connection,) = server.connections
        ended = asyncio.run_coroutine_threadsafe(end_of_file(connection), connection.loop)
        assert ended.result(60) == (False, True)


def test_a_refused_request_leaves_no_connection_behind(server: GuardedServer, probe: Probe) -> None:
    with half_closed(server, request("/hold") + b"\0 not HTTP\r\n\r\n") as peer:
        assert b" 400 Bad Request" in read_all(peer)
        probe.release.set()
    eventually(lambda: not server.connections)


def test_a_receiver_answers_a_sender_that_has_closed_its_half() -> None:
    receiver = PushMessageReceiver(MemoryInbox())
    body = data_body()
    head = f"POST /v1.0.0/messageReceiver HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    with receiver.server(port=0) as server, socket.create_connection(server.address, timeout=60) as peer:
        peer.sendall(head.encode() + body)
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer).startswith(b"HTTP/1.1 200 OK")
