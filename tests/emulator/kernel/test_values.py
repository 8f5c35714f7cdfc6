from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iot_northbound.emulator.kernel import values
from iot_northbound.emulator.kernel.calls import MALFORMED, Refusal
from iot_northbound.emulator.kernel.values import Bad, Check, Shape, may, must

SHAPE = Shape(
    must("id", values.text(1, 5)),
    may("count", values.integer(0, 9), (400, "100441")),
    may("inner", values.structure(must("list", values.array(values.boolean, 1, 2)))),
    invalid=(400, "50400"),
    missing=(400, "102202"),
    malformed=(400, "100007"),
)


def test_set_fields_are_kept_nulls_and_unknown_ones_dropped() -> None:
    message = {"id": "a", "count": None, "extra": 1, "inner": {"list": [True], "x": 2}}
    assert SHAPE.read(message) == {"id": "a", "inner": {"list": [True]}}


def test_an_empty_query_field_counts_as_unset() -> None:
    assert SHAPE.read_query({"id": "a", "count": ""}) == {"id": "a"}


@pytest.mark.parametrize(
    ("message", "code", "detail"),
    [
        (MALFORMED, "100007", "not valid JSON"),
        ([1], "100007", "JSON object"),
        (None, "102202", "id is missing"),
        ({"id": None}, "102202", "id is missing"),
        ({"id": "toolong"}, "50400", "id must have 1 to 5 characters"),
        ({"id": 7}, "50400", "id must be a string"),
        ({"id": "a", "count": 10}, "100441", "count must be from 0 to 9"),
        ({"id": "a", "count": True}, "100441", "count must be a whole number"),
        ({"id": "a", "count": 1.0}, "100441", "count must be a whole number"),
        ({"id": "a", "inner": {}}, "50400", "inner list is missing"),
        ({"id": "a", "inner": {"list": []}}, "50400", "inner list must have from 1 to 2 items"),
        ({"id": "a", "inner": {"list": [True, "x"]}}, "50400", r"inner list \[1\] must be true or false"),
    ],
)
def test_a_broken_rule_is_named_with_its_code(message: Any, code: str, detail: str) -> None:
    with pytest.raises(Refusal, match=detail) as caught:
        SHAPE.read(message)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("check", "good", "kept"),
    [
        (values.integer(0, 250), 250, 250),
        (values.integer(0, 250), "0250", 250),
        (values.integer(), "-3", -3),
        (values.boolean, True, True),
        (values.boolean, "false", False),
        (values.boolean, "TRUE", True),
        (values.boolean, "False", False),
        (values.one_of("ASC", "DESC", fold=True), "desc", "DESC"),
        (values.texts(["tag", "imsi"]), "tag, imsi", ["tag", "imsi"]),
        (values.time_of, "19700101T000001Z", 1.0),
        (values.json_object, {"a": None}, {"a": None}),
        (values.anything, 1.0, 1.0),
    ],
)
def test_values_are_converted(check: Check, good: Any, kept: Any) -> None:
    assert check(good) == kept


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        (values.integer(0), "-1"),
        (values.integer(0, 9), "10"),
        (values.integer(0), "1.5"),
        (values.integer(0), 1.0),
        (values.integer(0), "٣"),
        (values.integer(0), " 3"),
        (values.integer(0), "+3"),
        (values.integer(0), ""),
        (values.integer(0), "true"),
        (values.integer(0), "9" * 5000),
        (values.integer(0), [3]),
        (values.boolean, "yes"),
        (values.boolean, ""),
        (values.boolean, "1"),
        (values.boolean, 1),
        (values.boolean, ["true"]),
        (values.one_of("ASC"), "asc"),
        (values.one_of("ASC"), 1),
        (values.texts(["tag"]), "tag,other"),
        (values.time_of, "yesterday"),
        (values.time_of, 5),
        (values.json_object, []),
        (values.text(0, 9, "[a-z]+"), "abc1"),
    ],
)
def test_other_values_are_refused(check: Check, bad: Any) -> None:
    with pytest.raises(Bad):
        check(bad)


@given(st.integers(-(10**17), 10**17))
def test_a_whole_number_is_the_same_in_digits(number: int) -> None:
    assert values.integer()(str(number)) == values.integer()(number) == number


@given(st.text() | st.floats() | st.booleans() | st.none())
def test_a_number_needs_ascii_digits(value: Any) -> None:
    assume(not (isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit()))
    with pytest.raises(Bad):
        values.integer()(value)


@pytest.mark.parametrize(("text", "end"), [("19700101T000001Z", 2.0), ("19700101T000001500Z", 1.501)])
def test_a_window_ends_with_the_last_moment_its_text_covers(text: str, end: float) -> None:
    assert end - 1e-5 < values.end_of(text) < end
