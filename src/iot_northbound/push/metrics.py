"""What a receiver counts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

import attrs

from iot_northbound.core.clock import Clock
from iot_northbound.push.inbox import InboxStats
from iot_northbound.push.inboxes.leases import LeaseFigures

_WINDOW = 60


@attrs.frozen
class Metrics:
    """A receiver at one moment. It counts from its creation.

    Attributes:
        depth: messages that wait, including those that are being handled or retried.
        age: how many seconds the oldest of them has waited; 0 if no message waits.
        dead: dead letters in the inbox.
        size: bytes of all bodies in the inbox.
        rate: accepted messages per second, over the last minute.
        accepted: new messages with an answer of 200.
        duplicates: repetitions with an answer of 200; they are dropped.
        refused: answers other than 200, per status.
        handled: messages whose handlers have finished.
        failures: attempts that ended with an error.
        leases: which part of a shared inbox this process handles; None if the inbox is its own.
    """

    depth: int
    age: float
    dead: int
    size: int
    rate: float
    accepted: int
    duplicates: int
    refused: Mapping[int, int]
    handled: int
    failures: int
    leases: LeaseFigures | None


class Counters:
    """Counts from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started = clock.monotonic()
        self._seconds: dict[int, int] = {}
        self._accepted = self._duplicates = self._handled = self._failures = 0
        self._refused: Counter[int] = Counter()

    def accepted(self) -> None:
        """Count a new message."""
        second = int(self._clock.monotonic())
        with self._lock:
            self._accepted += 1
            if second not in self._seconds:
                for old in [each for each in self._seconds if each <= second - _WINDOW]:
                    del self._seconds[old]
                self._seconds[second] = 0
            self._seconds[second] += 1

    def duplicate(self) -> None:
        """Count a repetition."""
        with self._lock:
            self._duplicates += 1

    def refused(self, status: int) -> None:
        """Count a refusal."""
        with self._lock:
            self._refused[status] += 1

    def handled(self) -> None:
        """Count a message whose handlers have finished."""
        with self._lock:
            self._handled += 1

    def failed(self) -> None:
        """Count a failed attempt."""
        with self._lock:
            self._failures += 1

    def metrics(self, stats: InboxStats, leases: LeaseFigures | None) -> Metrics:
        """Return all figures, including those of the inbox."""
        now, moment = self._clock.now(), self._clock.monotonic()
        with self._lock:
            recent = sum(count for second, count in self._seconds.items() if second > moment - _WINDOW)
            return Metrics(
                depth=stats.waiting,
                age=0.0 if stats.oldest is None else max(now - stats.oldest, 0.0),
                dead=stats.dead,
                size=stats.size,
                rate=recent / min(max(moment - self._started, 1.0), _WINDOW),
                accepted=self._accepted,
                duplicates=self._duplicates,
                refused=dict(self._refused),
                handled=self._handled,
                failures=self._failures,
                leases=leases,
            )
