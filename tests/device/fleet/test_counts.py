from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.device.fleet import Latencies


@given(st.lists(st.floats(1e-5, 300), min_size=1), st.sampled_from([50, 99, 100]))
def test_a_percentile_is_at_most_5_percent_above_the_true_one(times: list[float], percent: int) -> None:
    latencies = Latencies()
    for each in times:
        latencies.add(each)
    found = latencies.percentile(percent)
    true = sorted(times)[max(0, -(-len(times) * percent // 100) - 1)]
    assert found is not None
    assert true * 0.999 <= found <= true * 1.051


@given(st.lists(st.floats(min_value=0, allow_infinity=False)))
def test_any_time_is_counted(times: list[float]) -> None:
    latencies = Latencies()
    for each in times:
        latencies.add(each)
    assert len(latencies) == len(times)


def test_what_came_since_a_copy_can_be_told() -> None:
    latencies = Latencies()
    latencies.add(0.001)
    before = latencies.copy()
    assert len(latencies - before) == 0
    assert (latencies - before).percentile(50) is None
    latencies.add(2.0)
    assert len(latencies - before) == 1
    assert 2.0 <= ((latencies - before).percentile(99) or 0) < 2.11
