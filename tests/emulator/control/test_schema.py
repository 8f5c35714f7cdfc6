from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from iot_northbound.emulator.control.schema import InvalidArgument, check, schema_of
from iot_northbound.emulator.kernel.limits import Items, Length, Range

Few = Annotated[int, Range(1, 5)]
Digits = Annotated[list[Annotated[int, Range(0, 9)]], Items(1)]


class Shape(TypedDict):
    name: Annotated[str, Length(1, 3)]
    count: NotRequired[Few | None]
    share: NotRequired[Annotated[float, Range(0, 1)]]
    mode: NotRequired[Literal["a", "b"]]
    on: NotRequired[bool]
    more: NotRequired[Mapping[str, Any]]
    labels: NotRequired[dict[str, str]]


SHAPE = schema_of(Shape)


@pytest.mark.parametrize(
    "value",
    [
        {"name": "abc"},
        {"name": "a", "count": None, "share": 0, "mode": "b", "on": False, "more": {"x": [1]}},
        {"name": "a", "count": 5, "share": 0.5, "labels": {"x": "y"}},
    ],
)
def test_a_value_that_fits_comes_back_as_it_is(value: Any) -> None:
    assert check(value, SHAPE) == value


def test_a_whole_number_may_be_written_with_a_point() -> None:
    count = check({"name": "a", "count": 2.0}, SHAPE)["count"]
    assert (count, type(count)) == (2, int)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "the body must be an object"),
        ({}, "name is missing"),
        ({"name": ""}, "name must have 1 to 3 characters"),
        ({"name": 5}, "name must be a string"),
        ({"name": "a", "count": 0}, "count must be from 1 to 5"),
        ({"name": "a", "count": 1.5}, "count must be a whole number or null"),
        ({"name": "a", "count": True}, "count must be a whole number or null"),
        ({"name": "a", "share": 1.1}, "share must be from 0 to 1"),
        ({"name": "a", "mode": "c"}, "mode must be one of a, b"),
        ({"name": "a", "on": 1}, "on must be true or false"),
        ({"name": "a", "labels": {"x": 1}}, r"labels\.x must be a string"),
        ({"name": "a", "other": 1}, "other is not known; known are: name, count"),
    ],
)
def test_an_error_names_the_place_and_the_rule(value: Any, text: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{text}"):
        check(value, SHAPE)


def test_items_are_named_by_position() -> None:
    with pytest.raises(InvalidArgument, match=r"digits\[1\] must be from 0 to 9"):
        check([1, 10], schema_of(Digits), "digits")


def test_an_array_that_needs_an_item_says_so() -> None:
    with pytest.raises(InvalidArgument, match="digits must have at least 1 item"):
        check([], schema_of(Digits), "digits")
    assert check([3], schema_of(Digits)) == [3]


def test_a_union_takes_each_of_its_types() -> None:
    schema = schema_of(Shape | list[Shape] | None)
    assert schema["type"] == ["object", "array", "null"]
    for value in ({"name": "a"}, [{"name": "a"}, {"name": "b"}], None):
        assert check(value, schema, "shape") == value
    with pytest.raises(InvalidArgument, match=r"shape\[0\]\.name is missing"):
        check([{}], schema, "shape")


def test_null_is_one_of_the_values_of_an_optional_choice() -> None:
    schema = schema_of(Literal["a", "b"] | None)
    assert schema == {"type": ["string", "null"], "enum": ["a", "b", None]}
    assert check(None, schema, "mode") is None
    with pytest.raises(InvalidArgument, match="mode must be one of a, b, null"):
        check("c", schema, "mode")


def test_a_type_without_a_schema_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="no JSON Schema"):
        schema_of(bytes)
