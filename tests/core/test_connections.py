"""Connections: kept, found dead, spoilt by leftovers, shared by threads."""

import gzip
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.certs import LOOPBACK_NAMES, Authority, server_context
from tests.clock import FakeClock
from tests.core.faults import (
    READ,
    TOKEN,
    WRITE,
    call,
    close,
    fails,
    ok,
    reset,
)
from tests.faulty_server import APP_ID, SECRET, FaultyServer, Hangup, Seen, Wire, message

from iot_northbound import (
    ClientInfo,
    ConnectionFailedError,
    NorthApiClient,
    NorthApiException,
    RequestTimeoutError,
    SSLConfig,
    UnreadableAnswerError,
)
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.sockets import DeadlineSocket


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
def test_a_body_arrives_whole_however_it_is_cut(serve: Any, connect: Any, pieces: int) -> None:
    text = b'{"list":[' + b",".join(b'"%d"' % number for number in range(20_000)) + b"]}"
    packed = gzip.compress(text)

    def answer(seen: Seen, wire: Wire) -> None:
        body = packed if seen.target.endswith("1") else text
        coding = b"Content-Encoding: gzip\r\n" if body is packed else b""
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n" % coding)
        size = len(body) // pieces + 1
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        wire.send(b"0\r\n\r\n")

    from iot_northbound.core.fields import response

    @response
    class Listed:
        list_: list[str] | None = None

    client = connect(serve(answer))
    for item in "12":
        endpoint = Endpoint("GET", f"/{item}", Listed, section="test")
        assert len(client.call(endpoint, {}, access_token=TOKEN).list_) == 20_000
    assert client.connections_opened == 1


@pytest.mark.parametrize("size", [5, 20_000, 300_000])
def test_bytes_beyond_the_declared_length_never_become_the_next_calls_answer(
    serve: Any, connect: Any, size: int
) -> None:
    """The declared part is sound; what follows looks like another answer."""
    forged = message(200, {"error_code": "100403", "error_desc": "forged"})

    def longer(seen: Seen, wire: Wire) -> None:
        if seen.target == "/read/1" and len(server.seen) == 1:
            wire.send(message(200, {"ok": True}) + b" " * (size % 7) + forged * (size // len(forged) + 1))
        else:
            wire.send(message(200, {"ok": True}))

    server = serve(longer)
    client = connect(server, max_attempts=1)
    for _ in range(5):
        assert call(client) is None
    assert len(server.seen) == 5


def test_a_body_cut_by_a_length_too_short_is_unreadable_and_does_no_harm_to_the_next(serve: Any, connect: Any) -> None:
    def shorter(seen: Seen, wire: Wire) -> None:
        body = b'{"name":"' + b"x" * 40_000 + b'"}'
        wire.send(message(200, body, {"Content-Length": "9000"} if len(server.seen) == 1 else None))

    server = serve(shorter)
    client = connect(server, max_attempts=1)
    fails(client, READ, UnreadableAnswerError, "1004")
    for _ in range(3):
        assert call(client) is None


def test_a_kept_connection_that_died_is_replaced_at_once_where_that_is_safe(serve: Any, connect: Any) -> None:
    """The reset comes when the request is on its way, so that looking at the connection beforehand shows nothing."""
    server = serve(lambda seen, wire: wire.reset() if len(server.seen) == 2 else ok(seen, wire))
    clock = FakeClock()
    client = connect(server, clock=clock, backoff_base=30.0, backoff_cap=30.0)
    call(client)
    call(client)
    assert not clock.slept
    assert [seen.connection for seen in server.seen] == [1, 1, 2]


def test_a_kept_connection_the_server_closed_meanwhile_is_not_used_even_for_a_post(serve: Any, connect: Any) -> None:
    gone = threading.Event()

    def answer_and_close(seen: Seen, wire: Wire) -> None:
        wire.send(message(200, {"ok": True}))
        if wire.number == 1:
            wire.close()
            gone.set()

    server = serve(answer_and_close)
    client = connect(server, max_attempts=1)
    call(client, WRITE)
    assert gone.wait(60)
    assert call(client, WRITE) is None
    assert len(server.seen) == 2


def test_a_short_deadline_does_not_shorten_the_next_call_on_the_connection(
    serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket remembers the last timeout set, and sending would meet it."""
    send = DeadlineSocket.send
    timeouts: list[float | None] = []

    def note(self: DeadlineSocket, *args: Any) -> int:
        timeouts.append(self.gettimeout())
        return send(self, *args)

    monkeypatch.setattr(DeadlineSocket, "send", note)
    client = connect(serve(ok), deadline=None, read_timeout=29)
    call(client.with_options(deadline=20))
    timeouts.clear()
    call(client, WRITE)
    assert timeouts
    assert set(timeouts) == {29.0}
    assert client.connections_opened == 1


def test_sending_keeps_the_deadline_when_the_server_does_not_read(serve: Any, connect: Any, stopped: Any) -> None:
    def answer_once(seen: Seen, wire: Wire) -> None:
        wire.send(message(200, {}))
        wire.hold()

    client = connect(serve(answer_once), clock=stopped)
    call(client, WRITE)  # the handshake is not part of the deadline below
    with pytest.raises(RequestTimeoutError) as caught:
        client.with_options(deadline=0.3).call(WRITE, {}, body={"text": "x" * 30_000_000}, access_token=TOKEN)
    assert caught.value.outcome_unknown
    assert client.connections_opened == 1


def test_sending_keeps_the_deadline_when_every_piece_goes_but_all_of_them_take_too_long(
    serve: Any, connect: Any, stopped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(self: ssl.SSLSocket, data: bytes, flags: int = 0) -> int:
        stopped.advance(0.1)
        return send(self, data[:8], flags)

    client = connect(serve(ok), clock=stopped)
    call(client, WRITE)  # the handshake is not part of the deadline below
    send = ssl.SSLSocket.send
    monkeypatch.setattr(ssl.SSLSocket, "send", slowly)
    with pytest.raises(RequestTimeoutError) as caught:
        client.with_options(deadline=30).call(WRITE, {}, body={"text": "x" * 30_000_000}, access_token=TOKEN)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("fault", [reset, close])
@pytest.mark.parametrize("shown", [False, True], ids=["bare", "with certificate"])
def test_a_new_connection_that_breaks_names_the_certificate_we_did_not_show(
    pki: Any, tmp_path: Path, fault: Any, shown: bool
) -> None:
    ca = Authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    own = {"self_cert_path": pki.tls.self_cert_path, "self_key_path": pki.tls.self_key_path} if shown else {}
    tls = SSLConfig(trust_ca_path=tmp_path / "ca.pem", **own)
    with FaultyServer(server_context(ca.issue("server", LOOPBACK_NAMES), None, tmp_path), fault) as server:
        info = ClientInfo(platform_ip=server.host, platform_port=server.port, app_id=APP_ID, secret=SECRET)
        client = NorthApiClient(info, tls)
        error = fails(client, WRITE, ConnectionFailedError, "1003")
        client.close()
    assert ("Set SSLConfig.self_cert_path" in error.error_desc) is not shown


def test_a_kept_connection_that_breaks_is_not_blamed_on_certificates(tmp_path: Path) -> None:
    ca = Authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    context = server_context(ca.issue("server", LOOPBACK_NAMES), None, tmp_path)
    with FaultyServer(
        context, lambda seen, wire: ok(seen, wire) if len(server.seen) == 1 else reset(seen, wire)
    ) as server:
        info = ClientInfo(platform_ip=server.host, platform_port=server.port, app_id=APP_ID, secret=SECRET)
        client = NorthApiClient(info, SSLConfig(trust_ca_path=tmp_path / "ca.pem"))
        call(client)
        error = fails(client, WRITE, ConnectionFailedError, "1003")
        client.close()
    assert "certificate" not in str(error)


def test_closing_the_client_closes_its_connections_even_if_an_exception_is_kept(serve: Any, connect: Any) -> None:
    closed = threading.Event()

    def answer(seen: Seen, wire: Wire) -> None:
        wire.send(message(500, {"error_code": "100001", "error_desc": "internal"}))
        assert wire.socket.recv(1) == b""
        closed.set()

    client = connect(serve(answer), max_attempts=1)
    with pytest.raises(NorthApiException) as kept:
        call(client)
    client.close()
    assert closed.wait(60)
    assert kept.value.error_code == "100001"


def test_counts_every_connection_that_was_opened_and_none_that_was_not(serve: Any, connect: Any) -> None:
    def once(seen: Seen, wire: Wire) -> None:
        wire.send(message(200, {}, {"Connection": "close"}))
        wire.close()

    server = serve(once)
    client = connect(server, max_attempts=1)
    assert client.connections_opened == 0
    for number in range(1, 4):  # urllib3 opens one object again
        call(client)
        assert client.connections_opened == server.connections == number
    client.close()
    assert client.connections_opened == 3


def test_a_connection_that_comes_to_nothing_is_not_counted(serve: Any, connect: Any) -> None:
    def drop(wire: Wire) -> None:
        raise Hangup

    server = serve(ok, on_connect=drop)
    client = connect(server, max_attempts=2)
    with pytest.raises(NorthApiException):
        call(client)
    assert server.connections > 0
    assert client.connections_opened == 0
