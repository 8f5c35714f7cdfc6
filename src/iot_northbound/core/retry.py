"""Which calls may be repeated, when and how often."""

import random
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from iot_northbound.core.signal_safe import BriefLock
from iot_northbound.errors import NorthApiException, PlatformFailureError, SdkCode

_REFUSED_UNREAD = frozenset({"1010009", "101009", "100501"})
_THROTTLED = frozenset({"1010009", "101009"})


class Outcome(Enum):
    """What is known about a failed request."""

    NOT_SENT = "surely not sent"
    REFUSED_UNREAD = "refused unread"
    UNKNOWN = "outcome unknown"
    FINAL = "answered"


class AttemptFailed(Exception):
    """One attempt failed. It has the exception for the caller and what is known about the request."""

    def __init__(self, error: NorthApiException, outcome: Outcome, *, reused: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.outcome = outcome
        self.reused = reused
        """Whether a kept connection was found dead, so that a new one can be tried at once."""


def outcome_of(error: NorthApiException) -> Outcome:
    """Return what an error answer means for its request."""
    status = error.http_status_code
    if error.error_code in _THROTTLED or status == 429:
        return Outcome.REFUSED_UNREAD
    if status == 503 and error.error_code in _REFUSED_UNREAD:
        return Outcome.REFUSED_UNREAD
    if error.error_code == SdkCode.UNREADABLE or (
        status in (502, 503, 504) and isinstance(error, PlatformFailureError)
    ):
        return Outcome.UNKNOWN
    return Outcome.FINAL


class RetryQuota:
    """A number of permits that limits retries, so that they cannot become a storm.

    A client starts with `capacity` permits. A retry takes `cost` of them, and each successful call gives one back. If
    the platform is down, all threads together repeat capacity / cost times. After that, calls fail at once.
    """

    def __init__(self, capacity: int = 500, cost: int = 5) -> None:
        self._capacity = capacity
        self._cost = cost
        self._left = capacity
        self._lock = BriefLock()

    def take(self) -> bool:
        """Return whether a retry is allowed, and take its permits."""
        with self._lock:
            if self._left < self._cost:
                return False
            self._left -= self._cost
            return True

    def give_back(self) -> None:
        """Give one permit back after a successful call."""
        if self._left < self._capacity:
            with self._lock:
                self._left = min(self._left + 1, self._capacity)


class Backoff(NamedTuple):
    """Random exponential delays: between 0 and `base` x 2^n seconds, but at most `cap`."""

    base: float
    cap: float
    chance: Callable[[], float] = random.random

    def delay(self, failures: int, retry_after: float | None) -> float:
        """Return the seconds to wait after this number of failures, and at least as long as the server asks for."""
        jitter = self.chance() * min(self.cap, self.base * 2.0 ** min(failures - 1, 60))
        return max(jitter, retry_after or 0.0)
