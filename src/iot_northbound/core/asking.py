"""Asks a shared state, and notes when it is away, so that not every call waits for it."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from iot_northbound.shared.state import State, StateAwayError

T = TypeVar("T")
log = logging.getLogger("iot_northbound.shared")

TRY_AGAIN = 1.0
"""Seconds for which a state that failed is not asked again."""
LONGEST_TRY = 3.0
"""Seconds that a step takes at most until it fails."""


def seconds_awake() -> float:
    """Return seconds of a clock that never jumps and counts suspended time, where the system has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Asking:
    """A shared state, and since when it has been away. Token and limit of a client have one together.

    Args:
        state: where to ask.
        awake: seconds of a clock that never jumps and counts the time in which the machine sleeps.
    """

    def __init__(self, state: State, awake: Callable[[], float] = seconds_awake) -> None:
        self.state = state
        self.awake = awake
        self._since: float | None = None
        self._next_try = 0.0
        self._reason = ""
        self._past = 0.0

    def ask(self, step: Callable[..., T], *arguments: object) -> T:
        """Return the result of a step.

        Raises:
            StateAwayError: the state is away, or was within the last second, or another thread is finding out.
            SharedStateError: it cannot be used, for a reason that time does not cure.
        """
        since = self._since
        if since is not None and self.awake() < self._next_try:
            raise StateAwayError(self._reason)
        if since is not None:
            self._next_try = self.awake() + LONGEST_TRY  # this thread finds out, and no other has to wait
        try:
            result = step(*arguments)
        except StateAwayError as error:
            now = self.awake()
            self._next_try = now + TRY_AGAIN
            self._reason = str(error)
            if self._since is None:
                self._since = now
                log.warning("the shared state %s is away: %s", self.state.shown, error)
            raise
        if since is not None:
            self._back()
        return result

    def _back(self) -> None:
        since, self._since = self._since, None
        if since is not None:
            lasted = self.awake() - since
            self._past += lasted
            log.warning("the shared state %s is back after %.0f s", self.state.shown, lasted)

    @property
    def away_for(self) -> float:
        """Seconds since the state went away; 0 if it is there."""
        since = self._since
        return 0.0 if since is None else self.awake() - since

    @property
    def away_seconds(self) -> float:
        """How long the state has been away, in all outages together."""
        return self._past + self.away_for
