from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.control.schema import (
    ANY_OBJECT,
    BOOLEAN,
    Invalid,
    check,
    nullable,
    number,
    one_of,
    record,
    some,
    text,
)

SHAPE = record(
    {"name": text(1, 3)},
    count=nullable(number(1, 5, whole=True)),
    share=number(0, 1),
    mode=one_of("a", "b"),
    on=BOOLEAN,
    more=ANY_OBJECT,
)


@pytest.mark.parametrize(
    "value",
    [
        {"name": "abc"},
        {"name": "a", "count": None, "share": 0, "mode": "b", "on": False, "more": {"x": [1]}},
        {"name": "a", "count": 5, "share": 0.5},
    ],
)
def test_what_fits_comes_back_as_it_is(value: Any) -> None:
    assert check(value, SHAPE) == value


def test_a_whole_number_may_be_written_with_a_point() -> None:
    count = check({"name": "a", "count": 2.0}, SHAPE)["count"]
    assert (count, type(count)) == (2, int)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "body must be object"),
        ({}, r"body\.name is missing"),
        ({"name": ""}, r"body\.name must have 1 to 3 characters"),
        ({"name": 5}, r"body\.name must be string"),
        ({"name": "a", "count": 0}, r"body\.count must be from 1 to 5"),
        ({"name": "a", "count": 1.5}, r"body\.count must be integer or null"),
        ({"name": "a", "count": True}, r"body\.count must be integer or null"),
        ({"name": "a", "share": 1.1}, r"body\.share must be from 0 to 1"),
        ({"name": "a", "mode": "c"}, r"body\.mode must be one of a, b"),
        ({"name": "a", "on": 1}, r"body\.on must be boolean"),
        ({"name": "a", "other": 1}, r"body\.other is not known; known fields: name, count"),
    ],
)
def test_what_does_not_fit_is_told_by_place_and_rule(value: Any, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        check(value, SHAPE)


def test_items_are_told_by_position() -> None:
    with pytest.raises(Invalid, match=r"body\[1\] must be from 0 to 9"):
        check([1, 10], {"type": "array", "items": number(0, 9)})


def test_an_array_that_needs_an_item_says_so() -> None:
    with pytest.raises(Invalid, match="body must have at least 1 item"):
        check([], some(number(0, 9)))
    assert check([3], some(number(0, 9))) == [3]
