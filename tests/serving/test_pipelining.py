"""Many requests sent at once: one connection's do not hold up the others, and every one is answered in its turn."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from iot_northbound.serving import Limits, loop
from iot_northbound.serving.http import GuardedServer
from tests.certs import Authority
from tests.clock import eventually

from .probe import AT_ONCE, PATIENT, Probe, connect, hurry, read_all, request, works

FEW = 100
"""More than may be parsed ahead: eight, and what one piece of the data holds."""
Contexts = tuple[ssl.SSLContext | None, ssl.SSLContext | None]


@pytest.fixture
def probe() -> Iterator[Probe]:
    one = Probe()
    yield one
    one.release.set()


@pytest.fixture(params=["http", "http on asyncio", "https"])
def contexts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Contexts:
    if request.param.endswith("asyncio"):
        monkeypatch.setattr(loop, "new_event_loop", asyncio.new_event_loop)
    if request.param != "https":
        return None, None
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = Authority("a ca").issue("server", ["127.0.0.1"]).write(folder, "server")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


def unanswered(server: GuardedServer) -> int:
    """Return how many requests are parsed, of all connections."""
    return sum(connection._unanswered for connection in server.state.connections)  # type: ignore[union-attr]


def sizes(answers: bytes) -> list[int]:
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    return [json.loads(body)["size"] for body in bodies]


def chunked(size: int) -> bytes:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"c" * size)


CLOSING = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
MIXTURES: dict[str, Callable[[int], bytes]] = {
    "empty": lambda _: request(),
    "small": lambda number: request(body=b"x" * number),
    "chunked": lambda number: chunked(number + 1),
    "of all sizes": lambda number: request(body=b"x" * (number * number)),
    "mixed": lambda number: chunked(number * 30) if number % 3 else request(body=b"x" * (number * 40)),
}


@pytest.mark.parametrize("what", MIXTURES)
def test_every_one_of_many_requests_is_answered_in_its_turn(probe: Probe, contexts: Contexts, what: str) -> None:
    ours, theirs = contexts
    with GuardedServer(probe, ssl_context=ours) as server:
        with connect(server) as plain, plain if theirs is None else theirs.wrap_socket(plain) as peer:
            peer.sendall(b"".join(MIXTURES[what](number) for number in range(300)) + CLOSING)
            found = sizes(read_all(peer))
        expected = {
            "empty": [0] * 300,
            "chunked": list(range(1, 301)),
            "of all sizes": [number * number for number in range(300)],
            "mixed": [number * (30 if number % 3 else 40) for number in range(300)],
        }.get(what, list(range(300)))
        assert found == [*expected, 0]


@pytest.mark.parametrize("pieces", [1, 50])
def test_only_few_requests_of_a_connection_are_read_ahead(probe: Probe, pieces: int) -> None:
    with GuardedServer(probe) as server, connect(server) as peer:
        peer.sendall(request("/hold"))
        assert probe.entered.wait(60)
        many = request() * 2_000
        for number in range(pieces):
            peer.sendall(many[len(many) * number // pieces : len(many) * (number + 1) // pieces])
            assert works(server)  # the loop has been round since
        assert 1 < unanswered(server) <= FEW
        probe.release.set()
        peer.sendall(CLOSING)
        assert sizes(read_all(peer)) == [0] * 2_002


def test_a_peer_that_leaves_behind_its_requests_leaves_nothing(probe: Probe) -> None:
    with GuardedServer(probe, limits=Limits(stop_grace=0.1)) as server:
        with connect(server) as peer:
            peer.sendall(request("/hold") + request() * 2_000)
            assert probe.entered.wait(60)
        probe.release.set()
        assert works(server)


def test_an_error_behind_many_requests_is_answered_when_it_is_reached(probe: Probe) -> None:
    with GuardedServer(probe) as server, connect(server) as peer:
        peer.sendall(request(body=b"abc") * 100 + b"this is not HTTP\r\n\r\n")
        answers = read_all(peer)
    assert answers.count(b"HTTP/1.1 200") > 50


def test_headers_that_never_end_behind_many_requests_are_still_refused(probe: Probe) -> None:
    limits = replace(PATIENT, header_limit=2_000)
    with GuardedServer(probe, limits=limits) as server, connect(server) as peer:
        peer.sendall(request() * 100 + b"POST / HTTP/1.1\r\nhost: x\r\n")
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 100:
            answers += peer.recv(65_536)
        (connection,) = server.connections
        eventually(lambda: connection.expected == "headers")
        hurry(server, linger=AT_ONCE)
        connection.loop.call_soon_threadsafe(connection._expire, "headers")
        assert b"HTTP/1.1 408" in read_all(peer)


def test_a_connection_that_is_ended_while_requests_wait_answers_none_of_them(probe: Probe) -> None:
    with GuardedServer(probe) as server, connect(server) as peer:
        peer.sendall(request("/raw") + request() * 500)
        assert read_all(peer) == b"not http at all"
        assert works(server)


def first_answered_among(probe: Probe, count: int) -> int:
    """Return how many connections a server has taken when it answers the first of so many that wait at its door."""
    taken: list[int] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        taken.append(server._room._count)
        await probe(scope, receive, send)

    server = GuardedServer(answer)
    server.bind()
    peers = [socket.create_connection(server.address, timeout=60) for _ in range(count)]
    for peer in peers:
        peer.sendall(CLOSING)
    with server:
        for peer in peers:
            assert sizes(read_all(peer)) == [0]
            peer.close()
    return taken[0]


def test_those_who_wait_at_the_door_are_taken_in_one_go(probe: Probe) -> None:
    """With one in each round of the loop, a crowd that keeps it busy would keep the next one waiting for long."""
    assert first_answered_among(probe, 50) == 50


def test_a_crowd_at_the_door_keeps_nobody_from_being_answered(probe: Probe) -> None:
    assert first_answered_among(probe, 400) < 400
