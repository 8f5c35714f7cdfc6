"""The values of a service in the shadow: the newest value of each property, by the time of its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.store import Row


MOST_NAMES = 1_000
"""From how many properties on a service in the shadow takes no new ones: a device may invent one with each report."""


def of(before: Row, data: Mapping[str, Any], when: float, *, dated: bool) -> Row:
    """Return a service as it is after a report.

    Its `time` is that of the newest report, and `times` has the properties whose values are of another time.

    Args:
        before: the service as it was, perhaps empty.
        data: the report's values.
        when: the report's time, in epoch seconds.
        dated: whether the device gave that time. A report without a time of its own is the newest.
    """
    known, last = before.get("data", {}), before.get("time", when)
    if "times" not in before and (not dated or when >= last) and known.keys() <= data.keys():
        return {**before, "data": dict(data), "time": when}  # the usual report: the same properties again, and newer
    times = {**dict.fromkeys(known, last), **before.get("times", {})}
    taken = {name: value for name, value in data.items() if not dated or when >= times.get(name, when)}
    if len(known) >= MOST_NAMES:
        taken = {name: value for name, value in taken.items() if name in known}
    newest = max(when, last) if dated else when
    times.update(dict.fromkeys(taken, when))
    others = {name: time for name, time in times.items() if time != newest}
    after = {**before, "data": {**known, **taken}, "time": newest, "times": others}
    if not others:
        del after["times"]
    return after
