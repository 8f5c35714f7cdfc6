from __future__ import annotations

import http.client
import inspect
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from iot_northbound.emulator.control import Control
from iot_northbound.emulator.control_api import description
from iot_northbound.emulator.control_operations import OPERATIONS, Operation
from iot_northbound.emulator.server import Emulator

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(emulator: Emulator) -> Iterator[Call]:
    connection = http.client.HTTPConnection((emulator.control_url or "").removeprefix("http://"), timeout=10)

    def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    yield send
    connection.close()


def test_the_same_is_done_as_by_the_object(emulator: Emulator, call: Call) -> None:
    assert call("POST", "/seed", {"count": 30}) == (200, {"devices": 30})
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
    assert call("PATCH", "/settings", {"calls_a_minute": 7})[1]["calls_a_minute"] == 7
    assert call("POST", "/reset") == (204, None)
    assert "devices" not in call("GET", "/health")[1]["rows"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        ("POST", "/clock/advance", {"seconds": -1}, 400, "body.seconds must be from 0"),
        ("POST", "/clock/advance", {"seconds": True}, 400, "body.seconds must be number"),
        ("POST", "/clock/advance", {}, 400, "body.seconds is missing"),
        ("POST", "/clock/advance", {"seconds": 1, "minutes": 1}, 400, "body.minutes is not known"),
        ("POST", "/clock/advance", [], 400, "body must be object"),
        ("POST", "/clock/advance", b"{", 400, "not valid JSON"),
        ("POST", "/reset", {}, 400, "takes no body"),
        ("POST", "/faults", {"kind": "storm"}, 400, "body.kind must be one of"),
        ("PATCH", "/settings", {"transitions": "never"}, 400, "body.transitions must be one of"),
        ("GET", "/journal?since=x", None, 400, "query.since must be an integer"),
        ("GET", "/journal?until=1", None, 400, "query.until is not known"),
        ("PUT", "/devices/x/online", {}, 404, "no device 'x'"),
        ("GET", "/devices/x/calls", None, 404, "no device 'x'"),
        ("POST", "/devices/x/calls/answer", {"request_id": "r"}, 404, "no device 'x'"),
        ("POST", "/devices/x/calls/answer", {"ok": True}, 400, "body.request_id is missing"),
        ("POST", "/devices/x/calls/answer", {"request_id": "r", "ok": "yes"}, 400, "body.ok must be boolean"),
        ("POST", "/snapshots/x/restore", None, 404, "no snapshot 'x'"),
        ("GET", "/snapshots/", None, 404, "no operation"),
        ("GET", "/nothing", None, 404, "/openapi.json"),
        ("PUT", "/health", None, 405, "/health takes GET"),
    ],
)
def test_bad_input_is_told_by_place_and_rule(
    call: Call, method: str, path: str, body: Any, status: int, named: str
) -> None:
    told, answer = call(method, path, body)
    assert told == status
    assert named in answer["error"]


def test_a_web_page_cannot_call_by_a_name_of_its_own(call: Call) -> None:
    status, answer = call("POST", "/reset", Host="attacker.example:80")
    assert status == 403
    assert "localhost" in answer["error"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_operation_fits_its_method(operation: Operation) -> None:
    method = getattr(Control, operation.name)
    parameters = inspect.signature(method).parameters
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    ids = {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}
    given = ids | set(operation.query) | set((operation.body or {}).get("properties", {}))
    required = {
        name
        for name, one in parameters.items()
        if name != "self" and one.default is one.empty and one.kind is not one.VAR_KEYWORD
    }
    assert takes_any or given <= set(parameters)
    assert required <= ids | set((operation.body or {}).get("required", ()))
    assert method.__doc__


def test_every_method_is_offered_over_http() -> None:
    public = {name for name in vars(Control) if not name.startswith("_")}
    assert public - {one.name for one in OPERATIONS} == {"seed_some"}


def test_the_description_tells_of_every_field_without_naming_internals() -> None:
    operations = [one for path in description()["paths"].values() for one in path.values()]
    told = {one["operationId"]: f"{one['summary']} {one.get('description', '')}" for one in operations}
    for each in told.values():
        assert not re.search(r"\b(state|faults|journal|kernel|scripted)\.\w", each)
    for name in ("add_fault", "script"):
        fields = next(one.body for one in OPERATIONS if one.name == name)["properties"]  # type: ignore[index]
        assert [field for field in fields if f"{field}:" not in told[name]] == []


class TestDescription:
    """What the description promises holds for whatever fits it, and for what does not."""

    schema = schemathesis.openapi.from_dict(
        {
            **description(),
            "paths": {path: item for path, item in description()["paths"].items() if path != "/seed"},
        }
    )

    @schema.parametrize()
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def test_holds(self, case: schemathesis.Case, shared_emulator: Emulator) -> None:
        # The rules of models, packages and reports know more than a schema can say.
        wise = ("/models", "/packages", "/devices/{device_id}/script", "/faults", "/journal")
        more = case.operation.label.partition(" ")[2] in wise
        case.call_and_validate(
            base_url=shared_emulator.control_url, excluded_checks=[positive_data_acceptance] if more else []
        )


@pytest.fixture(scope="module")
def shared_emulator(home_folder: Any) -> Iterator[Emulator]:
    with Emulator(folder=home_folder) as running:
        running.control.seed(20)
        yield running
