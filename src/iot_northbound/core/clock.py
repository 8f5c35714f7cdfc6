"""Time as an argument, so that no test has to wait or depends on timing."""

import time
from typing import Protocol

from iot_northbound.core.signal_safe import Flag

LONGEST = 2_000_000
"""The longest time that can be waited for, in seconds: 23 days. Sockets cannot wait much longer."""


class Clock(Protocol):
    """The time functions that the SDK uses."""

    def now(self) -> float:
        """Return seconds since the epoch, to compare with the platform's times."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps, for deadlines and ages."""
        ...

    def sleep(self, seconds: float, wake: Flag | None = None) -> None:
        """Return after this many seconds, or as soon as `wake` is set."""
        ...

    def wait(self, wake: Flag, seconds: float) -> bool:
        """Return True if `wake` is set in this time, False if the time is over first."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of the machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float, wake: Flag | None = None) -> None:
        """Sleep this long; a negative number means not at all."""
        if seconds <= 0:
            return
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)

    def wait(self, wake: Flag, seconds: float) -> bool:
        """Wait for the flag, but no longer than this."""
        return wake.wait(max(seconds, 0.0))


SYSTEM_CLOCK = SystemClock()
