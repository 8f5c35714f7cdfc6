"""A small chart per numeric property, as the numbers of an inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, MARGIN = 320, 72, 4
MOST = 12
"""How many charts a device has: it may invent a property with each report."""


@dataclass(frozen=True)
class Chart:
    """The values of one property over time."""

    name: str
    count: int
    low: float
    high: float
    last: float
    since: float
    until: float
    line: str
    """The points of the polyline."""
    end: tuple[str, str]
    """The newest point."""


def charts(reports: Iterable[Mapping[str, Any]]) -> list[Chart]:
    """Return the charts of the numeric properties in reports, in the order of their names.

    Args:
        reports: Rows with `time`, `serviceId` and `data`, oldest first.
    """
    series: dict[str, list[tuple[float, float]]] = {}
    for each in reports:
        for name, value in each["data"].items():
            if _is_number(value):
                series.setdefault(f"{each['serviceId']} · {name}", []).append((each["time"], value))
    return [_chart(name, series[name]) for name in sorted(series)[:MOST]]


def _is_number(value: Any) -> bool:
    # Beyond that range a number cannot be scaled: an int may not fit a float, and a difference may be infinite.
    return type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value)


def _chart(name: str, points: list[tuple[float, float]]) -> Chart:
    low, high = min(value for _, value in points), max(value for _, value in points)
    since, until = points[0][0], points[-1][0]
    places = [
        (f"{_scaled(when, since, until, WIDTH):.1f}", f"{HEIGHT - _scaled(value, low, high, HEIGHT):.1f}")
        for when, value in points
    ]
    line = " ".join(f"{x},{y}" for x, y in places)
    return Chart(name, len(points), low, high, points[-1][1], since, until, line, places[-1])


def _scaled(value: float, low: float, high: float, size: int) -> float:
    """Return where a value lies between the margins; in the middle if there is only one value."""
    share = (value - low) / (high - low) if high > low else 0.5
    return MARGIN + share * (size - 2 * MARGIN)
