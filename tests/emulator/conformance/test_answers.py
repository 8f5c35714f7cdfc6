"""Each endpoint answers a valid request as its table says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.facts import ENDPOINTS

from .requests_of import REQUESTS
from .tables import faults
from .world import LONG_AGO, Request, World

SECTIONS = [pytest.param(endpoint, id=endpoint["rest_section"]) for endpoint in ENDPOINTS]

_ECHOED = "param shows what the task was created with, and nothing that was not given"
DEVIATIONS = {
    **{
        ("1.8.2", f"param.{name}: missing"): _ECHOED
        for name in ("callbackUrl", "deviceLocation", "deviceType", "groupList", "groupTag", "manufacturerId", "model")
    },
    ("1.8.2", "param.maxRetransmit: missing"): _ECHOED,
    ("1.6.1", "clientIds: missing"): "ids of MQTT clients: only where the channel is MQTT",
    ("1.10.7", "data.extendInfo: not documented"): "the sample's name for extendPara, which the vendor's SDK reads",
}
"""Where an answer differs from its table on purpose, and why."""

ALTERNATIVES = {
    ("1.5.2", ""): "filters by other values than the ones used",
    ("1.8.1", "param"): "selectors other than the one used",
    ("1.10.4", "targets"): "deviceGroups and devices exclude each other",
    ("1.10.5", "targets"): "deviceGroups and devices exclude each other",
}
"""Parts of a request that cannot be set at the same time."""

NEEDED = {
    "1.4.2": (("deviceInfo",), "the device's nodeId stands in it"),
    "1.5.2": (("pageNo", "pageSize"), "one of gatewayId and pageNo has to be there"),
    "1.8.1": (("param.deviceList",), "each selector needs its list"),
}
"""Optional fields that a request needs nevertheless."""


def documented(endpoint: dict[str, Any], place: str) -> dict[str, dict[str, Any]]:
    """Return the request's fields in the path, the query or the body."""
    return {field["name"]: field for field in endpoint["request"]["fields"] if field.get("in", "body") == place}


def given(request: Request) -> Any:
    return request.body if request.form is None else request.form


@pytest.mark.parametrize("endpoint", SECTIONS)
def test_the_valid_requests_set_every_documented_field(endpoint: dict[str, Any], world: World) -> None:
    section = endpoint["rest_section"]
    request = REQUESTS[section](world)
    assert set(request.ids) == set(documented(endpoint, "path"))
    assert set(request.query) == set(documented(endpoint, "query"))
    assert set(given(request) or ()) == set(documented(endpoint, "body"))
    # The request's body must be complete and documented, too, with its nested structures.
    wrong = [
        each
        for each in faults(section, given(request) or {}, {**endpoint["request"], "fields": [
            field for field in endpoint["request"]["fields"] if field.get("in", "body") == "body"
        ]})
        if not (each.endswith(": missing") and (section, each.partition(".")[0]) in ALTERNATIVES)
    ]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("endpoint", SECTIONS)
def test_a_valid_request_is_answered_as_documented(endpoint: dict[str, Any], world: World) -> None:
    section = endpoint["rest_section"]
    reply = world.call(endpoint["http_method"], endpoint["path"], REQUESTS[section](world))
    assert (reply.status, reply.error) == (endpoint["success_status"], None), reply
    if not endpoint["response"].get("fields"):
        assert reply.value is None
        assert reply.kind == ("" if reply.status == 204 else "text/html")
        return
    assert reply.kind.replace(" ", "").lower() in ("application/json", "application/json;charset=utf-8")
    assert isinstance(reply.value, dict)
    wrong = [each for each in faults(section, reply.value, endpoint["response"]) if (section, each) not in DEVIATIONS]
    assert wrong == []


def lists_of(endpoint: dict[str, Any]) -> list[str]:
    fields = endpoint["response"].get("fields", [])
    return [field["name"] for field in fields if field["type"].startswith("List")]


@pytest.mark.parametrize(
    "endpoint", [pytest.param(each, id=each["rest_section"]) for each in ENDPOINTS if lists_of(each)]
)
def test_lists_are_not_empty_if_something_matches(endpoint: dict[str, Any], world: World) -> None:
    lists = lists_of(endpoint)
    section = endpoint["rest_section"]
    reply = world.call(endpoint["http_method"], endpoint["path"], REQUESTS[section](world))
    for name in lists:
        if (section, f"{name}: missing") not in DEVIATIONS:
            assert reply.value[name], reply
    total = reply.value.get("totalCount", reply.value.get("pagination", {}).get("totalSize"))
    if total is not None:
        assert total == len(reply.value[lists[0]])


def mandatory_only(
    section: str, fields: list[dict[str, Any]], structures: dict[str, Any], value: Any, path: str
) -> Any:
    """Return a message without its optional fields."""
    kept = {}
    for field in fields:
        name, where = field["name"], f"{path}{field['name']}"
        if name not in value or (field.get("required") != "mandatory" and where not in NEEDED.get(section, ((),))[0]):
            continue
        inner = structures.get(field["type"])
        is_free = field["type"] == "ObjectNode" and name != "param"
        kept[name] = (
            value[name]
            if inner is None or is_free
            else mandatory_only(section, inner, structures, value[name], f"{where}.")
        )
    return kept


@pytest.mark.parametrize("endpoint", SECTIONS)
def test_the_mandatory_fields_alone_suffice(endpoint: dict[str, Any], world: World) -> None:
    section, side = endpoint["rest_section"], endpoint["request"]
    request = REQUESTS[section](world)
    structures = side.get("structures", {})
    query, body = list(documented(endpoint, "query").values()), list(documented(endpoint, "body").values())
    request.query = mandatory_only(section, query, structures, request.query, "")
    if request.form is None and request.body is not None:
        request.body = mandatory_only(section, body, structures, request.body, "")
        if section == "1.10.4" or section == "1.10.5":
            request.body["targets"] = {"devices": [world.heard_meter]}
        if section == "1.7.7":  # no body: that is for a command without parameters
            request.body["header"]["method"] = "READ_TOTAL"
    reply = world.call(endpoint["http_method"], endpoint["path"], request)
    assert (reply.status, reply.error) == (endpoint["success_status"], None), reply


def as_text(value: Any, *, upper: bool = False) -> Any:
    """Return JSON with its numbers and booleans written as text; what a product model describes stays as it is."""
    if isinstance(value, dict):
        return {
            name: inner if name in ("desired", "paras") else as_text(inner, upper=upper)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [as_text(inner, upper=upper) for inner in value]
    if isinstance(value, bool | int):
        text = json.dumps(value)
        return text.upper() if upper else text
    return value


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("endpoint", SECTIONS)
def test_numbers_and_booleans_may_come_as_text(endpoint: dict[str, Any], upper: bool, world: World) -> None:
    request = REQUESTS[endpoint["rest_section"]](world)
    request.body = as_text(request.body, upper=upper)
    request.query = as_text(request.query, upper=upper)
    reply = world.call(endpoint["http_method"], endpoint["path"], request)
    assert (reply.status, reply.error) == (endpoint["success_status"], None), reply


@pytest.mark.parametrize("endpoint", SECTIONS)
def test_a_slash_at_the_end_of_the_path_makes_no_difference(endpoint: dict[str, Any], world: World) -> None:
    reply = world.call(endpoint["http_method"], f"{endpoint['path']}/", REQUESTS[endpoint["rest_section"]](world))
    assert (reply.status, reply.error) == (endpoint["success_status"], None), reply


def test_values_that_came_as_text_are_stored_with_their_types(world: World) -> None:
    device_id = world.new_meter()
    path = "/iocm/app/dm/v1.4.0/devices/{deviceId}"
    body = {"isSecure": "true", "deviceConfig": {"dataConfig": {"dataAgingTime": "0"}}}
    assert world.call("PUT", path, Request({"deviceId": device_id}, {}, body)).status == 204
    info = world.call("GET", path, Request({"deviceId": device_id})).value["deviceInfo"]
    assert info["isSecurity"] == "TRUE"
    row = world.inside(lambda platform: platform.table("devices")[device_id])
    assert (row["isSecure"], row["dataAgingTime"]) == (True, 0)


@pytest.mark.parametrize("select", ["tags", "tag"])
def test_the_tags_of_a_batch_task_are_selected_by_either_spelling(world: World, select: str) -> None:
    path = f"/iocm/app/batchtask/v1.1.0/tasks/{world.batch_task}"
    assert world.get(path, select=select)["tags"]
    assert "tags" not in world.get(path)


def test_no_deviation_is_listed_that_does_not_occur(world: World) -> None:
    met = set()
    for endpoint in ENDPOINTS:
        section = endpoint["rest_section"]
        if any(section == each for each, _ in DEVIATIONS):
            reply = world.call(endpoint["http_method"], endpoint["path"], REQUESTS[section](world))
            met |= {(section, each) for each in faults(section, reply.value, endpoint["response"])}
    assert met >= DEVIATIONS.keys()


def test_a_window_that_ended_long_ago_is_empty(world: World) -> None:
    for endpoint in ENDPOINTS:
        if "endTime" in documented(endpoint, "query"):
            request = REQUESTS[endpoint["rest_section"]](world)
            request.query["endTime"] = LONG_AGO
            answer = world.call(endpoint["http_method"], endpoint["path"], request).value
            assert all(not value for value in answer.values() if isinstance(value, list)), endpoint["rest_section"]
