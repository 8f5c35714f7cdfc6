from __future__ import annotations

import http.client
import inspect
import json
import logging
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.http import description
from iot_northbound.emulator.control.operations import OPERATIONS, Operation
from iot_northbound.emulator.server import Emulator

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(emulator: Emulator) -> Iterator[Call]:
    connection = http.client.HTTPConnection((emulator.control_url or "").removeprefix("http://"), timeout=60)

    def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        connection.request(method, path, content, {**kind, **headers})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    yield send
    connection.close()


def test_the_same_is_done_as_by_the_object(emulator: Emulator, call: Call) -> None:
    assert call("POST", "/devices", {"count": 30}) == (201, 30)
    assert call("POST", "/clock/freeze", {"at": 1_900_000_000}) == (204, None)
    assert call("POST", "/clock/advance", {"seconds": 60}) == (204, None)
    assert call("GET", "/clock")[1] == emulator.control.clock()
    assert emulator.control.clock()["now"] == 1_900_000_060
    status, fault = call("POST", "/faults", {"kind": "latency", "seconds": 0})
    assert status == 201
    assert emulator.control.faults() == [fault]
    assert call("DELETE", f"/faults/{fault['id']}") == (204, None)
    assert call("PUT", "/snapshots/a%20b") == (204, None)
    assert call("GET", "/snapshots") == (200, ["a b"])
    assert call("PATCH", "/settings", {"calls_per_minute": 7})[1]["calls_per_minute"] == 7
    assert call("POST", "/reset") == (204, None)
    assert "devices" not in call("GET", "/health")[1]["rows"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        ("POST", "/clock/advance", {"seconds": -1}, 400, "seconds must be from 0"),
        ("POST", "/clock/advance", {"seconds": True}, 400, "seconds must be a number"),
        ("POST", "/clock/advance", {}, 400, "seconds is missing"),
        ("POST", "/clock/advance", {"seconds": 1, "minutes": 1}, 400, "minutes is not known"),
        ("POST", "/clock/advance", [], 400, "the body must be an object"),
        ("POST", "/clock/advance", b"{", 400, "not valid JSON"),
        ("POST", "/reset", {}, 400, "takes no body"),
        ("POST", "/faults", {"kind": "storm"}, 400, "kind must be one of"),
        ("PATCH", "/settings", {"transitions": "never"}, 400, "transitions must be one of"),
        ("GET", "/journal?since=x", None, 400, "since must be a whole number"),
        ("GET", "/journal?until=1", None, 400, "until is not known"),
        ("PUT", "/devices/x/online", {}, 404, "no device 'x'"),
        ("GET", "/devices/x/calls", None, 404, "no device 'x'"),
        ("POST", "/devices/x/calls/answer", {"request_id": "r"}, 404, "no device 'x'"),
        ("POST", "/devices/x/calls/answer", {"ok": True}, 400, "request_id is missing"),
        ("POST", "/devices/x/calls/answer", {"request_id": "r", "ok": "yes"}, 400, "ok must be true or false or null"),
        ("POST", "/snapshots/x/restore", None, 404, "no snapshot 'x'"),
        ("GET", "/snapshots/", None, 404, "no operation"),
        ("GET", "/nothing", None, 404, "/openapi.json"),
        ("PUT", "/health", None, 405, "/health takes GET"),
    ],
)
def test_an_error_about_bad_input_names_the_place_and_the_rule(
    call: Call, method: str, path: str, body: Any, status: int, named: str
) -> None:
    told, answer = call(method, path, body)
    assert told == status
    assert named in answer["error"]


def test_a_web_page_cannot_call_by_a_name_of_its_own(call: Call) -> None:
    status, answer = call("POST", "/reset", Host="attacker.example:80")
    assert status == 403
    assert "localhost" in answer["error"]


PAGES: dict[str, dict[str, str]] = {
    "of another server": {"Origin": "https://page.example"},
    "sandboxed, or a local file": {"Origin": "null"},
    "of another port of this machine": {"Origin": "http://localhost:3000"},
    "of another scheme": {"Origin": "https://{host}"},
    "of no origin": {"Origin": ""},
    "from afar": {"Sec-Fetch-Site": "cross-site"},
    "from near by": {"Sec-Fetch-Site": "same-site"},
    "in an unknown place": {"Sec-Fetch-Site": "new-value"},
    "with a name that leads here": {"Host": "rebound.example", "Origin": "http://rebound.example"},
    "with a name that leads here and the right port": {"Host": "rebound.example:{port}"},
    "with a name that begins like a local one": {"Host": "localhost.page.example:{port}"},
    "with a local name before another one": {"Host": "localhost:{port}@page.example"},
    "without a name": {"Host": ""},
}


@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("page", list(PAGES))
def test_every_request_of_a_web_page_is_refused(emulator: Emulator, call: Call, page: str, method: str) -> None:
    emulator.control.add_devices(3)
    host = (emulator.control_url or "").removeprefix("http://")
    headers = {name: text.format(host=host, port=host.rpartition(":")[2]) for name, text in PAGES[page].items()}
    path = {"DELETE": "/journal", "GET": "/journal"}.get(method, "/reset")
    status, answer = call(method, path, **headers)
    assert status == 403
    assert re.search("web pages may not call|call the control plane as localhost", answer["error"])
    assert emulator.control.health()["rows"]["devices"] == 3


def test_several_host_headers_are_refused(emulator: Emulator) -> None:
    host, _, port = (emulator.control_url or "").removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as peer:
        peer.sendall(b"POST /reset HTTP/1.1\r\nHost: localhost\r\nHost: page.example\r\nContent-Length: 0\r\n\r\n")
        assert b" 403 " in peer.recv(65_536)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LocalHost:8744"},
        {"Host": "[::1]:8744"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "localhost:8744", "Origin": "http://localhost:8744", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_programs_and_people_are_answered(call: Call, headers: dict[str, str]) -> None:
    assert call("GET", "/health", **headers)[0] == 200
    assert call("POST", "/reset", **headers)[0] == 204


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/plain; charset=application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "text/json",
        "",
    ],
)
def test_a_body_has_to_be_marked_as_json(emulator: Emulator, call: Call, kind: str) -> None:
    status, answer = call("POST", "/devices", {"count": 3}, **{"Content-Type": kind})
    assert status == 415
    assert "-H 'Content-Type: application/json'" in answer["error"]
    assert "devices" not in emulator.control.health()["rows"]


def raw(emulator: Emulator, *headers: str) -> tuple[int, str]:
    """Post a body to /devices with only these headers, Host and the length; return the status and the answer."""
    host, _, port = (emulator.control_url or "").removeprefix("http://").rpartition(":")
    body = b'{"count": 3}'
    lines = ["POST /devices HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(body)}", "Connection: close"]
    with socket.create_connection((host, int(port)), timeout=60) as peer:
        peer.sendall("\r\n".join([*lines, *headers, "", ""]).encode() + body)
        answer = b"".join(iter(lambda: peer.recv(65_536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), content.decode()


@pytest.mark.parametrize(
    "kinds",
    [
        [],
        ["application/json", "text/plain"],
        ["text/plain", "application/json"],
        ["application/json", ""],
        ["application/json, text/plain"],
    ],
)
def test_a_body_without_a_type_or_with_another_one_beside_json_is_refused(emulator: Emulator, kinds: list[str]) -> None:
    status, body = raw(emulator, *[f"Content-Type: {kind}" for kind in kinds])
    assert status == 415
    assert "Content-Type: application/json" in body
    assert "devices" not in emulator.control.health()["rows"]


def test_json_said_twice_is_json(emulator: Emulator) -> None:
    assert raw(emulator, *["Content-Type: application/json"] * 2) == (201, "3")
    assert emulator.control.health()["rows"]["devices"] == 3


def test_a_websocket_of_a_page_is_refused_and_leaves_no_warning(
    emulator: Emulator, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    assert call("GET", "/journal", Origin="https://page.example", **upgrade)[0] == 403
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_json_may_be_spelt_as_http_allows(call: Call, kind: str) -> None:
    assert call("POST", "/devices", {"count": 3}, **{"Content-Type": kind})[0] == 201


@pytest.mark.parametrize("path", ["/reset", "/devices", "/journal"])
def test_no_page_is_let_in_by_a_preflight(call: Call, emulator: Emulator, path: str) -> None:
    host, _, port = (emulator.control_url or "").removeprefix("http://").rpartition(":")
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("OPTIONS", path, headers={"Origin": "https://page.example", **asked})
    answer = connection.getresponse()
    assert answer.status == 403
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
    connection.close()
    assert call("OPTIONS", path)[0] == 405


def test_no_get_changes_anything(call: Call, emulator: Emulator) -> None:
    emulator.control.add_devices(3)
    emulator.control.freeze()

    def state() -> list[Any]:
        control = emulator.control
        return [control.health()["rows"], control.settings(), control.clock(), control.faults(), control.journal()]

    before = state()
    reads = [one for one in OPERATIONS if one.method == "GET"]
    assert reads
    for one in reads:
        assert call("GET", one.path)[0] == (404 if "{" in one.path else 200)
    assert state() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_operation_fits_its_method(operation: Operation) -> None:
    method = getattr(Control, operation.name)
    parameters = inspect.signature(method).parameters
    ids = set(operation.ids)
    given = ids | set(operation.query) | set((operation.body or {}).get("properties", {}))
    named = {name for name, one in parameters.items() if name != "self" and one.kind is not one.VAR_KEYWORD}
    required = {name for name in named if parameters[name].default is inspect.Parameter.empty}
    assert named <= given
    assert required - ids == set((operation.body or {}).get("required", ()))
    assert method.__doc__


def test_every_method_is_offered_over_http() -> None:
    public = {name for name, _ in inspect.getmembers(Control, callable) if not name.startswith("_")}
    assert public == {one.name for one in OPERATIONS}


def test_the_description_describes_every_field_without_naming_internals() -> None:
    operations = [one for path in description()["paths"].values() for one in path.values()]
    told = {one["operationId"]: f"{one['summary']} {one.get('description', '')}" for one in operations}
    for each in told.values():
        assert not re.search(r"\b(state|faults|journal|kernel|scripted)\.\w", each)
    for name in ("add_fault", "script"):
        fields = next(one.body for one in OPERATIONS if one.name == name)["properties"]  # type: ignore[index]
        assert [field for field in fields if f"{field}:" not in told[name]] == []


class TestDescription:
    """The description is true for requests that fit it, and for others."""

    schema = schemathesis.openapi.from_dict(
        {
            **description(),
            "paths": {path: item for path, item in description()["paths"].items() if path != "/devices"},
        }
    )

    @schema.parametrize()
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def test_holds(self, case: schemathesis.Case, shared_emulator: Emulator) -> None:
        # Models, packages and reports have more rules than a schema can say.
        wise = ("/models", "/nodes", "/packages", "/devices/{device_id}/script", "/faults", "/journal")
        more = case.operation.label.partition(" ")[2] in wise
        case.call_and_validate(
            base_url=shared_emulator.control_url, excluded_checks=[positive_data_acceptance] if more else []
        )


@pytest.fixture(scope="module")
def shared_emulator(home_folder: Any) -> Iterator[Emulator]:
    with Emulator(folder=home_folder) as running:
        running.control.add_devices(20)
        yield running
