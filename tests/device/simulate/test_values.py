from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iot_northbound.device.simulate.values import Services, from_model, value_of
from iot_northbound.errors import InvalidArgumentError

CHANCE = Random(3)


@pytest.mark.parametrize(
    ("given_value", "reports"),
    [
        (False, [False, False, False]),
        ("OPEN", ["OPEN", "OPEN", "OPEN"]),
        ({"constant": {"a": 1}}, [{"a": 1}, {"a": 1}, {"a": 1}]),
        ({"increment": 2, "start": 5}, [5, 7, 9]),
        ({"increment": 0.1}, [0, 0.1, 0.2]),
    ],
)
def test_values_of_a_scenario_follow_the_number_of_the_report(given_value: object, reports: list[object]) -> None:
    value = value_of("x", given_value)
    assert [value(number, CHANCE) for number in range(3)] == reports


def test_a_choice_gives_each_of_its_values() -> None:
    value = value_of("x", {"choice": ["A", "B"]})
    assert {value(0, CHANCE) for _ in range(100)} == {"A", "B"}


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(1, 50))
def test_a_random_whole_number_is_in_its_range(low: int, more: int, step: int) -> None:
    found = value_of("x", {"random": [low, low + more], "step": step})(0, CHANCE)
    assert isinstance(found, int)
    assert low <= found <= low + more
    assert (found - low) % step == 0


@example(0.0, 5e-324)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
@example(0.0, 5e-324)  # too small to be divided
def test_a_random_number_is_in_its_range(low: float, more: float) -> None:
    high = low + more
    found = value_of("x", {"random": [low, high]})(0, CHANCE)
    assert low - 1e-6 <= found <= high + 1e-6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "one of constant"),
        ({"increment": 1, "choice": [1]}, "one of constant"),
        ({"choice": []}, "not empty"),
        ({"random": [1]}, "lowest and the highest"),
        ({"random": [2, 1]}, "lowest comes first"),
        ({"random": [0, 1], "step": 0}, "above 0"),
        ({"random": [0, "x"]}, "must be a number"),
        ({"increment": True}, "must be a number"),
        ({"constant": 1, "start": 1}, "constant does not go with it"),
    ],
)
def test_a_wrong_value_says_what_is_wrong_and_where(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says) as error:
        value_of("services.Meter.flow", wrong)
    assert "services.Meter.flow" in str(error.value)


_TYPES = st.sampled_from(
    ["int", "long", "decimal", "boolean", "string", "enum", "DateTime", "jsonObject", "array", None]
)
_ODD = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5))


@settings(max_examples=50)
@given(
    st.fixed_dictionaries(
        {"dataType": _TYPES},
        optional={"min": _ODD, "max": _ODD, "step": _ODD, "enumList": st.lists(st.text(), max_size=3)},
    )
)
def test_any_described_property_has_a_value(described: dict[str, Any]) -> None:
    from_model(described)(0, CHANCE)


def test_limits_of_a_model_may_be_text_as_the_platform_sends_them() -> None:
    value = from_model({"dataType": "int", "min": "7", "max": "9"})
    assert {value(0, CHANCE) for _ in range(100)} == {7, 8, 9}


def test_a_scenario_goes_before_the_model_and_write_only_properties_are_not_reported() -> None:
    model: list[dict[str, Any]] = [
        {
            "serviceId": "Meter",
            "properties": [
                {"propertyName": "flow", "dataType": "int", "method": "RE"},
                {"propertyName": "secretCommand", "dataType": "int", "method": "W"},
                {"propertyName": "leak", "dataType": "boolean"},
            ],
        },
        {"serviceId": "Empty", "properties": []},
    ]
    services = Services.of(model, {"Meter": {"flow": value_of("x", 3)}, "Battery": {"level": value_of("x", 75)}})
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    meter, battery = services.entries(0, CHANCE, moment)
    assert (meter[0], meter[1]["flow"], set(meter[1]), meter[2]) == ("Meter", 3, {"flow", "leak"}, moment)
    assert battery[:2] == ("Battery", {"level": 75})


def test_nothing_to_report_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InvalidArgumentError, match="name a model"):
        Services.of([], {})
