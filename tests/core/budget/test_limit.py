"""The limit of calls per minute: who waits, and until when a call counts."""

import contextlib
import threading
from collections.abc import Callable

import pytest
from tests.clock import FakeClock
from tests.core.budget.rig import call, calls, fail, failure, slept, wait

from iot_northbound import NorthApiException, ThrottledError
from iot_northbound.core import budget
from iot_northbound.core.budget import NoLimit, RateLimit, bulk
from iot_northbound.core.retry import Outcome
from iot_northbound.shared.slots import WINDOW


def test_a_call_counts_for_a_minute_after_its_answer(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(3)
    for _ in range(3):
        call(limit, 10, clock)
    assert slept(clock, lambda: call(limit)) == pytest.approx(WINDOW - 20, abs=0.01)
    assert slept(clock, lambda: call(limit)) == pytest.approx(10, abs=0.01)


def test_a_turn_beyond_the_deadline_is_refused_at_once_and_takes_no_turn(
    make: Callable[[int], RateLimit], clock: FakeClock
) -> None:
    limit = make(1)
    call(limit)
    for _ in range(5):
        with pytest.raises(
            ThrottledError, match="own limit of 1 calls per minute allows this call only after"
        ) as caught:
            call(limit, until=clock.monotonic() + 59)
    assert caught.value.error_code == "1010009"
    assert clock.slept == []
    assert slept(clock, lambda: call(limit, until=clock.monotonic() + 61)) == pytest.approx(WINDOW, abs=0.01)


def test_a_call_that_was_not_sent_does_not_count(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(1)
    fail(limit, failure(Outcome.NOT_SENT))
    fail(limit, NorthApiException("1001", "the client is closed"))
    call(limit)
    assert clock.slept == []


@pytest.mark.parametrize("error", [failure(Outcome.UNKNOWN), KeyboardInterrupt()])
def test_a_call_without_an_answer_counts_as_long_as_it_may_arrive(
    make: Callable[[int], RateLimit], clock: FakeClock, error: BaseException
) -> None:
    limit = make(1)
    with pytest.raises(type(error)), limit.slot(None, longest=25):
        raise error
    assert slept(clock, lambda: call(limit)) == pytest.approx(WINDOW + 25, abs=0.01)


def test_an_answered_failure_counts_like_a_success(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(1)
    fail(limit, failure(Outcome.FINAL))
    assert slept(clock, lambda: call(limit)) == pytest.approx(WINDOW, abs=0.01)


def test_a_refusal_by_the_platform_pauses_everybody_longer_each_time(
    make: Callable[[int], RateLimit], clock: FakeClock
) -> None:
    limit = make(1000)
    refusal = failure(Outcome.REFUSED_UNREAD, ThrottledError("1010009", "too many"))
    for expected in (5, 10, 20, 40, 60, 60):
        fail(limit, refusal)
        assert slept(clock, lambda: wait(limit)) == pytest.approx(expected, abs=0.01)
    call(limit)
    fail(limit, refusal)
    assert slept(clock, lambda: call(limit)) == pytest.approx(5, abs=0.01)
    assert limit.stats().refused_by_platform == 7


def test_the_platform_says_how_long_the_pause_is_within_reason(
    make: Callable[[int], RateLimit], clock: FakeClock
) -> None:
    limit = make(1000)
    for asked, granted in ((17.0, 17), (1e9, budget.PAUSE_LONGEST)):
        error = ThrottledError("1010009", "too many", retry_after=asked)
        fail(limit, failure(Outcome.REFUSED_UNREAD, error))
        assert slept(clock, lambda: wait(limit)) == pytest.approx(granted, abs=0.01)


def test_calls_that_are_refused_together_count_once(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(1000)
    refusal = failure(Outcome.REFUSED_UNREAD, ThrottledError("1010009", "too many"))
    calls = [limit.slot(None) for _ in range(8)]
    for each in calls:
        each.__enter__()
    for each in calls:
        assert not each.__exit__(type(refusal), refusal, None)
    assert slept(clock, lambda: call(limit)) == pytest.approx(5, abs=0.01)


def test_bulk_calls_come_evenly_and_a_call_goes_first(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(60)
    with bulk():
        calls(limit, 10)
        assert slept(clock, lambda: call(limit)) == pytest.approx(1, abs=0.1)
    assert slept(clock, lambda: call(limit)) == 0


def test_a_block_of_bulk_calls_ends_with_its_exception_and_may_contain_another(clock: FakeClock) -> None:
    limit = RateLimit(60, clock)
    with contextlib.suppress(ValueError), bulk():
        with bulk():
            pass
        assert slept(clock, lambda: calls(limit, 10)) > 5
        raise ValueError
    assert slept(clock, lambda: calls(limit, 10)) == 0


def test_a_thread_of_a_bulk_block_makes_calls_that_are_not_bulk(clock: FakeClock) -> None:
    limit = RateLimit(60, clock)
    with bulk():
        thread = threading.Thread(target=lambda: calls(limit, 20))
        thread.start()
        thread.join(60)
    assert clock.slept == []


def test_a_login_waits_two_seconds_at_most_and_counts(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(2)
    call(limit)
    call(limit, 10, clock)

    def login() -> None:
        with limit.slot(None, login=True):
            pass

    assert slept(clock, login) == pytest.approx(budget.LOGIN_PATIENCE, abs=0.01)
    clock.advance(WINDOW - 10)  # the first call counts no more
    assert slept(clock, lambda: call(limit)) == pytest.approx(8, abs=0.01)
    assert slept(clock, lambda: call(limit)) == pytest.approx(budget.LOGIN_PATIENCE, abs=0.01)


def test_no_limit_never_waits(clock: FakeClock) -> None:
    limit = NoLimit()
    for _ in range(1000):
        with limit.slot(None):
            pass
    limit.after_fork()
