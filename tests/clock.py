"""Time that passes when a test says so, and a way to wait for other threads without sleeping for a fixed time."""

import threading
import time
from collections.abc import Callable

from iot_northbound.core.signal_safe import Flag


class FakeClock:
    """A clock for `NorthApiClient(clock=…)`: `sleep` passes its time at once, `wait` waits for `advance`.

    Its monotonic seconds begin at the machine's, so that deadlines it makes hold for real sockets too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = 1_800_000_000.0 - (start := time.monotonic())
        self._monotonic = start
        self._waiting: list[float] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self._epoch + self._monotonic

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
                wake.wait(0.002)  # short, since nobody tells the flag of `advance`
        finally:
            self._waiting.remove(end)
        return wake.is_set()

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._monotonic += seconds

    @property
    def waits(self) -> list[float]:
        """The seconds that threads still have to wait, the shortest first."""
        return sorted(end - self._monotonic for end in self._waiting.copy())


def eventually(condition: Callable[[], object], seconds: float = 10) -> None:
    """Return once the condition holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)
