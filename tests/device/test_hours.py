"""Which hours a device tries at the turn of an hour."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from iot_northbound.device.credentials import stamp_of
from iot_northbound.device.hours import TOLERANCE, Hours

TURN = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


def tried(first: float, *later: float, checked: bool = True) -> list[str]:
    """Return the last two digits of the hours that are tried, at these seconds after the turn, if all are refused."""
    hours, moment, found = Hours(checked), TURN + first, []
    for seconds in (*later, None):
        found.append(stamp_of(moment + hours.shift))
        if seconds is None or not hours.refused(found[-1], TURN + seconds):
            break
        moment = TURN + seconds
    return [each[-2:] for each in found]


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ((-2, -1.9, -1.8, -1.7, -1.6), ["11", "12", "11"]),  # the clock of the device is behind, or the secret wrong
        ((2, 2.1, 2.2, 2.3, 2.4), ["12", "11", "12"]),  # ahead
        ((-0.1, 0.1, 0.2, 0.3, 0.4), ["11", "12", "11"]),  # the hour turned while the login was under way
        ((1_800, 1_800, 1_800), ["12"]),  # far from the turn
        ((TOLERANCE + 1, TOLERANCE + 1), ["12"]),
        ((-TOLERANCE - 1, -TOLERANCE - 1), ["11"]),
        ((-7_200, 1_800, 1_800), ["10", "12"]),  # the clock of the device was set right meanwhile
    ],
)
def test_the_hours_of_both_sides_of_the_turn_are_tried(moments: tuple[float, ...], expected: list[str]) -> None:
    assert tried(*moments) == expected


def test_without_a_check_of_the_hour_no_other_is_tried() -> None:
    assert tried(-1, 1, 1, checked=False) == ["11"]
