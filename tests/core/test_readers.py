"""Answers become DTOs, fast, if each field is exactly what its class expects; a Mismatch says that one is not."""

from typing import Annotated, Any

import pytest

from iot_northbound.core.fields import SECRET, JsonObject, Range, Text, Timestamp, Wire, request, response
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.readers import Mismatch, converter
from iot_northbound.core.received import Received
from iot_northbound.core.wire import structure
from iot_northbound.errors import InvalidArgumentError


class Status(OpenEnum):
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


@response
class Leaf(Received):
    text: str | None = None
    status: Status | None = None


@response
class Tree(Received):
    text: str | None = None
    at: Timestamp | None = None
    whole: int | None = None
    number: float | None = None
    flag: bool | None = None
    status: Status | None = None
    leaf: Leaf | None = None
    leaves: list[Leaf] | None = None
    texts: list[str] | None = None
    free: JsonObject | None = None
    anything: Any = None
    services: Annotated[list[Leaf] | None, Wire("services", also=("service",))] = None


def read(value: Any, cls: Any = Tree) -> Any:
    return converter.structure(value, cls)


def test_every_kind_of_field_is_read() -> None:
    tree = read(
        {
            "text": "x",
            "at": "20260212T121212Z",
            "whole": 2**70,
            "number": 1,
            "flag": False,
            "status": "OFFLINE",
            "leaf": {"text": "y"},
            "leaves": [{}, {"status": "ONLINE"}],
            "texts": ["a", None],
            "free": {"a": [None, 1.0]},
            "anything": [{"b": None}],
        }
    )
    assert tree.at.datetime.year == 2026
    assert (tree.whole, tree.number, tree.flag) == (2**70, 1, False)
    assert tree.status is Status.OFFLINE
    assert tree.leaves[1].status is Status.ONLINE
    assert tree.texts == ["a", None]
    assert (tree.free, tree.anything) == ({"a": [None, 1.0]}, [{"b": None}])


def test_nulls_missing_and_unknown_fields_are_all_the_same() -> None:
    assert (
        read({}) == read(dict.fromkeys(("text", "leaf", "leaves", "free", "status"))) == read({"isHD": [1]}) == Tree()
    )


def test_an_unknown_value_of_an_enumeration_is_kept() -> None:
    status = read({"status": "ABNORMAL"}).status
    assert (status, type(status), status.is_known) == ("ABNORMAL", Status, False)
    assert read({"status": ""}).status == ""


def test_second_spellings_are_no_matter_for_a_fast_reader() -> None:
    for value in ({"service": [{"text": "x"}]}, {"service": None}, {"services": [], "service": []}):
        with pytest.raises(Mismatch):
            read(value)
        assert structure(value, Tree).unknown_fields == {}
    assert structure({"service": [{"text": "x"}]}, Tree).services == [Leaf(text="x")]


@response
class Created:
    task: Annotated[str, Wire("taskID", also=("taskId",))]
    status: Status
    leaf: Leaf
    many: list[int]
    note: str | None = None


WHOLE: dict[str, Any] = {"taskID": "t-1", "status": "ONLINE", "leaf": {}, "many": []}


def test_a_field_without_a_default_is_read_from_any_of_its_spellings() -> None:
    assert read(WHOLE, Created) == Created(task="t-1", status=Status.ONLINE, leaf=Leaf(), many=[])
    assert structure(WHOLE | {"taskID": None, "taskId": "t-2"}, Created).task == "t-2"


@pytest.mark.parametrize("wire", ["taskID", "status", "leaf", "many"])
def test_a_field_without_a_default_has_to_come(wire: str) -> None:
    for broken in (WHOLE | {wire: None}, {key: value for key, value in WHOLE.items() if key != wire}):
        with pytest.raises(Mismatch):
            read(broken, Created)


def test_a_request_class_within_an_answer_may_lack_what_a_request_must_hold() -> None:
    @request
    class Both:
        name: Annotated[str, Text(1, 5)]

    assert read({}, Both).name is None


def test_the_first_spelling_counts_where_both_are_there() -> None:
    assert structure({"services": [{"text": "a"}], "service": [{"text": "b"}]}, Tree).services == [Leaf(text="a")]
    assert structure({"services": None, "service": [{"text": "b"}]}, Tree).services == [Leaf(text="b")]


@pytest.mark.parametrize(
    "value",
    [
        {"text": 1},
        {"at": 20260212},
        {"whole": True},
        {"whole": 1.0},
        {"number": True},
        {"flag": 1},
        {"status": 5},
        {"leaf": []},
        {"leaves": {}},
        {"leaves": [{}, None]},
        {"leaves": [{}, {"text": []}]},
        {"texts": ["a", 5]},
        {"free": []},
        {"service": [5]},
        {"TEXT": "x"},
        [],
        None,
        "x",
    ],
)
def test_what_does_not_fit_exactly_is_no_matter_for_a_fast_reader(value: Any) -> None:
    with pytest.raises(Mismatch):
        read(value)


@response
class Keeping(Received):
    a: str | None = None
    b: str | None = None


def test_unknown_fields_are_kept_whatever_came_before() -> None:
    """A reader remembers the names of the object before; that must not change what it makes of the next."""
    for value in ({"a": "1"}, {"b": "2", "c": 3}, {"a": "1"}, {"a": "1", "c": None}, {"c": 3, "b": "2"}, {}):
        made = read(value, Keeping)
        assert (made.a, made.b) == (value.get("a"), value.get("b"))
        assert made.unknown_fields == {name: each for name, each in value.items() if name == "c"}


@request
class Order:
    name: Annotated[str, Text(1, 3)]
    password: Annotated[str | None, SECRET] = None


@request
class BiggerOrder(Order):
    count: Annotated[int | None, Range(1, 10)] = None


class OwnOrder(Order):
    """A plain subclass, as an application may write one: it inherits what watches assignments."""


@pytest.mark.parametrize("cls", [Order, BiggerOrder, OwnOrder])
def test_a_class_that_serves_requests_too_is_read_without_its_rules(cls: Any) -> None:
    made = read({"name": "longer than three", "password": "hush", "count": 99}, cls)
    assert type(made) is cls
    assert (made.name, made.password) == ("longer than three", "hush")
    assert cls is not BiggerOrder or made.count == 99
    with pytest.raises(InvalidArgumentError, match=rf"{cls.__name__}\.name"):
        made.name = "longer than three"
