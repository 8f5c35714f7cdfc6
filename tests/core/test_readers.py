"""Answers become DTOs: lenient about what is unknown, strict about types, the same as the slow walk."""

from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.core.fields import SECRET, JsonObject, Range, Text, Timestamp, Wire, request, response
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.readers import Mismatch, converter, find_mismatch
from iot_northbound.errors import InvalidArgumentError


class Status(OpenEnum):
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


@response
class Leaf:
    text: str | None = None
    status: Status | None = None


@response
class Tree:
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


@pytest.mark.parametrize("value", [{"services": [{"text": "x"}]}, {"service": [{"text": "x"}]}])
def test_both_spellings_are_read(value: Any) -> None:
    assert read(value).services == [Leaf(text="x")]


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
    assert read(WHOLE | {"taskID": None, "taskId": "t-2"}, Created).task == "t-2"


@pytest.mark.parametrize(
    ("wire", "expected"), [("taskID", "text"), ("status", "text"), ("leaf", "an object"), ("many", "a list")]
)
def test_a_field_without_a_default_has_to_come(wire: str, expected: str) -> None:
    for broken in (WHOLE | {wire: None}, {key: value for key, value in WHOLE.items() if key != wire}):
        with pytest.raises(Mismatch):
            read(broken, Created)
        assert find_mismatch([WHOLE, broken], list[Created]) == (f"$[1].{wire}", expected, "null")


def test_a_request_class_within_an_answer_may_lack_what_a_request_must_hold() -> None:
    @request
    class Both:
        name: Annotated[str, Text(1, 5)]

    assert read({}, Both).name is None
    assert find_mismatch({}, Both) is None


def test_the_first_spelling_counts_where_both_are_there() -> None:
    assert read({"services": [{"text": "a"}], "service": [{"text": "b"}]}).services == [Leaf(text="a")]
    assert read({"services": None, "service": [{"text": "b"}]}).services == [Leaf(text="b")]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"text": 1}, ("$.text", "text", "a number")),
        ({"at": 20260212}, ("$.at", "a time as text", "a number")),
        ({"whole": True}, ("$.whole", "a whole number", "true or false")),
        ({"whole": 1.0}, ("$.whole", "a whole number", "a number")),
        ({"number": True}, ("$.number", "a number", "true or false")),
        ({"flag": 1}, ("$.flag", "true or false", "a number")),
        ({"status": 5}, ("$.status", "text", "a number")),
        ({"leaf": []}, ("$.leaf", "an object", "a list")),
        ({"leaves": {}}, ("$.leaves", "a list", "an object")),
        ({"leaves": [{}, None]}, ("$.leaves[1]", "an object", "null")),
        ({"leaves": [{}, {"text": []}]}, ("$.leaves[1].text", "text", "a list")),
        ({"texts": ["a", 5]}, ("$.texts[1]", "text", "a number")),
        ({"free": []}, ("$.free", "an object", "a list")),
        ({"service": [5]}, ("$.service[0]", "an object", "a number")),
        ([], ("$", "an object", "a list")),
        (None, ("$", "an object", "null")),
        ("x", ("$", "an object", "text")),
    ],
)
def test_a_wrong_type_is_found_where_it_is(value: Any, told: tuple[str, str, str]) -> None:
    with pytest.raises(Mismatch):
        read(value)
    assert find_mismatch(value, Tree) == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["x", "ONLINE", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "status", "leaf", "leaves", "texts", "free"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["text", "at", "whole", "leaf", "leaves", "texts", "services", "free"]), JSON))
def test_the_fast_reader_and_the_walk_that_explains_agree(value: Any) -> None:
    """What the one refuses, the other can say why; what the one takes, the other finds nothing wrong with."""
    found = find_mismatch(value, Tree)
    if found is None:
        assert isinstance(read(value), Tree)
    else:
        with pytest.raises(Mismatch):
            read(value)


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
