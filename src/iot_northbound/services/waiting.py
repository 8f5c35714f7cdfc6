"""Waits until something on the platform has ended: looks, and sleeps a little longer each time."""

import math
from collections.abc import Callable, Set
from typing import TypeVar

import attrs

from iot_northbound.core.budget import bulk
from iot_northbound.core.clock import LONGEST, Clock
from iot_northbound.core.fields import shown
from iot_northbound.core.open_enum import OpenEnum, word_of
from iot_northbound.errors import (
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    PlatformFailureError,
    RequestTimeoutError,
    SdkCode,
    ThrottledError,
    WaitTimeoutError,
)

State = TypeVar("State")

PASSING = (ConnectionFailedError, RequestTimeoutError, ThrottledError, PlatformFailureError)
"""Temporary failures, which may be over at the next look."""


def _seconds(low: float) -> Callable[[object, "attrs.Attribute[float]", float], None]:
    def check(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
        if not (isinstance(value, (int, float)) and low <= value <= LONGEST):
            raise InvalidArgumentError.of(
                f"Polling.{attribute.name}", shown(value), f"it must be a number from {low} to {LONGEST:,}"
            )

    return check


@attrs.frozen(kw_only=True)
class Polling:
    """How often a waiter looks. The first pause is `start` seconds. Each is `factor` times longer, up to `cap` seconds.

    By default the platform allows 100 calls per minute. Each look is one call, or a few if a list must be read. If you
    have many waiters at the same time, choose a longer `cap`.
    """

    start: float = attrs.field(default=1.0, validator=_seconds(0.001))
    factor: float = attrs.field(default=1.5, validator=_seconds(1.0))
    cap: float = attrs.field(default=30.0, validator=_seconds(0.001))

    def after(self, interval: float) -> float:
        """Return the next interval, in seconds."""
        return min(interval * self.factor, self.cap)


QUICK = Polling()
"""For things that take seconds: a command, a revocation."""
SLOW = Polling(start=2.0, cap=60.0)
"""For things that take minutes or hours: batch and upgrade tasks."""


END_WORDS = frozenset(
    {
        *(
            "success",
            "successful",
            "succeeded",
            "partsuccess",
            "partialsuccess",
            "partsuccessful",
            "partiallysuccessful",
        ),
        *("fail", "failed", "failure", "partfailed", "partfail", "error", "rejected"),
        *("complete", "completed", "finish", "finished", "done", "end", "ended"),
        *("timeout", "timedout", "expire", "expired"),
        *("cancel", "canceled", "cancelled", "revoked", "stop", "stopped", "abort", "aborted", "terminated"),
    }
)
"""Words that mean an end, for platforms that send a status which the reference does not have."""


def has_ended(status: OpenEnum | None, final: Set[str]) -> bool:
    """Return whether a status is final, in any spelling, or has no documented meaning and its word means an end."""
    if status is None or status in final:
        return status is not None
    meant = status.canonical
    return meant in final if meant.is_known else word_of(status.value) in END_WORDS


def check_wait(timeout: float, polling: Polling) -> None:
    """Check the arguments of a wait.

    Raises:
        InvalidArgumentError: the timeout is not a number, or it is negative; the polling is something else (1007).
    """
    if not (isinstance(timeout, (int, float)) and (0 <= timeout <= LONGEST or timeout == math.inf)):
        raise InvalidArgumentError.of("timeout", shown(timeout), "it must be a number of seconds, 0 or more")
    if not isinstance(polling, Polling):
        raise InvalidArgumentError.of("polling", shown(polling), "it must be a Polling")


def too_late(
    what: str, state: object, *, endpoint: str, timeout: float, looks: int, elapsed: float
) -> WaitTimeoutError:
    """Return the error of a wait whose time is over."""
    return WaitTimeoutError(
        SdkCode.NO_ANSWER,
        f"{what} {'was not found' if state is None else 'has not ended'} within {timeout:g} s",
        endpoint=endpoint,
        attempts=looks,
        elapsed=elapsed,
        last_state=state,
    )


def wait_until(
    look: Callable[[], State | None],
    ended: Callable[[State], bool],
    *,
    what: str,
    endpoint: str,
    timeout: float,
    polling: Polling,
    clock: Clock,
    on_progress: Callable[[State], object] | None = None,
) -> State:
    """Return the first final state, also if it is not a success.

    Args:
        look: reads the state; None means "not there yet".
        ended: returns whether a state is final.
        what: the thing in words, for the error message; without secrets.
        endpoint: the route template that is called.
        timeout: seconds until the wait ends. The last look is made when they are over. A look that has begun may take
            longer, up to the client's deadline for a call. With 0 there is only one look.
        polling: the intervals.
        clock: the clock for waiting.
        on_progress: called with the first state and with each state that differs from the one before it. An exception
            of it ends the wait.

    Raises:
        WaitTimeoutError: the state has not ended in time (1003); `last_state` is the last one seen, or None.
        InvalidArgumentError: the timeout is not a number, or it is negative (1007).
        NorthApiException: a look failed. Once a state was seen, temporary failures (no connection, no answer,
            throttling, platform failure) do not end the wait. If the time is over then, the last one is the cause.
    """
    check_wait(timeout, polling)
    begun = clock.monotonic()
    end = begun + timeout
    interval = min(polling.start, polling.cap)
    state: State | None = None
    looks = 0
    while True:
        failure: NorthApiException | None = None
        looks += 1
        try:
            with bulk():
                seen = look()
        except PASSING as error:
            if state is None:
                raise
            failure = error
        else:
            if seen is not None and seen != state:
                state = seen
                if on_progress is not None:
                    on_progress(seen)
            if seen is not None and ended(seen):
                return seen
        now = clock.monotonic()
        if now >= end:
            raise too_late(
                what, state, endpoint=endpoint, timeout=timeout, looks=looks, elapsed=now - begun
            ) from failure
        pause = failure.retry_after if failure is not None and failure.retry_after else interval
        clock.sleep(min(pause, end - now))
        interval = polling.after(interval)
