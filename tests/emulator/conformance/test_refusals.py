"""Every endpoint refuses what its table does not allow, with a status and code that its section documents."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.facts import ENDPOINTS

from .requests_of import REQUESTS
from .world import Reply, Request, World

GUARDED = [each for each in ENDPOINTS if not each["rest_section"].startswith("1.3.")]
BY_SECTION = {each["rest_section"]: each for each in ENDPOINTS}
UNKNOWN = "00000000-no-such-thing"

_PARAMETER, _INPUT, _NO_APPLICATION = (400, "100022"), (400, "50400"), (403, "100203")
UNDOCUMENTED: dict[str, set[tuple[int, str]]] = {
    "1.6.1": {_PARAMETER, _NO_APPLICATION},
    "1.6.3": {(404, "100225"), _NO_APPLICATION, (403, "100217")},
    "1.6.4": {_PARAMETER, _NO_APPLICATION},
    "1.6.5": {_NO_APPLICATION},
    "1.6.6": {_PARAMETER, _NO_APPLICATION},
    "1.9.4": {_INPUT},
    "1.9.6": {_INPUT},
}
"""The code for a case that a section does not document: that of similar sections, or of the whole platform."""

_EITHER = "one of deviceId and gatewayId is enough: 100419 is documented for neither"
_BY_PRODUCT = "productId says it as well, as the field's own description has it"
TAKEN = {
    ("1.4.1", "deviceInfo.model"): _BY_PRODUCT,
    ("1.4.2", "deviceInfo.model"): _BY_PRODUCT,
    ("1.5.3", "deviceId"): _EITHER,
    ("1.5.3", "gatewayId"): _EITHER,
    ("1.5.4", "deviceId"): _EITHER,
    ("1.5.4", "gatewayId"): _EITHER,
}
"""Mandatory fields that may be missing, and why."""


def ids(endpoints: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(each, id=each["rest_section"]) for each in endpoints]


def send(world: World, endpoint: dict[str, Any], request: Request, **headers: str) -> Reply:
    return world.call(endpoint["http_method"], endpoint["path"], request, **headers)


def allowed(section: str) -> set[tuple[int, str]]:
    """Return the errors a section documents."""
    documented = {(each["http"], each["code"]) for each in BY_SECTION[section]["errors"]}
    return documented | UNDOCUMENTED.get(section, set())


def assert_refused(section: str, reply: Reply) -> None:
    assert reply.error is not None, reply
    assert set(reply.value) == {"error_code", "error_desc"}
    assert isinstance(reply.value["error_code"], str)
    assert isinstance(reply.value["error_desc"], str)
    assert reply.error in allowed(section), reply


def assert_turned_away(reply: Reply, code: str) -> None:
    """Assert the shape in which the gateway in front of the platform answers."""
    assert (reply.status, set(reply.value)) == (403, {"resultcode", "resultmsg"}), reply
    assert reply.value["resultcode"] == code


# --- who asks ---


@pytest.mark.parametrize("endpoint", ids(GUARDED))
def test_without_a_valid_token_the_gateway_refuses_the_call(endpoint: dict[str, Any], world: World) -> None:
    request = REQUESTS[endpoint["rest_section"]](world)
    good = dict(world.headers)
    for headers in (
        {"app_key": world.app_id},
        {"Authorization": good["Authorization"]},
        {**good, "Authorization": "Bearer " + "0" * 32},
        {**good, "Authorization": "Basic YTpi"},
        {**good, "app_key": UNKNOWN},
    ):
        world.headers = headers
        assert_turned_away(send(world, endpoint, request), "1010005")
    world.headers = good
    assert send(world, endpoint, request).status == endpoint["success_status"], "what was turned away left no trace"


@pytest.mark.parametrize("endpoint", ids(GUARDED))
def test_beyond_the_calls_per_minute_flow_control_stops_the_call(endpoint: dict[str, Any], world: World) -> None:
    request = REQUESTS[endpoint["rest_section"]](world)
    world.control.change_settings(flow_control=True, calls_per_minute=1)
    try:
        assert send(world, endpoint, request).status == endpoint["success_status"]
        reply = send(world, endpoint, request)
    finally:
        world.control.change_settings(flow_control=False, calls_per_minute=100)
    code = reply.value.get("resultcode", reply.value.get("error_code"))
    assert (reply.status, code) == (403, "1010009")


def acting(endpoint: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a request may name another application: place and field."""
    for field in endpoint["request"]["fields"]:
        if field["name"] in ("appId", "accessAppId"):
            yield field.get("in", "body"), field["name"]


@pytest.mark.parametrize("endpoint", ids([each for each in GUARDED if list(acting(each))]))
def test_another_application_has_to_exist_and_to_allow_it(
    endpoint: dict[str, Any], world: World, platform: Any, api: Any
) -> None:
    section = endpoint["rest_section"]
    other = World(platform, api)
    for place, name in acting(endpoint):
        request = REQUESTS[section](world)
        part = request.query if place == "query" else request.body
        part[name] = UNKNOWN
        unknown = send(world, endpoint, request)
        part[name] = other.app_id
        foreign = send(world, endpoint, request)
        assert (unknown.value["error_code"], foreign.value["error_code"]) == ("100203", "100217")
        assert_refused(section, unknown)
        assert_refused(section, foreign)


@pytest.mark.parametrize("endpoint", ids([each for each in GUARDED if list(acting(each))]))
def test_an_authorised_application_may_act_for_another(
    endpoint: dict[str, Any], world: World, platform: Any, api: Any
) -> None:
    guest = World(platform, api)
    world.control.authorise(world.app_id, guest.app_id)
    request = REQUESTS[endpoint["rest_section"]](world)
    for place, name in acting(endpoint):
        (request.query if place == "query" else request.body)[name] = world.app_id
    reply = send(guest, endpoint, request)
    assert (reply.status, reply.error) == (endpoint["success_status"], None), reply


# --- what is asked for ---


def paths() -> list[Any]:
    return [
        pytest.param(each, field["name"], id=f"{each['rest_section']}-{field['name']}")
        for each in GUARDED
        for field in each["request"]["fields"]
        if field.get("in") == "path"
    ]


@pytest.mark.parametrize(("endpoint", "name"), paths())
def test_an_unknown_id_in_the_path_is_refused(endpoint: dict[str, Any], name: str, world: World) -> None:
    request = REQUESTS[endpoint["rest_section"]](world)
    request.ids[name] = UNKNOWN
    assert_refused(endpoint["rest_section"], send(world, endpoint, request))


@pytest.mark.parametrize("endpoint", ids([each for each in GUARDED if "{" in each["path"]]))
def test_devices_of_another_application_are_refused(
    endpoint: dict[str, Any], world: World, platform: Any, api: Any
) -> None:
    section = endpoint["rest_section"]
    request = REQUESTS[section](World(platform, api))
    request.query = {name: value for name, value in request.query.items() if name not in ("appId", "accessAppId")}
    assert_refused(section, send(world, endpoint, request))


# --- how it is asked ---


def places(endpoint: dict[str, Any]) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Yield each field of the query and the body: place, names from the outside in, and the field."""
    structures = endpoint["request"].get("structures", {})

    def inner(kind: str, name: str) -> list[dict[str, Any]]:
        kind = kind.removeprefix("List<").removesuffix(">")
        return [] if kind == "ObjectNode" and name != "param" else structures.get(kind, [])

    def walk(place: str, fields: list[dict[str, Any]], path: list[str]) -> Iterator[Any]:
        for field in fields:
            yield place, [*path, field["name"]], field
            yield from walk(place, inner(field["type"], field["name"]), [*path, field["name"]])

    for field in endpoint["request"]["fields"]:
        place = field.get("in", "body")
        if place != "path":
            yield from walk(place, [field], [])


def holder(request: Request, place: str, path: list[str]) -> Any:
    """Return the object in a request that holds a field, with the first item of lists; None if it is not set."""
    value: Any = request.query if place == "query" else request.form or request.body
    for name in path[:-1]:
        value = value.get(name) if isinstance(value, dict) else None
        value = value[0] if isinstance(value, list) else value
    return value


def field_cases(wanted: Any) -> list[Any]:
    return [
        pytest.param(each, place, path, field, id=f"{each['rest_section']}-{'.'.join(path)}")
        for each in ENDPOINTS
        for place, path, field in places(each)
        if wanted(place, field)
    ]


@pytest.mark.parametrize(
    ("endpoint", "place", "path", "field"),
    field_cases(lambda place, field: field.get("required") == "mandatory"),
)
def test_a_missing_mandatory_field_is_refused(
    endpoint: dict[str, Any], place: str, path: list[str], field: dict[str, Any], world: World
) -> None:
    section = endpoint["rest_section"]
    request = deepcopy(REQUESTS[section](world))
    del holder(request, place, path)[path[-1]]
    reply = send(world, endpoint, request)
    if (section, ".".join(path)) in TAKEN:
        assert (reply.status, reply.error) == (endpoint["success_status"], None)
    else:
        assert_refused(section, reply)


WRONG: dict[str, list[Any]] = {
    "String": [7, True, [], {}],
    "Enum": [7, "SOMETHING"],
    "Integer": ["seven", "7.5", "", 1.5, True],
    "Boolean": ["yes", "", 1],
    "List": ["x", {}],
    "ObjectNode": ["x", 7, []],
    "Object": [],
}


def wrong_values(kind: str) -> list[Any]:
    for name, values in WRONG.items():
        if kind.startswith(name):
            return values
    return ["x", 7, []]


@pytest.mark.parametrize(
    ("endpoint", "place", "path", "field"),
    [each for each in field_cases(lambda place, field: place == "body") if each.values[0]["rest_section"] != "1.3.1"],
)  # 1.3.1 takes a form, which holds text only
def test_a_value_of_another_type_is_refused(
    endpoint: dict[str, Any], place: str, path: list[str], field: dict[str, Any], world: World
) -> None:
    section = endpoint["rest_section"]
    request = REQUESTS[section](world)
    for wrong in wrong_values(field["type"]):
        changed = deepcopy(request)
        holder(changed, place, path)[path[-1]] = wrong
        assert_refused(section, send(world, endpoint, changed))


def limits(kind: str) -> Iterator[Any]:
    """Yield values just outside what a type's limit allows."""
    name, _, limit = kind.replace("[", "(").rstrip("])").partition("(")
    if not limit or name.startswith(("List", "Enum")):
        return
    numbers = [int(number) for number in limit.replace(">=", "").replace("~", "-").replace(",", "-").split("-")]
    is_range, is_least = len(numbers) == 2, limit.startswith(">=")
    if name == "String":
        yield "x" * (numbers[-1] + 1)
        if is_range and numbers[0] > 0:
            yield ""
    else:
        if is_range or is_least:
            yield numbers[0] - 1
        if not is_least:
            yield numbers[-1] + 1


@pytest.mark.parametrize(
    ("endpoint", "place", "path", "field"), field_cases(lambda place, field: bool(list(limits(field["type"]))))
)
def test_a_value_beyond_its_limits_is_refused(
    endpoint: dict[str, Any], place: str, path: list[str], field: dict[str, Any], world: World
) -> None:
    section = endpoint["rest_section"]
    request = REQUESTS[section](world)
    for wrong in limits(field["type"]):
        if place == "query" and wrong == "":
            continue  # in a query an empty value is the same as a missing one
        changed = deepcopy(request)
        holder(changed, place, path)[path[-1]] = wrong
        assert_refused(section, send(world, endpoint, changed))


@pytest.mark.parametrize(
    ("endpoint", "place", "path", "field"),
    field_cases(lambda place, field: field["name"] in ("pageNo", "pageSize", "startTime", "endTime")),
)
def test_an_invalid_page_or_time_is_refused(
    endpoint: dict[str, Any], place: str, path: list[str], field: dict[str, Any], world: World
) -> None:
    section = endpoint["rest_section"]
    wrong = ["-1", "x", "1.5"] if field["type"].startswith("Integer") else ["yesterday", "20261301T000000Z"]
    beyond = [] if section == "1.9.4" else ["100000"]  # the list of groups has no largest page
    for value in [*wrong, *(["0", *beyond] if field["name"] == "pageSize" else [])]:
        request = deepcopy(REQUESTS[section](world))
        holder(request, place, path)[path[-1]] = value
        assert_refused(section, send(world, endpoint, request))


@pytest.mark.parametrize("endpoint", ids([each for each in ENDPOINTS if each["http_method"] in ("POST", "PUT")]))
def test_a_body_that_is_no_json_object_is_refused(endpoint: dict[str, Any], world: World) -> None:
    section = endpoint["rest_section"]
    request = REQUESTS[section](world)
    path = endpoint["path"]
    for name, value in request.ids.items():
        path = path.replace(f"{{{name}}}", value)
    kind = {"Content-Type": "application/json"}
    nothing = [] if section in ("1.4.3", "1.4.4") else [b"", b"null"]  # all fields are optional, so it may be empty
    for content in (*nothing, b"{", b"[]", b'"text"', b"7", b"\xff\xfe{}", b'{"a":' * 200 + b"1" + b"}" * 200):
        assert_refused(section, world.api.send(endpoint["http_method"], path, content, world.headers | kind))
