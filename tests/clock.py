"""Time that passes when a test says so, and a way to wait for other threads without sleeping for a fixed time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class FakeClock:
    """The clock of every test: `sleep` passes its time at once, `wait` waits for `advance`.

    Its monotonic seconds begin at the machine's, so that its deadlines are right for real sockets too.
    """

    def __init__(self, now: float = 1_770_000_000.0) -> None:
        self._changed = threading.Condition()
        self._now = now
        self._monotonic = time.monotonic()
        self._waiting: list[float] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.advance(seconds)

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        with self._changed:
            end = self._monotonic + seconds
            self._waiting.append(end)
            while not wake.is_set() and self._monotonic < end:
                self._changed.wait(0.002)  # short, because the event does not notify this condition
            self._waiting.remove(end)
        return wake.is_set()

    def advance(self, seconds: float) -> None:
        """Let that much time pass; a negative number sets the clock back."""
        with self._changed:
            self._now += seconds
            self._monotonic += seconds
            self._changed.notify_all()

    @property
    def waits(self) -> list[float]:
        """The seconds that threads still have to wait, the shortest first."""
        with self._changed:
            return sorted(end - self._monotonic for end in self._waiting)


def eventually(condition: Callable[[], T], seconds: float = 30) -> T:
    """Return the condition's first true value; fail if there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)
    return value
