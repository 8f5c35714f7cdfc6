"""Which bytes of a connection are a call's answer: a late or a false one never reaches another call."""

import itertools
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.faults import FALSE, PUT, READ, TOKEN, WRITE, Echo, answering, ask, at_once, call, echo, fails, interim
from tests.core.test_proxy import proxy  # noqa: F401  # a fixture
from tests.faulty_server import LOGIN, Desk, FaultyServer, Seen, Wire, message

from iot_northbound import ConnectionFailedError, NorthApiException, RequestTimeoutError, UnreadableAnswerError
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.framing import MAX_INTERIM, PlatformResponse

# -- interim answers ---------------------------------------------------------------------------------------------------

HINT = interim(103, Link="</style.css>; rel=preload")
SKIPPED = [interim(status) for status in (100, 102, 103, 104, 150, 199)] + [
    HINT,
    interim(102, Content_Length="0"),
    interim(100) + interim(102) + HINT,
    interim(102) * MAX_INTERIM,
]


@pytest.mark.parametrize("before", SKIPPED, ids=lambda each: each[9:30].decode())
@pytest.mark.parametrize("together", [True, False], ids=["one segment", "apart"])
def test_interim_answers_are_skipped_and_every_call_gets_its_own_answer(
    serve: Any, connect: Any, before: bytes, together: bool
) -> None:
    server = serve(answering(lambda seen: before + echo(seen)) if together else answering(before, echo))
    client = connect(server, max_attempts=1)
    for number in range(4):
        method = "POST" if number % 2 else "GET"
        assert ask(client, number, method) == f"/{number}"
    assert client.connections_opened == 1


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (interim(101, Upgrade="websocket", Connection="Upgrade"), "switched to another protocol (HTTP 101)"),
        (interim(103) + interim(101), "switched to another protocol (HTTP 101)"),
        (interim(102) * (MAX_INTERIM + 1), f"more than {MAX_INTERIM} interim answers"),
        (interim(103, Content_Length="5") + b"hello", "an interim answer (HTTP 103) came with a body"),
        (interim(102, Transfer_Encoding="chunked") + b"0\r\n\r\n", "an interim answer (HTTP 102) came with a body"),
        (interim(101) + b"any bytes of that protocol", "HTTP 101"),
    ],
)
def test_what_leaves_the_connection_unclear_closes_it_and_a_posts_outcome_is_unknown(
    serve: Any, connect: Any, before: bytes, words: str
) -> None:
    spoilt = answering(before, echo)
    server = serve(lambda seen, wire: spoilt(seen, wire) if len(server.seen) == 1 else wire.send(echo(seen)))
    client = connect(server, max_attempts=5)
    error = fails(client, WRITE, UnreadableAnswerError, "1004")
    assert words in error.error_desc
    assert (error.outcome_unknown, error.attempts, len(server.seen)) == (True, 1, 1)
    assert [ask(client, number) for number in range(3)] == ["/0", "/1", "/2"]
    assert [seen.connection for seen in server.seen] == [1, 2, 2, 2]


def test_a_get_that_met_an_unclear_connection_is_repeated_on_another(serve: Any, connect: Any) -> None:
    spoilt = answering(interim(101), echo)
    server = serve(lambda seen, wire: spoilt(seen, wire) if len(server.seen) < 3 else wire.send(echo(seen)))
    assert ask(connect(server, max_attempts=3), "x") == "/x"
    assert [seen.connection for seen in server.seen] == [1, 2, 3]


@pytest.mark.parametrize("end", [Wire.close, Wire.reset], ids=["close", "reset"])
def test_a_connection_that_ends_after_an_interim_answer_is_a_broken_one(serve: Any, connect: Any, end: Any) -> None:
    def hint_and_end(seen: Seen, wire: Wire) -> None:
        wire.send(HINT)
        end(wire)

    server = serve(hint_and_end)
    assert fails(connect(server), WRITE, ConnectionFailedError, "1003").outcome_unknown
    assert len(server.seen) == 1


def test_interim_answers_that_drip_end_with_the_deadline(serve: Any, connect: Any, stopped: Any) -> None:
    def drip(seen: Seen, wire: Wire) -> None:
        while True:
            wire.send(HINT)
            wire.pause(1)

    client = connect(serve(drip, clock=stopped), clock=stopped, deadline=30)
    assert fails(client, WRITE, RequestTimeoutError, "1003").outcome_unknown


def test_endless_interim_answers_end_without_a_deadline_too(serve: Any, connect: Any) -> None:
    def flood(seen: Seen, wire: Wire) -> None:
        while True:
            wire.send(interim(100))

    assert fails(connect(serve(flood), deadline=None), WRITE, UnreadableAnswerError, "1004").outcome_unknown


def test_a_proxy_may_send_interim_answers_too(serve: Any, connect: Any, proxy: Any) -> None:  # noqa: F811
    server = serve(answering(echo))
    between = proxy(None, HINT * 3)
    client = connect(server, proxy=between.url)
    assert [ask(client, number) for number in range(2)] == ["/0", "/1"]


@pytest.mark.parametrize("answer", [interim(101), interim(102) * (MAX_INTERIM + 1)], ids=["101", "too many"])
def test_a_proxy_that_never_comes_to_its_real_answer_is_told_as_nothing_sent(
    serve: Any,
    connect: Any,
    proxy: Any,  # noqa: F811
    answer: bytes,
) -> None:
    server = serve(answering(echo))
    error = fails(connect(server, proxy=proxy(answer).url, max_attempts=1), WRITE, UnreadableAnswerError, "1004")
    assert not error.outcome_unknown
    assert not server.seen


def test_the_token_calls_skip_interim_answers_too(serve: Any, connect: Any) -> None:
    def hint(seen: Seen, wire: Wire) -> None:
        wire.send(HINT)

    desk = Desk(lambda seen, wire: wire.send(HINT + echo(seen)))
    desk.before_login = hint
    with connect(serve(desk)) as client:
        endpoint = Endpoint("GET", "/own", Echo, section="test")
        for _ in range(3):
            assert client.call(endpoint, {}).path == "/own"
    assert desk.logins == 1


def test_a_login_on_an_unclear_connection_is_not_repeated_and_costs_no_other_call_its_answer(
    serve: Any, connect: Any
) -> None:
    desk = Desk(lambda seen, wire: (200, {"path": seen.path}))
    desk.before_login = lambda seen, wire: wire.send(interim(101)) if desk.logins == 1 else None
    server = serve(desk)
    client = connect(server)
    with pytest.raises(UnreadableAnswerError) as caught:
        client.start_timer()
    assert (caught.value.endpoint, desk.logins) == (f"POST {LOGIN}", 1)
    client.start_timer()
    assert client.call(Endpoint("GET", "/own", Echo, section="test"), {}).path == "/own"


# -- bytes nobody asked for --------------------------------------------------------------------------------------------

LEFTOVERS = {
    "a second answer": answering(lambda seen: echo(seen) + FALSE),
    "a second answer, apart": answering(echo, FALSE),
    "half a second answer": answering(lambda seen: echo(seen) + FALSE[:60]),
    "a second answer in two parts": answering(lambda seen: echo(seen) + FALSE[:60], FALSE[60:]),
    "one byte": answering(lambda seen: echo(seen) + b"\n"),
    "a hint": answering(lambda seen: echo(seen) + HINT),
    "a 204 with a body": answering(message(204, b'{"path":"/false"}')),
    "a 204 with a body to come": answering(message(204, headers={"Content-Length": str(len(FALSE))}), FALSE),
    "a chunked 204": answering(b"HTTP/1.1 204 Word\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n" + FALSE),
    "a 304 with a body": answering(b"HTTP/1.1 304 Word\r\n\r\n" + FALSE),
    "chunks and bytes after them": answering(
        b"HTTP/1.1 200 Word\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + FALSE
    ),
    "chunks and a length": answering(
        b"HTTP/1.1 200 Word\r\nContent-Length: 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", FALSE
    ),
    "chunks by HTTP/1.0": answering(
        b"HTTP/1.0 200 Word\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", FALSE
    ),
    "a head with a broken line": answering(
        b"HTTP/1.1 200 Word\r\nContent-Length: 2\r\nbroken\r\nTransfer-Encoding: chunked\r\n\r\n{}", FALSE
    ),
}


@pytest.mark.parametrize("kind", LEFTOVERS)
def test_what_is_left_on_a_connection_never_becomes_the_next_calls_answer(serve: Any, connect: Any, kind: str) -> None:
    sent = threading.Event()

    def spoil(seen: Seen, wire: Wire) -> None:
        LEFTOVERS[kind](seen, wire)
        sent.set()

    server = serve(lambda seen, wire: spoil(seen, wire) if len(server.seen) % 2 else wire.send(echo(seen)))
    client = connect(server, max_attempts=1)
    spoiling: Endpoint[None] = Endpoint("GET", "/spoiling", type(None), section="test")
    for number in range(5):
        try:
            client.call(spoiling, {}, access_token=TOKEN)
        except NorthApiException as error:
            assert error.http_status_code == 304  # noqa: PT017  # the others succeed
        assert sent.wait(60)  # what crosses the next request on its way cannot be told from its answer
        sent.clear()
        assert ask(client, number) == f"/{number}"
    assert server.connections >= 5


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("Content-Length: 2\r\nContent-Length: 44", "several lengths"),
        ("Content-Length: 2, 44", "several lengths"),
        ("Content-Length: +2", "a length that is not a number"),
        ("Content-Length: 0_2", "a length that is not a number"),
        ("Content-Length: -2", "a length that is not a number"),
        ("Content-Length: two", "a length that is not a number"),
        (f"Content-Length: {'9' * 19}", "a length that nothing can have"),
        (f"Content-Length: {'9' * 5000}", "a length that nothing can have"),
        (f"Content-Length: {'0' * 5000}2", "a length that nothing can have"),
        (f"Transfer-Encoding: chunked\r\nContent-Length: {'9' * 5000}", "a length that nothing can have"),
        ("Content-Length:", "a length that is not a number"),
        ("Transfer-Encoding: gzip, chunked", "a transfer coding that was not requested"),
        ("Transfer-Encoding: gzip\r\nContent-Length: 2", "a transfer coding that was not requested"),
    ],
)
def test_a_head_that_does_not_say_where_the_body_ends_is_unreadable(
    serve: Any, connect: Any, head: str, words: str
) -> None:
    spoil = answering(f"HTTP/1.1 200 Word\r\n{head}\r\n\r\n{{}}".encode(), FALSE)
    server = serve(lambda seen, wire: spoil(seen, wire) if len(server.seen) == 1 else wire.send(echo(seen)))
    client = connect(server, max_attempts=5)
    error = fails(client, WRITE, UnreadableAnswerError, "1004")
    assert words in error.error_desc
    assert error.outcome_unknown
    assert len(server.seen) == 1
    assert ask(client, "own") == "/own"


@pytest.mark.parametrize(
    "reply",
    [
        f"HTTP/1.1 {'9' * 5000} Word\r\n\r\n",
        f"HTTP/{'1' * 5000} 200 Word\r\n\r\n",
        f"HTTP/1.1 102 Word\r\nContent-Length: {'9' * 5000}\r\n\r\n",
        f"HTTP/1.1 200 Word\r\nTransfer-Encoding: chunked\r\n\r\n{'f' * 70_000}\r\n",
        f"HTTP/1.1 200 Word\r\nTransfer-Encoding: chunked\r\n\r\n{'f' * 5000}\r\n{{}}",
        f"HTTP/1.1 200 Word\r\nContent-Length: {'9' * 18}\r\n\r\n{{}}",
    ],
    ids=["status", "version", "interim length", "endless chunk line", "chunk", "length"],
)
def test_numbers_of_any_size_are_an_unreadable_answer_of_unknown_outcome(serve: Any, connect: Any, reply: str) -> None:
    def answer(seen: Seen, wire: Wire) -> None:
        wire.send(reply.encode())
        wire.close()

    server = serve(answer)
    error = fails(connect(server, max_attempts=5), WRITE, UnreadableAnswerError, "1004")
    assert error.outcome_unknown
    assert len(server.seen) == 1


def test_whatever_value_error_reading_an_answer_ends_with_the_outcome_is_unknown(
    serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(self: Any) -> None:
        raise ValueError("a-secret-of-the-peer")

    monkeypatch.setattr(PlatformResponse, "begin", begin)
    error = fails(connect(serve(answering(echo))), WRITE, UnreadableAnswerError, "1004")
    assert error.outcome_unknown
    assert "a-secret" not in f"{error}{error.__cause__}{error.__context__}"


@pytest.mark.parametrize("lengths", ["2\r\nContent-Length: 2", "2, 2", "2 "])
def test_one_length_said_twice_is_one_length(serve: Any, connect: Any, lengths: str) -> None:
    server = serve(answering(f"HTTP/1.1 200 Word\r\nContent-Length: {lengths}\r\n\r\n{{}}".encode()))
    client = connect(server, max_attempts=1)
    for _ in range(3):
        assert call(client) is None


def test_the_identity_coding_is_none(serve: Any, connect: Any) -> None:
    server = serve(answering(b"HTTP/1.1 200 Word\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"))
    assert call(connect(server, max_attempts=1)) is None


def test_bytes_that_wait_on_a_kept_connection_are_seen_before_a_request_goes_out(serve: Any, connect: Any) -> None:
    late = threading.Event()

    def answer_again_later(seen: Seen, wire: Wire) -> None:
        wire.send(echo(seen))
        if wire.number == 1:
            wire.send(FALSE)
            late.set()

    server = serve(answer_again_later)
    client = connect(server, max_attempts=1)
    assert ask(client, 1) == "/1"
    assert late.wait(60)
    assert ask(client, 2, "POST", text="x") == "/2"
    assert [seen.connection for seen in server.seen] == [1, 2]


# -- many calls --------------------------------------------------------------------------------------------------------


def test_calls_of_different_devices_never_swap_answers_whatever_the_server_sends_around_them(
    serve: Any, connect: Any
) -> None:
    spoils = list(LEFTOVERS.values())
    turns = itertools.count()

    def any_way(seen: Seen, wire: Wire) -> None:
        turn = next(turns)
        if turn % 3 == 0:
            wire.send(SKIPPED[turn % len(SKIPPED)] + echo(seen))
        elif turn % 3 == 1:
            at_once(spoils[turn % 6])(seen, wire)  # those whose answer is right and whose connection is not
        else:
            wire.send(echo(seen))

    server = serve(any_way)
    client = connect(server, max_attempts=1)
    wrong: list[object] = []

    def work(thread: int) -> None:
        for number in range(40):
            device = f"device-{thread}-{number}"
            try:
                if (got := ask(client, device)) != f"/{device}":
                    wrong.append((device, got))
            except NorthApiException as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert len(server.seen) == 240


PIECES = st.lists(
    st.sampled_from([interim(100), interim(102), HINT, interim(101), FALSE, b"\n", b"HTTP/1.1 ", b"\0\0"]), max_size=4
)


@pytest.fixture(scope="module")
def shared(pki: Any) -> Any:
    with FaultyServer(pki.context, lambda seen, wire: None) as server:
        yield server


@given(before=PIECES, after=PIECES, kept=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_call_gets_its_own_answer_or_an_error_and_the_next_one_its_own(
    shared: Any, connect: Any, before: list[bytes], after: list[bytes], kept: bool
) -> None:
    """Bytes before an answer may pass for it: the server sent them in answer to this very request."""
    spoil = at_once(answering(*before, echo, *after))
    shared.handler = lambda seen, wire: spoil(seen, wire) if seen.path == "/spoilt" else wire.send(echo(seen))
    client = connect(shared, max_attempts=1, deadline=60)
    if kept:
        assert ask(client, "first") == "/first"
    try:
        assert ask(client, "spoilt") in (("/spoilt", "/false") if FALSE in before else ("/spoilt",))
    except NorthApiException as error:
        assert not error.outcome_unknown  # noqa: PT017  # a GET is harmless
    for number in range(2):
        assert ask(client, number) == f"/{number}"
    client.close()


def test_put_and_get_are_repeated_where_an_interim_answer_was_all_that_came(serve: Any, connect: Any) -> None:
    def hint_only(seen: Seen, wire: Wire) -> None:
        wire.send(HINT)
        wire.close()

    server = serve(lambda seen, wire: hint_only(seen, wire) if len(server.seen) % 2 else wire.send(echo(seen)))
    client = connect(server, max_attempts=2)
    assert call(client, PUT) is None
    assert call(client, READ) is None
    assert len(server.seen) == 4
