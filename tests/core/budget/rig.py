"""What the tests of the limit share: calls that end in one way or another, and how long they waited."""

from collections.abc import Callable

import pytest
from tests.clock import FakeClock

from iot_northbound import NorthApiException, RequestTimeoutError
from iot_northbound.core.budget import RateLimit
from iot_northbound.core.retry import AttemptFailed, Outcome


def call(limit: RateLimit, seconds: float = 0.0, clock: FakeClock | None = None, until: float | None = None) -> None:
    with limit.slot(until):
        if clock is not None:
            clock.advance(seconds)


def calls(limit: RateLimit, count: int) -> None:
    for _ in range(count):
        call(limit)


def fail(limit: RateLimit, error: BaseException) -> None:
    with pytest.raises(type(error)), limit.slot(None):
        raise error


def failure(outcome: Outcome, error: NorthApiException | None = None) -> AttemptFailed:
    return AttemptFailed(error or RequestTimeoutError("1003", "no answer"), outcome)


def slept(clock: FakeClock, work: Callable[[], object]) -> float:
    before = sum(clock.slept)
    work()
    return sum(clock.slept) - before


def wait(limit: RateLimit) -> None:
    """Wait for a turn, and send nothing."""
    fail(limit, failure(Outcome.NOT_SENT))
