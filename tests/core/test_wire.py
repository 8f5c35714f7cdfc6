"""Requests as the wire wants them: names, nulls, exact JSON types."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import InvalidArgumentError
from iot_northbound.core.fields import SECRET, JsonObject, Text, TimeIn, Wire, request, response
from iot_northbound.core.wire import ShapeError, encode_body, encode_pairs, secrets_in, structure, to_json


@request
class Inner:
    tag_name: str
    psk: Annotated[str | None, SECRET] = None


@request
class Outer:
    node_id: str
    callback_url: Annotated[str | None, Wire("callbackurl")] = None
    time_out: int | None = None
    ratio: float | None = None
    is_secure: bool | None = None
    start_time: TimeIn | None = None
    inner: Inner | None = None
    tags: list[Inner] | None = None
    names: Annotated[list[str] | None, Text(0, 5)] = None
    paras: JsonObject | None = None
    anything: Any = None
    from_: str | None = None


@response
class Back:
    node_id: str | None = None
    numbers: list[int] | None = None


def test_names_are_the_wires_and_nulls_and_empty_lists_stay_away() -> None:
    dto = Outer(node_id="n", callback_url="u", from_="me", tags=[], inner=Inner(tag_name="t"))
    assert to_json(dto) == {"nodeId": "n", "callbackurl": "u", "from": "me", "inner": {"tagName": "t"}}


def test_zero_false_and_empty_text_are_values() -> None:
    dto = Outer(node_id="n", time_out=0, is_secure=False, callback_url="", ratio=0.0)
    assert to_json(dto) == {"nodeId": "n", "timeOut": 0, "isSecure": False, "callbackurl": "", "ratio": 0.0}


def test_free_json_passes_exactly() -> None:
    free = {"a": 1.0, "b": None, "c": "null", "d": 2**70, "e": [], "f": {"g": [None, True, "\u0000", "水"]}, "": {}}
    sent = json.loads(encode_body(Outer(node_id="n", paras=free)))["paras"]
    assert sent == free
    assert isinstance(sent["a"], float)
    assert b'"a":1.0' in encode_body(Outer(node_id="n", paras=free))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_any_free_json_survives(free: dict[str, Any]) -> None:
    assert json.loads(encode_body(Outer(node_id="n", paras=free)))["paras"] == free


def test_times_go_as_the_platform_writes_them() -> None:
    local = datetime(2026, 2, 12, 20, 12, 12, 80_000, tzinfo=timezone(timedelta(hours=8)))
    assert to_json(Outer(node_id="n", start_time=local))["startTime"] == "20260212T121212080Z"
    assert encode_pairs(Outer(node_id="n", start_time=datetime(2026, 2, 12, tzinfo=UTC))) == (
        "nodeId=n&startTime=20260212T000000Z"
    )


def test_pairs_are_percent_encoded() -> None:
    assert encode_pairs({"a": "x y&z=ä/?", "b": None, "c": True, "d": False, "e": 5}) == (
        "a=x%20y%26z%3D%C3%A4%2F%3F&c=true&d=false&e=5"
    )
    assert encode_pairs({"a": None}) == ""


def test_rules_hold_again_when_something_was_changed_after_construction() -> None:
    dto = Outer(node_id="n", tags=[Inner(tag_name="t")])
    assert dto.tags is not None
    dto.tags.append("no tag")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"Outer\.tags"):
        encode_body(dto)


def test_a_secret_that_cannot_be_written_is_not_shown() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        encode_pairs({"secret": "hush\ud800"})
    assert "hush" not in str(caught.value)


def test_the_secrets_of_a_request_are_found_at_any_depth() -> None:
    dto = Outer(
        node_id="n",
        inner=Inner(tag_name="t", psk="one-secret"),
        tags=[Inner(tag_name="t"), Inner(tag_name="t", psk="two-secret")],
        paras={"psk": "the application's own"},
    )
    assert secrets_in(dto) == ("one-secret", "two-secret")
    assert secrets_in(None) == secrets_in({"secret": "x"}) == ()


def test_unknown_fields_are_left_and_missing_ones_are_none() -> None:
    assert structure({"nodeId": "n", "isHD": True}, Back) == Back(node_id="n")
    assert structure({}, Back) == Back()


def test_what_does_not_fit_costs_its_field_alone() -> None:
    assert structure({"nodeId": 5, "numbers": [1, "2", "three"]}, Back) == Back(node_id="5", numbers=[1, 2])


@pytest.mark.parametrize("value", [[], None, "x"])
def test_a_wrong_type_is_told_by_its_path(value: Any) -> None:
    with pytest.raises(ShapeError) as caught:
        structure(value, Back)
    assert caught.value.path == "$"


def test_what_is_no_request_dto_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="it must be a request DTO") as caught:
        to_json("text")
    assert caught.value.error_code == "1007"
