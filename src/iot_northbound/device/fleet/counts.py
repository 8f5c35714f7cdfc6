"""What a fleet counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import attrs

_SMALLEST = 1e-5
_STEP = math.log(1.05)
_BUCKETS = 360
_LARGEST = 1e3


class Latencies:
    """Counts times in buckets that are 5 % wide, from 10 µs to 400 s, so that its size does not grow."""

    __slots__ = ("_buckets",)

    def __init__(self, buckets: list[int] | None = None) -> None:
        self._buckets = buckets or [0] * _BUCKETS

    def add(self, seconds: float) -> None:
        """Count one time."""
        place = int(math.log(min(seconds, _LARGEST) / _SMALLEST) / _STEP) + 1 if seconds > _SMALLEST else 0
        self._buckets[min(place, _BUCKETS - 1)] += 1

    def copy(self) -> Latencies:
        """Return the counts as they are now."""
        return Latencies(self._buckets.copy())

    def __len__(self) -> int:
        return sum(self._buckets)

    def __sub__(self, earlier: Latencies) -> Latencies:
        """Return the counts since an earlier copy."""
        return Latencies([now - then for now, then in zip(self._buckets, earlier._buckets, strict=True)])

    def percentile(self, percent: float) -> float | None:
        """Return the seconds that this part of the times does not exceed, at most 5 % too high; None without times."""
        total = len(self)
        if not total:
            return None
        left = total * percent / 100
        for place, count in enumerate(self._buckets):
            left -= count
            if count and left <= 1e-9:
                return _SMALLEST * math.exp(_STEP * place)
        return None


@attrs.frozen
class FleetCounts:
    """What a fleet had done at one moment.

    Attributes:
        devices: the devices in the fleet.
        connected: those that are connected now.
        refused: how many the platform refused for good, by the code of the CONNACK.
        connects: connections that the platform accepted.
        reconnects: those of them after the first of a device.
        disconnects: connections that ended although the fleet did not close them.
        failures: attempts to connect that failed, by reason.
        reports: reports that the fleet took.
        acknowledged: those of them that the platform acknowledged.
        dropped: those of them that a full queue gave up.
        commands: commands that arrived.
        answers: answers to them that were sent.
        unreadable: messages that are not commands.
        unsubscribed: subscriptions to commands that the platform refused.
        latencies: the times from sending a report to its PUBACK.
    """

    devices: int
    connected: int
    refused: Mapping[int, int]
    connects: int
    reconnects: int
    disconnects: int
    failures: Mapping[str, int]
    reports: int
    acknowledged: int
    dropped: int
    commands: int
    answers: int
    unreadable: int
    unsubscribed: int
    latencies: Latencies = attrs.field(repr=False)

    @property
    def open(self) -> int:
        """The reports that wait or are on their way."""
        return self.reports - self.acknowledged - self.dropped

    @property
    def lost(self) -> int:
        """The reports that have no acknowledgement: dropped or still open."""
        return self.reports - self.acknowledged


@attrs.define
class Tally:
    """The same, while it grows. Only the loop's thread touches it."""

    devices: int = 0
    connected: int = 0
    refused: Counter[int] = attrs.Factory(Counter)
    connects: int = 0
    reconnects: int = 0
    disconnects: int = 0
    failures: Counter[str] = attrs.Factory(Counter)
    reports: int = 0
    acknowledged: int = 0
    dropped: int = 0
    commands: int = 0
    answers: int = 0
    unreadable: int = 0
    unsubscribed: int = 0
    latencies: Latencies = attrs.Factory(Latencies)

    @property
    def open(self) -> int:
        """The reports that wait or are on their way."""
        return self.reports - self.acknowledged - self.dropped

    def freeze(self) -> FleetCounts:
        """Return the counts as they are now."""
        values = {each.name: getattr(self, each.name) for each in attrs.fields(Tally)}
        copies = {name: values[name].copy() for name in ("refused", "failures", "latencies")}
        return FleetCounts(**values | copies)
