from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.emulator.console.charts import HEIGHT, MARGIN, MOST, WIDTH, charts

numbers = st.integers() | st.floats() | st.booleans() | st.text() | st.none()


def report(time: float, **data: Any) -> dict[str, Any]:
    return {"time": time, "serviceId": "S", "data": data}


def test_a_chart_runs_from_left_to_right_and_from_low_to_high() -> None:
    (chart,) = charts([report(0, v=1), report(5, v=3), report(10, v=2)])
    assert (chart.name, chart.count, chart.low, chart.high, chart.last) == ("S · v", 3, 1, 3, 2)
    assert chart.line == "4.0,68.0 160.0,4.0 316.0,36.0"
    assert chart.end == ("316.0", "36.0")


def test_one_value_is_in_the_middle() -> None:
    (chart,) = charts([report(3, v=7)])
    assert chart.line == f"{WIDTH / 2},{HEIGHT / 2}"


def test_what_is_no_number_has_no_chart_and_there_are_not_many() -> None:
    assert charts([report(1, a=True, b="1", c=None, d=[1], e=10**400, f=float("nan"))]) == []
    assert len(charts([report(1, **{f"v{number}": number for number in range(50)})])) == MOST


@given(st.lists(st.tuples(st.floats(0, 1e10), st.dictionaries(st.sampled_from("abc"), numbers)), max_size=20))
def test_every_point_is_inside_the_picture(reports: list[tuple[float, dict[str, Any]]]) -> None:
    for chart in charts([report(time, **data) for time, data in sorted(reports, key=lambda each: each[0])]):
        for point in chart.line.split():
            x, y = map(float, point.split(","))
            assert MARGIN <= x <= WIDTH - MARGIN
            assert MARGIN <= y <= HEIGHT - MARGIN
