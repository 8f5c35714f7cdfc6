"""What does not fit a DTO exactly: as much as can be is read, the rest stays within reach, and nothing else suffers."""

import json
import pickle
from collections.abc import Iterator
from typing import Annotated, Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.core.fields import SECRET, JsonObject, Text, Timestamp, Wire, request, response
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.core.wire import ShapeError, structure


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
    wholes: list[int] | None = None
    numbers: list[float] | None = None
    free: JsonObject | None = None
    anything: Any = None
    total_count: Annotated[int | None, Wire("totalCount", also=("totalSize",))] = None
    psk: Annotated[str | None, SECRET] = None


@response
class Made(Received):
    device_id: str
    leaf: Leaf
    many: list[int]
    note: int | None = None


@pytest.mark.parametrize(
    ("wire", "raw", "read"),
    [
        ("text", 5, "5"),
        ("text", -87.5, "-87.5"),
        ("text", 2**70, str(2**70)),
        ("text", 1.0, "1"),
        ("text", 1e3, "1000"),
        ("text", -0.0, "0"),
        ("text", 1e300, "1e+300"),
        ("status", 4.0, "4"),
        ("text", True, "true"),
        ("text", False, "false"),
        ("at", 20260212, "20260212"),
        ("status", "ONLINE", Status.ONLINE),
        ("status", 3, "3"),
        ("status", True, "true"),
        ("whole", "3600", 3600),
        ("whole", "-5", -5),
        ("whole", "+5", 5),
        ("whole", "007", 7),
        ("whole", " 12 ", 12),
        ("whole", "1.0", 1),
        ("whole", "1e3", 1000),
        ("whole", 3600.0, 3600),
        ("whole", -0.0, 0),
        ("whole", str(10**40), 10**40),
        ("number", "1.5", 1.5),
        ("number", " -2 ", -2),
        ("number", "1E-2", 0.01),
        ("flag", "true", True),
        ("flag", "FALSE", False),
        ("flag", " True ", True),
        ("texts", [1, "a", None, True], ["1", "a", None, "true"]),
        ("texts", [1.0, 2.5], ["1", "2.5"]),
        ("texts", "a", ["a"]),
        ("texts", {}, []),
        ("wholes", {}, []),
        ("leaves", {}, []),
        ("leaves", [{}], [Leaf()]),
        ("wholes", ["1", 2.0, 3], [1, 2, 3]),
        ("wholes", "1", [1]),
        ("leaves", {"text": "x"}, [Leaf(text="x")]),
    ],
)
def test_what_loses_nothing_is_made_what_the_field_wants(wire: str, raw: Any, read: Any) -> None:
    tree = structure({wire: raw, "anything": 1}, Tree)
    got = getattr(tree, wire)
    assert (got, type(got)) == (read, Timestamp if wire == "at" else Status if wire == "status" else type(read))
    assert tree.anything == 1
    assert tree.unknown_fields == {}


@pytest.mark.parametrize(
    ("wire", "raw"),
    [
        ("text", []),
        ("text", {"value": "x"}),
        ("at", {}),
        ("status", ["ONLINE"]),
        ("whole", "3600s"),
        ("whole", ""),
        ("whole", "  "),
        ("whole", "1.5"),
        ("whole", 1.5),
        ("whole", True),
        ("whole", "0x10"),
        ("whole", "1_000"),
        ("whole", "٣"),
        ("whole", "1" * 10_000),
        ("whole", 1e300),
        ("whole", "1e300"),
        ("whole", float("inf")),
        ("whole", []),
        ("number", "1e999"),
        ("number", "NaN"),
        ("number", "Infinity"),
        ("number", "1,5"),
        ("number", True),
        ("flag", 1),
        ("flag", 0),
        ("flag", "yes"),
        ("flag", "1"),
        ("flag", {}),
        ("leaf", []),
        ("leaf", "x"),
        ("leaf", [{"text": "x"}]),
        ("leaves", 5),
        ("leaves", "x"),
        ("texts", {"a": 1}),
        ("free", []),
        ("free", "{}"),
        ("psk", {"value": "hush-hush-77"}),
    ],
)
def test_what_does_not_fit_is_none_and_costs_nothing_else(wire: str, raw: Any) -> None:
    others = {"leaf": {"text": "kept"}, "whole": 7, "text": "kept", "leaves": [{"text": "kept"}], "isHD": 1}
    tree = structure(others | {wire: raw}, Tree)
    assert getattr(tree, wire) is None
    assert tree.unknown_fields == {"isHD": 1, wire: raw}
    expected = structure(others | {wire: None}, Tree)
    assert tree == expected


@pytest.mark.parametrize(
    ("wire", "raw", "read"),
    [
        ("leaves", [{"text": "a"}, 5, None, {"text": "b"}, "x", []], [Leaf(text="a"), Leaf(text="b")]),
        ("leaves", [None], []),
        ("texts", ["a", {}, 5, []], ["a", "5"]),
        ("wholes", [1, "two", 3.5, "4"], [1, 4]),
    ],
)
def test_an_item_that_does_not_fit_is_left_out_and_the_list_stays_within_reach(wire: str, raw: Any, read: Any) -> None:
    tree = structure({wire: raw}, Tree)
    assert getattr(tree, wire) == read
    assert tree.unknown_fields == {wire: raw}


def test_one_odd_item_costs_no_other_one_and_no_other_field_of_its_own() -> None:
    tree = structure({"leaves": [{"text": "a"}, {"text": [], "status": "ONLINE", "x": 1}, {"text": 5}]}, Tree)
    assert tree.leaves == [Leaf(text="a"), Leaf(status=Status.ONLINE), Leaf(text="5")]
    assert [leaf.unknown_fields for leaf in tree.leaves or ()] == [{}, {"text": [], "x": 1}, {}]
    assert tree.unknown_fields == {}


@pytest.mark.parametrize(
    "name", ["totalcount", "TOTALCOUNT", "total_count", "total-count", " totalCount ", "TotalSize"]
)
def test_a_field_is_found_in_any_letter_case_and_with_any_dashes(name: str) -> None:
    tree = structure({name: "5"}, Tree)
    assert (tree.total_count, tree.unknown_fields) == (5, {})


def test_the_documented_spelling_counts_first_and_one_that_fits_before_one_that_does_not() -> None:
    assert structure({"totalcount": 1, "totalSize": 2, "totalCount": 3}, Tree).total_count == 3
    tree = structure({"totalCount": [], "totalSize": "x", "totalcount": 7}, Tree)
    assert (tree.total_count, tree.unknown_fields) == (7, {"totalCount": [], "totalSize": "x"})
    assert structure({"totalCount": None, "TotalCount": 7}, Tree).total_count == 7


@pytest.mark.parametrize(
    ("value", "read", "kept"),
    [
        ({"totalCount": 3, "totalSize": 10}, {"total_count": 3}, {"totalSize": 10}),
        ({"totalSize": 10, "totalCount": 3}, {"total_count": 3}, {"totalSize": 10}),
        ({"totalCount": 3, "totalSize": 3, "TotalCount": 3}, {"total_count": 3}, {}),
        ({"totalCount": 3, "totalSize": None}, {"total_count": 3}, {}),
        ({"text": "a", "Text": "b", "te_xt": "c"}, {"text": "a"}, {"Text": "b", "te_xt": "c"}),
        ({"leaf": {"text": "a"}, "Leaf": {"text": "b"}}, {"leaf": Leaf(text="a")}, {"Leaf": {"text": "b"}}),
        ({"flag": True, "Flag": 1}, {"flag": True}, {"Flag": 1}),
        ({"leaves": [], "Leaves": [{"text": "a"}]}, {"leaves": [Leaf(text="a")]}, {}),
        ({"leaves": {}, "Leaves": [{"text": "a"}]}, {"leaves": [Leaf(text="a")]}, {}),
        ({"leaves": [{"text": "a"}], "Leaves": []}, {"leaves": [Leaf(text="a")]}, {"Leaves": []}),
        ({"leaves": [], "Leaves": "x"}, {"leaves": []}, {"Leaves": "x"}),
        ({"text": "", "Text": "a"}, {"text": "a"}, {}),
        ({"text": "", "Text": []}, {"text": ""}, {"Text": []}),
        ({"whole": "", "Whole": 5, "WHOLE": 6}, {"whole": 5}, {"whole": "", "WHOLE": 6}),
        ({"free": {}, "Free": {"a": 1}}, {"free": {"a": 1}}, {}),
    ],
)
def test_no_value_of_a_second_spelling_is_lost_and_an_empty_one_gives_way(
    value: dict[str, Any], read: dict[str, Any], kept: dict[str, Any]
) -> None:
    tree = structure(value, Tree)
    assert tree == Tree(**read)
    assert tree.unknown_fields == kept


WHOLE = {"deviceId": "d-1", "leaf": {}, "many": []}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"deviceId": None}, "$.deviceId should be text, not null"),
        ({"deviceId": {}}, "$.deviceId should be text, not an object"),
        ({"leaf": 5}, "$.leaf should be an object, not a number"),
        ({"many": {"a": 1}}, "$.many should be a list, not an object"),
    ],
)
def test_what_an_answer_exists_for_has_to_be_there_and_fit(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ShapeError) as caught:
        structure(WHOLE | change, Made)
    assert str(caught.value) == told


def test_what_an_answer_exists_for_is_converted_too() -> None:
    made = structure({"DEVICEID": 5, "leaf": {"text": 1}, "many": ["1"], "note": "?"}, Made)
    assert (made.device_id, made.leaf.text, made.many, made.note) == ("5", "1", [1], None)
    assert made.unknown_fields == {"note": "?"}


@pytest.mark.parametrize(("value", "got"), [([], "a list"), (None, "null"), ("x", "text"), (5, "a number")])
def test_an_answer_that_is_no_object_is_unreadable(value: Any, got: str) -> None:
    with pytest.raises(ShapeError, match=f"^\\$ should be an object, not {got}$"):
        structure(value, Tree)


def test_an_item_without_what_it_exists_for_is_left_out_of_its_list() -> None:
    @response
    class Page(Received):
        items: list[Made] | None = None

    page = structure({"items": [WHOLE, WHOLE | {"deviceId": None}]}, Page)
    assert [item.device_id for item in page.items or ()] == ["d-1"]
    assert page.unknown_fields == {"items": [WHOLE, WHOLE | {"deviceId": None}]}


def test_a_class_of_both_sides_is_read_without_its_rules_even_if_it_does_not_fit() -> None:
    @request
    class Both(Received):
        name: Annotated[str, Text(1, 3)]
        count: int | None = None

    both = structure({"name": "longer than three", "count": "x"}, Both)
    assert (both.name, both.count, both.unknown_fields) == ("longer than three", None, {"count": "x"})


def objects(value: Any) -> Iterator[Received]:
    """Yield a DTO and all that it holds."""
    if isinstance(value, list):
        for each in value:
            yield from objects(each)
    elif isinstance(value, Received):
        yield value
        dto: Any = value
        for attribute in attrs.fields(type(dto)):
            yield from objects(getattr(value, attribute.name))


NAMES = ["text", "at", "whole", "number", "flag", "status", "leaf", "leaves", "texts", "wholes", "free", "anything"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["x", "ONLINE", "7", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "Text", "total_size", "odd"]), inner, max_size=5)
    ),
    max_leaves=14,
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from([*NAMES, "Text", "total_size", "odd"]), JSON))
def test_any_object_is_read_with_the_right_types_and_nothing_is_lost(value: dict[str, Any]) -> None:
    tree = structure(json.loads(json.dumps(value)), Tree)
    kinds = {"text": str, "at": Timestamp, "whole": int, "flag": bool, "status": Status, "leaf": Leaf, "free": dict}
    for name, kind in kinds.items():
        assert type(getattr(tree, name)) in (kind, type(None))
    assert type(tree.number) in (int, float, type(None))
    for each in objects(tree):
        assert isinstance(each, Tree | Leaf)
    for name, raw in value.items():
        if raw is not None and name in NAMES:
            assert getattr(tree, name) is not None or tree.unknown_fields[name] == raw
    assert ("odd" in tree.unknown_fields) == ("odd" in value)


def test_a_shape_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(ShapeError("$.a", "a number", "text")))
    assert (str(error), error.path) == ("$.a should be a number, not text", "$.a")


BEYOND = ["1e999", "-1e999", "Infinity", "-Infinity", "NaN"]


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize("wire", ["text", "at", "whole", "number", "flag", "status", "psk"])
def test_a_number_beyond_all_numbers_fits_nothing_and_stays_within_reach(wire: str, number: str) -> None:
    made = structure(json.loads(f'{{"{wire}": {number}, "leaf": {{"text": {number}}}}}'), Tree)
    assert getattr(made, wire) is None
    assert repr(made.unknown_fields[wire]) == repr(json.loads(number))
    assert made.leaf is not None
    assert made.leaf.text is None
    assert "text" in made.leaf.unknown_fields


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize(("wire", "others"), [("texts", '"a"'), ("wholes", "1"), ("numbers", "1.5")])
def test_a_number_beyond_all_numbers_is_in_no_list(wire: str, others: str, number: str) -> None:
    made = structure(json.loads(f'{{"{wire}": [{others}, {number}]}}'), Tree)
    assert getattr(made, wire) == json.loads(f"[{others}]")
    assert wire in made.unknown_fields


@pytest.mark.parametrize("number", BEYOND)
def test_a_number_beyond_all_numbers_is_no_id(number: str) -> None:
    with pytest.raises(ShapeError, match=r"\$.deviceId should be text"):
        structure(json.loads(f'{{"deviceId": {number}, "leaf": {{}}, "many": []}}'), Made)


@pytest.mark.parametrize("number", [10**400, 1e308, 0.0])
def test_a_large_number_is_a_number(number: float) -> None:
    assert structure({"number": number, "numbers": [number]}, Tree).numbers == [number]


@pytest.mark.parametrize("number", BEYOND)
def test_what_no_rule_reads_is_kept_as_it_came(number: str) -> None:
    made = structure(json.loads(f'{{"free": {{"a": {number}}}, "anything": {number}}}'), Tree)
    assert made.unknown_fields == {}
    assert repr(made.anything) == repr(json.loads(number))
