"""The token over the wire: renewed once, repeated once, whatever the number of threads; and nothing lost."""

import threading
import time
from typing import Any

import pytest

from iot_northbound import (
    BadTokenError,
    NorthApiClient,
    NorthApiException,
    NotAuthorizedError,
    RequestTimeoutError,
    UnreadableAnswerError,
)
from iot_northbound.core.endpoint import Endpoint
from tests.clock import FakeClock, eventually
from tests.faulty_server import BAD_TOKEN, LOGIN, Desk, Seen, Wire

READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="test")
WRITE: Endpoint[None] = Endpoint("POST", "/write", type(None), section="test")
TIMER = "iot-northbound-token-timer"


def ok(seen: Seen, wire: Wire) -> Any:
    return 200, {}


def write(client: NorthApiClient) -> None:
    client.call(WRITE, {}, body={"x": 1})


def in_threads(count: int, work: Any) -> list[Any]:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001  # they are what the test looks at
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == count
    return found


@pytest.mark.parametrize(
    "refusal",
    [
        (403, BAD_TOKEN),
        (401, {"error_code": "1010005", "error_desc": "bad"}),
        (403, {"error_code": "101005", "error_desc": "bad"}),
        (200, {"error_code": "1010005", "error_desc": "bad"}),
        (401, None),
        (401, b"<html>Unauthorized</html>"),
        (401, {"message": "no"}),
    ],
    ids=str,
)
def test_a_bad_token_is_renewed_once_and_the_call_repeated_once_for_posts_too(
    serve: Any, connect: Any, refusal: Any
) -> None:
    desk = Desk(ok)
    desk.refusal = refusal
    server = serve(desk)
    with connect(server) as client:
        write(client)
        desk.revoke()
        write(client)
        assert desk.logins == 2
        assert [seen.token[:10] for seen in server.calls()] == ["token-0001", "token-0001", "token-0002"]
        assert len({seen.body for seen in server.calls()}) == 1


def test_a_token_that_stays_bad_is_told_after_one_renewal(serve: Any, connect: Any) -> None:
    desk = Desk(lambda seen, wire: (403, BAD_TOKEN))
    server = serve(desk)
    with connect(server) as client:
        with pytest.raises(BadTokenError) as caught:
            write(client)
        assert (caught.value.attempts, caught.value.outcome_unknown, desk.logins) == (2, False, 2)


@pytest.mark.parametrize("renewals", [1, 2, 3])
def test_a_call_that_outlives_its_tokens_is_repeated_and_no_reason_to_think_it_forbidden(
    serve: Any, connect: Any, renewals: int
) -> None:
    def slow(seen: Seen, wire: Wire) -> Any:
        if seen.path == WRITE.path and left.pop():
            client.authentication.get_auth_token()  # another thread renews while the platform works on the call
            return 403, BAD_TOKEN
        return 200, {}

    left = [False] + [True] * renewals
    desk = Desk(slow)
    with connect(serve(desk), clock=FakeClock()) as client:
        write(client)
        assert left == []
        assert desk.logins == 1 + renewals
        left.extend([False, False])
        write(client)
        desk.revoke()
        write(client)
        assert desk.logins == 2 + renewals


def test_a_call_whose_tokens_are_replaced_again_and_again_ends(serve: Any, connect: Any) -> None:
    def slow(seen: Seen, wire: Wire) -> Any:
        client.authentication.get_auth_token()
        return 403, BAD_TOKEN

    with connect(serve(desk := Desk(slow)), clock=FakeClock()) as client:
        with pytest.raises(BadTokenError) as caught:
            write(client)
        assert (caught.value.attempts, desk.logins) == (4, 5)


def test_what_the_application_may_not_use_costs_one_login_and_not_one_a_call(serve: Any, connect: Any) -> None:
    """The gateway answers 1010005 to two endpoints, whatever the token; a third one works."""
    forbidden = [Endpoint("GET", f"/forbidden/{n}", type(None), section="test") for n in range(2)]
    desk = Desk(lambda seen, wire: (403, BAD_TOKEN) if "forbidden" in seen.path else (200, {}))
    with connect(serve(desk), clock=FakeClock()) as client:
        for _ in range(10):
            for endpoint in forbidden:
                with pytest.raises(BadTokenError):
                    client.call(endpoint, {})
            client.call(READ, {})
    assert desk.logins == 3


def test_what_seemed_forbidden_because_another_process_logged_in_works_again_soon(serve: Any, connect: Any) -> None:
    others = [True, True]
    desk = Desk(lambda seen, wire: (403, BAD_TOKEN) if others and others.pop() else (200, {}))
    clock = FakeClock()
    with connect(serve(desk), clock=clock) as client:
        with pytest.raises(BadTokenError):
            client.call(READ, {})
        desk.revoke()
        with pytest.raises(BadTokenError):
            client.call(READ, {})
        assert desk.logins == 2
        clock.advance(1.1)
        client.call(READ, {})
        assert desk.logins == 3
        desk.revoke()
        client.call(READ, {})
        assert desk.logins == 4


def test_many_threads_that_lose_one_token_to_another_process_wait_no_longer_than_one_would(
    serve: Any, connect: Any
) -> None:
    def refuse(seen: Seen, wire: Wire) -> Any:
        if others.is_set():
            return 200, {}
        eventually(lambda: len(server.calls()) >= 30)  # all come with the one token
        return 403, BAD_TOKEN

    others = threading.Event()
    desk = Desk(refuse)
    server = serve(desk)
    clock = FakeClock()
    with connect(server, clock=clock) as client:
        assert {type(each) for each in in_threads(30, lambda: client.call(READ, {}))} == {BadTokenError}
        desk.revoke()
        others.set()
        clock.advance(1.1)
        client.call(READ, {})


def test_a_forbidden_call_made_over_and_over_logs_in_ever_more_seldom(serve: Any, connect: Any) -> None:
    desk = Desk(lambda seen, wire: (403, BAD_TOKEN))
    clock = FakeClock()
    with connect(
        serve(
            desk,
        ),
        clock=clock,
    ) as client:
        for _ in range(200):
            with pytest.raises(BadTokenError):
                client.call(READ, {})
            clock.advance(3)
    # Pauses of 1, 2, 4 … 60 s in ten minutes, where a login per call would make 200.
    assert desk.logins <= 2 + 6 + 600 // 60


def test_a_401_with_a_code_of_its_own_renews_nothing(serve: Any, connect: Any) -> None:
    desk = Desk(lambda seen, wire: (401, {"error_code": "100208", "error_desc": "wrong"}))
    with connect(serve(desk)) as client, pytest.raises(NotAuthorizedError):
        write(client)
    assert desk.logins == 1


def test_a_hundred_threads_meeting_a_bad_token_cause_one_login_and_no_call_twice(serve: Any, connect: Any) -> None:
    def all_have_called(seen: Seen, wire: Wire) -> None:
        eventually(lambda: len(server.calls()) == 100)

    desk = Desk(ok)
    server = serve(desk)
    with connect(server) as client:
        desk.revoke()
        desk.before_login = all_have_called
        assert in_threads(100, lambda: write(client)) == [None] * 100
        assert desk.logins == 2
        assert len(server.calls()) == 200


def test_a_login_that_fails_is_shared_and_named_as_what_failed(serve: Any, connect: Any) -> None:
    desk = Desk(ok)
    server = serve(desk)
    with connect(server) as client:
        desk.revoke()

        def refuse(seen: Seen, wire: Wire) -> Any:
            eventually(lambda: len(server.calls()) == 20)
            return 401, {"error_code": "100208", "error_desc": "wrong secret"}

        desk.before_login = refuse
        found = in_threads(20, lambda: write(client))
        assert {(type(e), e.endpoint, e.outcome_unknown) for e in found} == {
            (NotAuthorizedError, f"POST {LOGIN}", False)
        }
        assert desk.logins == 2
        assert client.token_status.last_error.error_code == "100208"


def test_a_stalling_login_does_not_hold_a_call_beyond_its_deadline(serve: Any, connect: Any, stopped: Any) -> None:
    def stall(seen: Seen, wire: Wire) -> None:
        eventually(lambda: len(stopped.waits) == 5)  # the timer, and the four that wait for this login
        wire.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2000, 1)

    desk = Desk(ok)
    with connect(serve(desk, clock=stopped), clock=stopped) as client:
        eventually(lambda: stopped.waits)
        desk.revoke()
        desk.before_login = stall
        found = in_threads(5, lambda: write(client.with_options(deadline=30)))
        assert {type(each) for each in found} == {RequestTimeoutError}
        assert not any(each.outcome_unknown for each in found)


@pytest.mark.parametrize("expires_in", [None, 0, -5, 10**30])
def test_an_odd_lifetime_is_taken_for_a_sensible_one(serve: Any, connect: Any, expires_in: Any) -> None:
    desk = Desk(ok, expires_in=expires_in)
    with connect(serve(desk)) as client:
        for _ in range(5):
            write(client)
        left = client.token_status.expires_at - time.time()
        assert 3500 < left < 367 * 86400
    assert desk.logins == 1


@pytest.mark.parametrize("token", [None, "", "has\r\nbreaks", "\u6c34"])
def test_a_login_without_a_usable_token_is_unreadable(serve: Any, connect: Any, token: Any) -> None:
    server = serve(lambda seen, wire: (200, {"accessToken": token, "expiresIn": 3600}))
    with pytest.raises(UnreadableAnswerError) as caught:
        connect(server).start_timer()
    assert "breaks" not in str(caught.value)


@pytest.mark.parametrize(
    "lifetime", ["3600", 3600.0, " 3600", "3600s", None, -5, 0, {}, "9" * 400], ids=lambda it: str(it)[:9]
)
def test_a_login_counts_however_it_says_when_its_token_ends(serve: Any, connect: Any, lifetime: Any) -> None:
    desk = Desk(ok)
    desk.expires_in = lifetime
    with connect(serve(desk)) as client:
        write(client)
        left = client.token_status.expires_at - time.time()
        assert 3500 < left < 367 * 86400
    assert desk.logins == 1


def test_the_timer_renews_by_refresh_token_over_the_wire(serve: Any, connect: Any) -> None:
    desk = Desk(ok, refresh=True)
    clock = FakeClock()
    server = serve(desk)
    with connect(server, clock=clock) as client:
        eventually(lambda: clock.waits)
        clock.advance(3000)
        eventually(lambda: client.token_status.renewals == 2)
        write(client)
        assert (desk.logins, desk.refreshes) == (1, 1)
        assert b"again-0001" in server.seen[1].body


def test_the_applications_own_login_is_taken_over_by_the_timer(serve: Any, connect: Any) -> None:
    desk = Desk(ok)
    with connect(serve(desk)) as client:
        client.authentication.get_auth_token()
        write(client)
    assert desk.logins == 2


def test_without_the_timer_a_call_takes_the_token_it_is_given(serve: Any, connect: Any) -> None:
    desk = Desk(ok)
    client = connect(serve(desk))
    granted = client.authentication.get_auth_token()
    client.call(READ, {}, access_token=granted.access_token)
    with pytest.raises(NorthApiException) as caught:
        client.call(READ, {})
    assert caught.value.error_code == "1009"
    assert not client.token_status.timer_running
    assert TIMER not in {thread.name for thread in threading.enumerate()}


def test_many_threads_against_a_server_that_fails_at_random_lose_and_double_nothing(serve: Any, connect: Any) -> None:
    """Each write has a number; what was reported as done arrived once, and nothing arrived twice."""
    faults = [Wire.reset, Wire.close, None, None, None, None, None, None]

    def sometimes(seen: Seen, wire: Wire) -> Any:
        number = int(seen.body[len(b'{"number":') : -1])
        before, after = faults[number * 7 % 8], faults[number * 5 % 8]
        if before is not None and number % 3 == 0:
            before(wire)
            return None
        with lock:
            arrived.append(number)
        if after is not None:
            after(wire)
            return None
        return 200, {}

    lock = threading.Lock()
    arrived: list[int] = []
    numbers = iter(range(3_000))
    desk = Desk(sometimes)
    server = serve(desk)
    done: list[int] = []
    unknown: list[int] = []
    refused: list[int] = []
    wrong: list[int] = []
    numbered: Endpoint[None] = Endpoint("POST", "/numbered", type(None), section="test")

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                client.call(numbered, {}, body={"number": number})
                done.append(number)
            except BadTokenError:
                refused.append(number)  # two revocations in a row
            except NorthApiException as error:
                (unknown if error.outcome_unknown else wrong).append(number)
            if number % 97 == 0:
                desk.revoke()

    with connect(server, deadline=300) as client:
        assert in_threads(32, work) == [None] * 32
    assert len(done) > 100
    assert unknown
    assert not wrong
    assert len(arrived) == len(set(arrived))
    assert set(done) <= set(arrived)
    assert set(arrived) <= set(done) | set(unknown)
    assert len(done) + len(unknown) + len(refused) == 3_000
