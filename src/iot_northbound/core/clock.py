"""Time, injected, so that no test waits and none depends on timing."""

import time
from typing import Protocol

from iot_northbound.core.signal_safe import Flag


class Clock(Protocol):
    """What the SDK asks of time."""

    def now(self) -> float:
        """Return seconds since the epoch, for what is compared with the platform's times."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps, for deadlines and ages."""
        ...

    def sleep(self, seconds: float, wake: Flag | None = None) -> None:
        """Return after that many seconds, or once `wake` is set."""
        ...

    def wait(self, wake: Flag, seconds: float) -> bool:
        """Return True when `wake` was set, False when the seconds passed first."""
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
        """Sleep; a negative number counts as none."""
        if seconds <= 0:
            return
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)

    def wait(self, wake: Flag, seconds: float) -> bool:
        """Wait for the event, that many seconds at most."""
        return wake.wait(max(seconds, 0.0))


SYSTEM_CLOCK = SystemClock()
