"""Time that passes when a test says so, and a way to wait for other threads without sleeping for a fixed time."""

import threading
import time
from collections.abc import Callable


class FakeClock:
    """A clock for `NorthApiClient(clock=…)`: `sleep` passes its time at once, `wait` waits for `advance`.

    Its monotonic seconds begin at the machine's, so that deadlines it makes hold for real sockets too.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._epoch = 1_800_000_000.0 - (start := time.monotonic())
        self._monotonic = start
        self._waiting: list[float] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self._epoch + self._monotonic

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
                self._changed.wait(0.002)  # short, since nobody tells this condition of the event
            self._waiting.remove(end)
        return wake.is_set()

    def advance(self, seconds: float) -> None:
        with self._changed:
            self._monotonic += seconds
            self._changed.notify_all()

    @property
    def waits(self) -> list[float]:
        """The seconds that threads still have to wait, the shortest first."""
        with self._changed:
            return sorted(end - self._monotonic for end in self._waiting)


def eventually(condition: Callable[[], object], seconds: float = 10) -> None:
    """Return once the condition holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)
