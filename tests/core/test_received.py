"""What the platform said and no attribute holds: kept where it belongs, and nowhere else."""

import copy
import pickle
from typing import Annotated, Any

import attrs
import pytest

from iot_northbound.core.fields import SECRET, Text, request, response
from iot_northbound.core.received import Received
from iot_northbound.core.wire import structure, to_json


@response
class Inner(Received):
    level: int | None = None


@response
class Outer(Received):
    name: str | None = None
    inner: Inner | None = None
    many: list[Inner] | None = None
    psk: Annotated[str | None, SECRET] = None


@response
class Further(Outer):
    more: str | None = None


@request
class Both(Received):
    name: Annotated[str, Text(1, 3)]


VALUE = {
    "name": "n",
    "isHD": None,
    "inner": {"level": "high", "unit": "%"},
    "many": [{"level": 1}, {"level": 2, "x": [1]}],
    "psk": {"value": "hush-hush-77"},
}


def read(value: Any = VALUE, cls: Any = Outer) -> Any:
    return structure(value, cls)


def test_each_dto_has_its_own() -> None:
    outer = read()
    assert outer.unknown_fields == {"isHD": None, "psk": {"value": "hush-hush-77"}}
    assert outer.inner.unknown_fields == {"level": "high", "unit": "%"}
    assert [each.unknown_fields for each in outer.many] == [{}, {"x": [1]}]


@pytest.mark.parametrize("made", [Outer(), Outer(name="x"), read({"name": "n"}), attrs.evolve(read(), name="m")])
def test_without_any_it_is_an_empty_mapping_that_none_can_fill(made: Any) -> None:
    assert made.unknown_fields == {}
    with pytest.raises(TypeError):
        made.unknown_fields["x"] = 1


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, *(lambda it, p=p: pickle.loads(pickle.dumps(it, p)) for p in range(2, 6))]
)
@pytest.mark.parametrize("cls", [Outer, Further])
def test_copies_and_pickles_keep_them(again: Any, cls: Any) -> None:
    first = read(VALUE, cls)
    second = again(first)
    assert second == first
    assert second.unknown_fields == first.unknown_fields
    assert second.inner.unknown_fields == first.inner.unknown_fields
    assert again(cls(name="x")) == cls(name="x")
    assert again(cls(name="x")).unknown_fields == {}


def test_a_class_of_both_sides_survives_a_pickle_whatever_the_platform_put_in() -> None:
    both = pickle.loads(pickle.dumps(read({"name": "longer than three", "x": 1}, Both)))
    assert (both.name, both.unknown_fields) == ("longer than three", {"x": 1})


def test_a_deep_copy_shares_nothing() -> None:
    first = read()
    copy.deepcopy(first).many[1].unknown_fields["x"].append(2)
    assert first.many[1].unknown_fields == {"x": [1]}


def test_they_count_neither_in_comparisons_nor_in_requests() -> None:
    assert read({"name": "n", "x": 1}) == read({"name": "n", "x": 2}) == Outer(name="n")
    assert to_json(read({"name": "n", "x": 1}, Both)) == {"name": "n"}
    assert [attribute.name for attribute in attrs.fields(Inner)] == ["level"]


def test_no_repr_shows_a_secret_among_them() -> None:
    outer = read(VALUE | {"newSecret": "hush-hush-77", "isHD": 1})
    assert "hush" not in repr(outer)
    assert repr(outer.unknown_fields) == "{'isHD': 1, 'newSecret': '***', 'psk': '***'}"
    assert outer.unknown_fields["newSecret"] == "hush-hush-77"


def test_they_take_no_memory_where_there_are_none() -> None:
    with pytest.raises(AttributeError):
        object.__getattribute__(read({"name": "n"}), "_unknown")
    assert not hasattr(read({"name": "n"}), "__dict__")
