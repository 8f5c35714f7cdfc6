"""Time that passes when a test says so, and a way to wait for other threads without sleeping for a fixed time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from iot_northbound.core.signal_safe import Flag

T = TypeVar("T")


class FakeClock:
    """The clock of every test: `sleep` passes its time at once, `wait` waits for `advance`.

    Its monotonic seconds begin at the machine's, so that its deadlines are right for real sockets too.
    """

    def __init__(self, now: float = 1_770_000_000.0) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._monotonic = time.monotonic()
        self._waiting: list[float] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float, wake: Flag | None = None) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.advance(seconds)

    def wait(self, wake: Flag, seconds: float) -> bool:
        end = self._monotonic + seconds
        self._waiting.append(end)
        try:
            while not wake.is_set() and self._monotonic < end:
                wake.wait(0.002)  # short, because `advance` does not set the flag
        finally:
            self._waiting.remove(end)
        return wake.is_set()

    def advance(self, seconds: float) -> None:
        """Let that much time pass; a negative number sets the clock back."""
        with self._lock:
            self._now += seconds
            self._monotonic += seconds

    def set_time_of_day(self, by: float) -> None:
        """Set the time of day forward, or back; the monotonic clock does not know."""
        with self._lock:
            self._now += by

    @property
    def waits(self) -> list[float]:
        """The seconds that threads still have to wait, the shortest first."""
        return sorted(end - self._monotonic for end in self._waiting.copy())


def eventually(condition: Callable[[], T | None], seconds: float = 60) -> T:
    """Return the condition's first true value; fail if there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)
    return value
