"""One request against servers that misbehave, over real TLS: the right exception, in time, never a POST twice."""

import gzip
import threading
from typing import Any

import pytest
from tests.clock import eventually
from tests.core.faults import (
    PUT,
    READ,
    WRITE,
    bad_chunk,
    bad_gzip,
    call,
    close,
    endless_body,
    endless_continue,
    endless_header,
    fails,
    garbage,
    missing_last_chunk,
    ok,
    reset,
    slow_body,
    slow_chunks,
    slow_head,
    stall,
    too_many_headers,
    truncated,
    truncated_chunk,
)
from tests.faulty_server import Hangup, Seen, Wire

from iot_northbound import (
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    RequestTimeoutError,
    TlsError,
    UnreadableAnswerError,
)

AFTER_THE_REQUEST = [
    (reset, ConnectionFailedError, "1003"),
    (close, ConnectionFailedError, "1003"),
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
    serve: Any, connect: Any, stopped: Any, fault: Any, kind: Any, code: str
) -> None:
    server = serve(fault, clock=stopped)
    error = fails(connect(server, clock=stopped, deadline=30, max_attempts=5), WRITE, kind, code)
    assert error.outcome_unknown
    assert error.attempts == 1
    assert len(server.seen) == 1


def test_a_post_that_is_never_answered_is_sent_once_and_costs_the_deadline(
    serve: Any, connect: Any, stopped: Any
) -> None:
    server = serve(lambda seen, wire: ok(seen, wire) if len(server.seen) == 1 else wire.hold())
    client = connect(server, clock=stopped, max_attempts=5)
    call(client, WRITE)  # the handshake is not part of the deadline below
    error = fails(client.with_options(deadline=0.3), WRITE, RequestTimeoutError, "1003")
    assert (error.outcome_unknown, error.attempts) == (True, 1)
    eventually(lambda: len(server.seen) == 2)


@pytest.mark.parametrize("fault", [reset, close, truncated, truncated_chunk, garbage, bad_gzip])
@pytest.mark.parametrize("endpoint", [READ, PUT], ids=["GET", "repeatable PUT"])
def test_what_may_be_repeated_is_repeated_until_it_works(serve: Any, connect: Any, fault: Any, endpoint: Any) -> None:
    server = serve(lambda seen, wire: fault(seen, wire) if len(server.seen) < 3 else ok(seen, wire))
    assert call(connect(server, max_attempts=3), endpoint) is None
    assert len(server.seen) == 3


@pytest.mark.parametrize("fault", [reset, stall])
def test_what_stays_unknown_after_repeats_is_said_to_be_for_writes_only(serve: Any, connect: Any, fault: Any) -> None:
    server = serve(fault)
    kind, patience = (ConnectionFailedError, 30) if fault is reset else (RequestTimeoutError, 0.2)
    client = connect(server, max_attempts=2, read_timeout=patience)
    assert fails(client, PUT, kind, "1003").outcome_unknown
    error = fails(client, READ, kind, "1003")
    assert not error.outcome_unknown
    assert error.attempts == 2


def test_an_attempt_that_may_have_arrived_is_not_forgotten_when_the_last_one_surely_did_not(
    serve: Any, connect: Any
) -> None:
    def arrives_and_ends(seen: Seen, wire: Wire) -> None:
        server.stop_listening()
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


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (bad_gzip, "it is not compressed as its head says"),
        (truncated, "8 bytes came"),
        (close, "the server closed it without a word"),
        (garbage, "the received data is not an HTTP answer"),
    ],
)
def test_a_failure_is_told_in_words(serve: Any, connect: Any, fault: Any, words: str) -> None:
    with pytest.raises(NorthApiException, match=words):
        call(connect(serve(fault), max_attempts=1))


def test_an_endless_body_ends_at_its_limit(serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_northbound.core.transport.MAX_ANSWER", 1_000_000)
    error = fails(connect(serve(endless_body), max_attempts=1), WRITE, UnreadableAnswerError, "1004")
    assert "longer than 1000000 bytes" in error.error_desc


def test_a_compressed_body_counts_unpacked(serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_northbound.core.transport.MAX_ANSWER", 1_000_000)
    bomb = gzip.compress(b" " * 50_000_000)
    server = serve(lambda seen, wire: (200, bomb, {"Content-Encoding": "gzip"}))
    fails(connect(server, max_attempts=1), READ, UnreadableAnswerError, "1004")


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
    both = threading.Barrier(2, timeout=60)

    def together(seen: Seen, wire: Wire) -> Any:
        both.wait()
        return 200, {"ok": True}

    server = serve(together)
    client = connect(server)
    threads = [threading.Thread(target=lambda: [call(client) for _ in range(50)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(server.seen) == 100
    assert client.connections_opened == server.connections == 2
