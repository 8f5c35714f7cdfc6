"""HubClient posts to servers that misbehave, over real TLS."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound import (
    InvalidArgumentError,
    NorthApiException,
    NotAuthorizedError,
    NotFoundError,
    PlatformFailureError,
    TlsError,
    UnreadableAnswerError,
)
from iot_northbound.core.retry import Backoff
from iot_northbound.device.hub import AddDevice, HubClient, HubMessage, Measure, ServerMessage, ServerStatus
from tests.clock import FakeClock, eventually
from tests.device.hub.parts import METER, TOKEN, Server, reset
from tests.faulty_server import Seen, Wire


def test_a_post_is_as_it_is_seen_in_the_field(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect(first_seq=41)
    answer = hub.post(METER, adds=[AddDevice("meter-1", 11)])
    assert answer == ServerMessage(ServerStatus.ACK)
    [seen] = server.seen
    assert (seen.method, seen.target) == ("POST", "/deviceio/ml")
    assert (seen.headers["content-type"], seen.headers["ppcauthorization"]) == ("text/xml", f'esp token="{TOKEN}"')
    assert server.messages == [HubMessage("hub-1", 41, (METER,), (AddDevice("meter-1", 11),))]


def test_numbers_go_up_and_one_connection_is_enough(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect(first_seq=1)
    for _ in range(3):
        hub.post(METER)
    hub.add("meter-2", 12)
    assert [each.seq for each in server.messages] == [1, 2, 3, 4]
    assert server.connections == 1


def test_a_hub_that_starts_again_does_not_repeat_its_last_number(
    server: Server, connect: Callable[..., HubClient], clock: FakeClock
) -> None:
    connect(clock=clock).post()
    clock.advance(5)
    connect(clock=clock).post()
    first, second = server.messages
    assert (first.seq, second.seq) == (1_770_000_000, 1_770_000_005)


def test_after_err_the_same_message_goes_out_again_later(
    server: Server, connect: Callable[..., HubClient], clock: FakeClock
) -> None:
    server.steps = [ServerMessage(ServerStatus(each)) for each in ("ERR", "ERR", "ACK")]
    hub = connect(clock=clock, backoff=Backoff(1.0, 30.0, lambda: 1.0))
    thread = threading.Thread(target=hub.post, args=(METER,))
    thread.start()
    for wait in (1.0, 2.0):
        eventually(lambda: clock.waits == [pytest.approx(wait)])  # noqa: B023 - it is called at once
        clock.advance(wait)
    thread.join(20)
    assert len(server.seen) == 3
    assert len({each.body for each in server.seen}) == 1


def half(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<s2h")
    wire.close()


def alien(seen: Seen, wire: Wire) -> Any:
    return 200, b"<html/>"


def another(seen: Seen, wire: Wire) -> Any:
    return 200, ServerMessage(ServerStatus.ACK, 3).encode()


def busy(seen: Seen, wire: Wire) -> Any:
    return 503, b"busy"


@pytest.mark.parametrize("lost", [reset, half, alien, another, busy])
def test_a_lost_answer_makes_the_same_message_go_out_again(
    server: Server, connect: Callable[..., HubClient], lost: Callable[[Seen, Wire], Any]
) -> None:
    server.steps = [lost, lost, ServerMessage(ServerStatus.ACK)]
    assert connect().post(METER).status == ServerStatus.ACK
    assert len(server.seen) == 3
    assert len({each.body for each in server.seen}) == 1


def test_a_message_without_an_answer_is_kept_and_goes_out_first(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    server.steps = [reset]
    hub = connect(attempts=2, first_seq=1)
    for measure in (METER, Measure("meter-2", {"power": 2})):
        with pytest.raises(NorthApiException) as caught:
            hub.post(measure)
        assert (caught.value.error_code, caught.value.attempts) == ("1003", 2)
    assert hub.pending == 2
    server.seen.clear()
    server.steps = [ServerMessage(ServerStatus.ACK)]
    hub.post()
    assert [(each.seq, [of.device_id for of in each.measures]) for each in server.messages] == [
        (1, ["meter-1"]),
        (2, ["meter-2"]),
        (3, []),
    ]
    assert hub.pending == 0


def test_the_oldest_waiting_message_is_dropped_and_counted(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [reset]
    hub = connect(attempts=1, keep=2)
    for number in range(5):
        with pytest.raises(NorthApiException):
            hub.post(Measure(f"meter-{number}", {}))
    assert (hub.dropped, hub.pending) == (2, 3)
    server.seen.clear()
    server.steps = [ServerMessage(ServerStatus.ACK)]
    hub.post()
    # The first one was under way all the time.
    assert [[of.device_id for of in each.measures] for each in server.messages] == [["meter-0"], ["meter-4"], []]


@pytest.mark.parametrize(
    ("status", "kind", "kept"),
    [
        ("ERR_FORMAT", InvalidArgumentError, 0),
        ("UNKNOWN", NotFoundError, 1),
        ("UNAUTHORIZED", NotAuthorizedError, 1),
        ("LATER", UnreadableAnswerError, 1),
    ],
)
def test_a_refusal_is_raised_at_once(
    server: Server, connect: Callable[..., HubClient], status: str, kind: type[NorthApiException], kept: int
) -> None:
    server.steps = [ServerMessage(ServerStatus(status))]
    hub = connect()
    with pytest.raises(kind, match=status) as caught:
        hub.post(METER)
    assert (caught.value.error_code, len(server.seen), hub.pending) == (status, 1, kept)
    assert ServerStatus(status).meaning in str(caught.value)


def test_an_err_that_stays_is_raised_in_the_end(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [ServerMessage(ServerStatus.ERR)]
    hub = connect(attempts=3)
    with pytest.raises(PlatformFailureError, match="ERR") as caught:
        hub.post(METER)
    assert (caught.value.attempts, len(server.seen), hub.pending) == (3, 3, 1)


def test_another_http_status_is_raised(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [lambda seen, wire: (404, b"no")]
    with pytest.raises(UnreadableAnswerError, match=r"HTTP status 404.*/deviceio/ml") as caught:
        connect().post(METER)
    assert caught.value.http_status_code == 404
    assert len(server.seen) == 1


def test_a_server_that_sends_byte_by_byte_is_given_up(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [lambda seen, wire: wire.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2_000)]
    with pytest.raises(NorthApiException) as caught:
        connect(timeout=0.2, attempts=1).post(METER)
    assert caught.value.error_code == "1003"


def test_a_server_that_is_not_trusted_hears_nothing(server: Server, connect: Callable[..., HubClient]) -> None:
    with pytest.raises(TlsError):
        connect(ca_path=None).post(METER)
    assert server.seen == []


def test_while_a_user_watches_the_interval_is_shorter(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [ServerMessage(ServerStatus.CONT), ServerMessage(ServerStatus.ACK)]
    hub = connect(interval=60, watch_interval=2)
    assert (hub.watching, hub.interval) == (False, 60)
    hub.post(METER)
    assert (hub.watching, hub.interval) == (True, 2)
    hub.post(METER)
    assert (hub.watching, hub.interval) == (False, 60)


def test_many_threads_post_each_message_once(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect(first_seq=0)

    def post(number: int) -> None:
        for each in range(5):
            hub.post(Measure(f"m-{number}-{each}", {}))

    threads = [threading.Thread(target=post, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [each.seq for each in server.messages] == list(range(250))
    names = [each.measures[0].device_id for each in server.messages]
    assert len(set(names)) == 250
    assert [each for each in names if each.startswith("m-7-")] == [f"m-7-{each}" for each in range(5)]


def test_a_message_that_is_too_long_never_waits(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect()
    with pytest.raises(InvalidArgumentError, match="at most 65536"):
        hub.post(Measure("d", {"a": "x" * 65_536}))
    hub.post(METER)
    assert len(server.seen) == 1
