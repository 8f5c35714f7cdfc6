"""One request against servers that misbehave, over real TLS: the right exception, in time, never a POST twice."""

import gzip
import threading
import time
from typing import Any

import pytest
from tests.faulty_server import Hangup, Seen, Wire, message

from iot_northbound import (
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    RequestTimeoutError,
    TlsError,
    UnreadableAnswerError,
)
from iot_northbound.core.endpoint import Endpoint

READ: Endpoint[None] = Endpoint("GET", "/read/{item}", type(None), section="test")
WRITE: Endpoint[None] = Endpoint("POST", "/write", type(None), section="test")
PUT: Endpoint[None] = Endpoint("PUT", "/put", type(None), section="test", repeatable=True)
TOKEN = "a-token-of-the-caller"
PATIENCE = 3.0
"""Seconds a call with a short deadline may take at most on a busy machine; a hang takes 20."""


def call(client: Any, endpoint: Endpoint[Any] = READ, **rest: Any) -> Any:
    ids = {"item": "1"} if endpoint is READ else {}
    body = None if endpoint is READ else {"text": "x"}
    return client.call(endpoint, ids, body=body, access_token=TOKEN, **rest)


def fails(client: Any, endpoint: Endpoint[Any], kind: type[NorthApiException], code: str) -> NorthApiException:
    started = time.monotonic()
    with pytest.raises(NorthApiException) as caught:
        call(client, endpoint)
    assert time.monotonic() - started < PATIENCE
    error = caught.value
    assert (type(error), error.error_code, error.endpoint) == (kind, code, endpoint.name)
    assert TOKEN not in f"{error}{error!r}{error.__cause__}{error.__context__!r}"
    return error


def ok(seen: Seen, wire: Wire) -> Any:
    return 200, {"ok": True}


def reset(seen: Seen, wire: Wire) -> None:
    wire.reset()


def close(seen: Seen, wire: Wire) -> None:
    wire.close()


def stall(seen: Seen, wire: Wire) -> None:
    wire.hold()


def slow_head(seen: Seen, wire: Wire) -> None:
    wire.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2000)


def slow_body(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
    wire.drip(b"[" * 2000)


def slow_chunks(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2000):
        wire.send(b"1\r\n[\r\n")
        if wire.closing.wait(0.05):
            raise Hangup


def endless_continue(seen: Seen, wire: Wire) -> None:
    while not wire.closing.wait(0.02):
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_body(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        wire.send(b"[" * 65536)


def truncated(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b'{"half":')
    wire.close()


def truncated_chunk(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{")
    wire.close()


def missing_last_chunk(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
    wire.close()


def bad_chunk(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsurprise\r\n")
    wire.close()


def bad_gzip(seen: Seen, wire: Wire) -> Any:
    return 200, b"not compressed at all", {"Content-Encoding": "gzip"}


def garbage(seen: Seen, wire: Wire) -> None:
    wire.send(b"220 mail.example ready " + seen.token.encode() + b"\r\n")
    wire.close()


def endless_header(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")


def too_many_headers(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 500 + b"\r\n")


AFTER_THE_REQUEST = [
    (reset, ConnectionFailedError, "1003"),
    (close, ConnectionFailedError, "1003"),
    (stall, RequestTimeoutError, "1003"),
    (slow_head, RequestTimeoutError, "1003"),
    (endless_continue, RequestTimeoutError, "1003"),
    (slow_body, RequestTimeoutError, "1004"),
    (slow_chunks, RequestTimeoutError, "1004"),
    (truncated, UnreadableAnswerError, "1004"),
    (truncated_chunk, UnreadableAnswerError, "1004"),
    (missing_last_chunk, UnreadableAnswerError, "1004"),
    (bad_chunk, UnreadableAnswerError, "1004"),
    (bad_gzip, UnreadableAnswerError, "1004"),
    (garbage, UnreadableAnswerError, "1004"),
    (endless_header, UnreadableAnswerError, "1004"),
    (too_many_headers, UnreadableAnswerError, "1004"),
]


@pytest.mark.parametrize(("fault", "kind", "code"), AFTER_THE_REQUEST, ids=lambda each: getattr(each, "__name__", each))
def test_a_post_that_may_have_arrived_is_sent_once_and_its_outcome_is_said_to_be_unknown(
    serve: Any, connect: Any, fault: Any, kind: Any, code: str
) -> None:
    server = serve(fault)
    error = fails(connect(server, deadline=0.4, max_attempts=5), WRITE, kind, code)
    assert error.outcome_unknown
    assert error.attempts == 1
    assert len(server.seen) == 1


@pytest.mark.parametrize("fault", [reset, close, truncated, truncated_chunk, garbage, bad_gzip])
@pytest.mark.parametrize("endpoint", [READ, PUT], ids=["GET", "repeatable PUT"])
def test_what_may_be_repeated_is_repeated_until_it_works(serve: Any, connect: Any, fault: Any, endpoint: Any) -> None:
    server = serve(lambda seen, wire: fault(seen, wire) if len(server.seen) < 3 else ok(seen, wire))
    assert call(connect(server, max_attempts=3), endpoint) is None
    assert len(server.seen) == 3


@pytest.mark.parametrize("fault", [reset, stall])
def test_what_stays_unknown_after_repeats_is_said_to_be_for_writes_only(serve: Any, connect: Any, fault: Any) -> None:
    server = serve(fault)
    client = connect(server, max_attempts=2, read_timeout=0.2)
    assert fails(client, PUT, ConnectionFailedError if fault is reset else RequestTimeoutError, "1003").outcome_unknown
    error = fails(client, READ, ConnectionFailedError if fault is reset else RequestTimeoutError, "1003")
    assert not error.outcome_unknown
    assert error.attempts == 2


def test_an_attempt_that_may_have_arrived_is_not_forgotten_when_the_last_one_surely_did_not(
    serve: Any, connect: Any
) -> None:
    def arrives_and_ends(seen: Seen, wire: Wire) -> None:
        server._listener.close()
        wire.reset()

    server = serve(arrives_and_ends)
    assert fails(connect(server, max_attempts=2), PUT, ConnectionFailedError, "1003").outcome_unknown


def test_a_refused_connection_is_tried_again_for_posts_too(serve: Any, connect: Any) -> None:
    server = serve(ok)
    server.stop()
    error = fails(connect(server, max_attempts=3), WRITE, ConnectionFailedError, "1003")
    assert error.attempts == 3
    assert not error.outcome_unknown


def refuse_at_first(how: Any) -> Any:
    def on_connect(wire: Wire) -> None:
        if wire.number < 3:
            how(wire)
            raise Hangup

    return on_connect


@pytest.mark.parametrize("how", [Wire.reset, Wire.close])
def test_a_handshake_broken_off_means_surely_not_sent_so_that_a_post_is_tried_again(
    serve: Any, connect: Any, how: Any
) -> None:
    server = serve(ok, on_connect=refuse_at_first(how))
    assert call(connect(server, max_attempts=3), WRITE) is None
    assert len(server.seen) == 1


def test_a_server_that_never_shakes_hands_costs_the_deadline_and_no_more(serve: Any, connect: Any) -> None:
    server = serve(ok, on_connect=lambda wire: wire.hold())
    error = fails(connect(server, deadline=0.3), WRITE, RequestTimeoutError, "1003")
    assert not error.outcome_unknown


def test_a_server_that_speaks_no_tls_is_told_and_not_tried_again(serve: Any, connect: Any) -> None:
    def plain(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        raise Hangup

    server = serve(ok, on_connect=plain)
    error = fails(connect(server), WRITE, TlsError, "1003")
    assert error.attempts == 1
    assert not error.outcome_unknown


def test_tls_spoilt_after_the_request_leaves_a_posts_outcome_unknown(serve: Any, connect: Any) -> None:
    def spoil(seen: Seen, wire: Wire) -> None:
        wire.send_below_tls(b"\x17\x03\x03\x00\x20" + b"?" * 32)

    server = serve(spoil)
    error = fails(connect(server), WRITE, TlsError, "1003")
    assert error.outcome_unknown
    assert len(server.seen) == 1


def test_an_endless_body_ends_at_its_limit(serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_northbound.core.transport.MAX_ANSWER", 1_000_000)
    error = fails(connect(serve(endless_body), max_attempts=1), WRITE, UnreadableAnswerError, "1004")
    assert "longer than 1000000 bytes" in error.error_desc


def test_a_compressed_body_counts_unpacked(serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_northbound.core.transport.MAX_ANSWER", 1_000_000)
    bomb = gzip.compress(b" " * 50_000_000)
    server = serve(lambda seen, wire: (200, bomb, {"Content-Encoding": "gzip"}))
    fails(connect(server, max_attempts=1), READ, UnreadableAnswerError, "1004")


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
    client = connect(server, backoff_base=30.0, backoff_cap=30.0, deadline=5)
    call(client)
    started = time.monotonic()
    call(client)
    assert time.monotonic() - started < PATIENCE
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
    assert gone.wait(5)
    assert call(client, WRITE) is None
    assert len(server.seen) == 2


def test_a_short_deadline_does_not_shorten_the_next_call_on_the_connection(serve: Any, connect: Any) -> None:
    """The socket remembers the last timeout set; a large body needs several writes while the server is slow to read."""
    paused = threading.Event()

    def answer(seen: Seen, wire: Wire) -> Any:
        return 200, {"ok": True}

    server = serve(answer)
    client = connect(server, max_attempts=1)
    call(client.with_options(deadline=0.25))
    paused.wait(0.3)  # longer than what the first call left
    client.call(WRITE, {}, body={"text": "x" * 3_000_000}, access_token=TOKEN)
    assert len(server.seen[-1].body) > 3_000_000
    assert client.connections_opened == 1


def test_sending_keeps_the_deadline_when_the_server_does_not_read(serve: Any, connect: Any, pki: Any) -> None:
    def deaf(wire: Wire) -> None:
        wire.socket = pki.context.wrap_socket(wire.socket, server_side=True)
        wire.hold()

    client = connect(serve(ok, on_connect=deaf), deadline=0.4)
    started = time.monotonic()
    with pytest.raises(RequestTimeoutError) as caught:
        client.call(WRITE, {}, body={"text": "x" * 30_000_000}, access_token=TOKEN)
    assert time.monotonic() - started < PATIENCE
    assert caught.value.outcome_unknown


def test_what_the_application_was_handling_does_not_colour_the_failure(serve: Any, connect: Any) -> None:
    server = serve(ok)
    server.stop()
    client = connect(server, max_attempts=1)
    try:
        raise TimeoutError("the application's own")
    except TimeoutError:
        fails(client, READ, ConnectionFailedError, "1003")


def test_no_exception_keeps_the_request_with_its_token(serve: Any, connect: Any) -> None:
    client = connect(serve(reset), max_attempts=1)
    error: BaseException | None = fails(client, WRITE, ConnectionFailedError, "1003")
    seen = 0
    while error is not None:
        assert getattr(error, "request", None) is None
        error, seen = error.__cause__ or error.__context__, seen + 1
    assert seen > 1


def test_a_token_no_header_can_carry_is_refused_unseen(serve: Any, connect: Any) -> None:
    client = connect(serve(ok))
    for bad in ("se\r\ncret: x", "sécret", "se\0cret"):
        with pytest.raises(InvalidArgumentError) as caught:
            client.call(READ, {"item": "1"}, access_token=bad)
        assert "se" + bad[2:] not in f"{caught.value}{caught.value.__context__!r}"


def test_an_ipv6_platform_is_reached(serve: Any, connect: Any) -> None:
    try:
        server = serve(ok, host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert call(connect(server)) is None
    assert server.seen[0].headers["host"] == f"[::1]:{server.port}"


def test_two_threads_open_two_connections_and_no_more(serve: Any, connect: Any) -> None:
    both = threading.Barrier(2, timeout=10)

    def together(seen: Seen, wire: Wire) -> Any:
        both.wait()
        return 200, {"ok": True}

    server = serve(together)
    client = connect(server)
    threads = [threading.Thread(target=lambda: [call(client) for _ in range(50)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(server.seen) == 100
    assert client.connections_opened == server.connections == 2
