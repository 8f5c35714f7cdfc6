"""Arguments of operations are described once, and a wrong one is refused in the same way from Python and over HTTP."""

from __future__ import annotations

import http.client
import inspect
import json
from dataclasses import MISSING, fields
from typing import Any

import pytest

from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.operations import OPERATIONS
from iot_northbound.emulator.control.schema import InvalidArgument
from iot_northbound.emulator.faults import Fault
from iot_northbound.emulator.rules import scripts
from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire

REPORT = {"service_id": "Lamp", "data": {"on": True}}


def over_http(emulator: Emulator, name: str, arguments: dict[str, Any]) -> tuple[int, str]:
    """Call an operation with arguments by name; return the status and the error."""
    operation = next(one for one in OPERATIONS if one.name == name)
    path = operation.path.format(**arguments)
    body = {field: value for field, value in arguments.items() if field not in operation.ids}
    connection = http.client.HTTPConnection((emulator.control_url or "").removeprefix("http://"), timeout=60)
    kind = {"Content-Type": "application/json"}
    connection.request(operation.method, path, json.dumps(body), kind)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, str(json.loads(text)["error"]) if text else ""


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("change_settings", {"token_lifetime": 0}, "token_lifetime must be from 1 to 1000000000"),
        ("change_settings", {"offline_after": "1h"}, "offline_after must be a number or null"),
        ("change_settings", {"transitions": "never"}, "transitions must be one of immediate, timed, manual"),
        ("change_settings", {"history_rows_per_device": 1.5}, "history_rows_per_device must be a whole number"),
        ("change_settings", {"mqtt_keepalive": [30]}, "mqtt_keepalive must have 2 items"),
        ("change_settings", {"mqtt_keepalive": [30, 60, 120]}, "mqtt_keepalive must have 2 items"),
        ("change_settings", {"mqtt_keepalive": [30, "x"]}, "mqtt_keepalive[1] must be a whole number"),
        ("change_settings", {"hub_params": {"level": 3}}, "hub_params.level must be a string"),
        ("add_devices", {"count": 0}, "count must be from 1 to 1000000"),
        ("add_devices", {"count": 1, "prefix": ""}, "prefix must have 1 to 40 characters"),
        ("advance", {"seconds": -1}, "seconds must be from 0"),
        ("freeze", {"at": True}, "at must be a number or null"),
        ("seed_faults", {"seed": -1}, "seed must be from 0"),
        ("add_fault", {"kind": "earthquake"}, "kind must be one of latency, stall"),
        ("add_fault", {"kind": ["reset"]}, "kind must be a string"),
        ("add_fault", {"kind": "reset", "when": "later"}, "when must be one of before, after"),
        ("add_fault", {"kind": "reset", "count": 0}, "count must be from 1"),
        ("add_fault", {"kind": "reset", "count": True}, "count must be a whole number or null"),
        ("add_fault", {"kind": "reset", "probability": 1.5}, "probability must be from 0 to 1"),
        ("add_fault", {"kind": "latency", "seconds": -1}, "seconds must be from 0 to 86400"),
        ("add_fault", {"kind": "latency", "seconds": "1"}, "seconds must be a number or null"),
        ("add_fault", {"kind": "answer", "status": 99}, "status must be from 200 to 599"),
        ("add_fault", {"kind": "answer", "headers": {"a": "b\r\nc"}}, "headers.a has characters that are not allowed"),
        ("add_fault", {"kind": "answer", "headers": {"a b": "c"}}, "a name in headers has characters"),
        ("add_fault", {"kind": "answer", "headers": {"a": 1}}, "headers.a must be a string"),
        ("add_fault", {"kind": "answer", "headers": {"Content-Length": "1"}}, "use the kind wrong_length"),
        ("add_fault", {"kind": "wrong_length", "delta": 0}, "delta must not be 0"),
        ("add_fault", {"kind": "reset", "endpoint": 5}, "endpoint must be a string"),
        ("add_fault", {"kind": "reset", "endpoint": "GET /nothing"}, "endpoint is 'GET /nothing'"),
        ("add_fault", {"kind": "push_lost", "notify_type": "deviceAdd"}, "similar are deviceAdded"),
        ("add_fault", {"kind": "reset", "status": 503}, "status: reset has no such option; it goes with answer"),
        ("add_application", {"secret": ""}, "secret must have 1 to 256 characters"),
        ("add_model", {"model": {}}, "this product model cannot be used"),
        ("add_package", {"package": {}}, "this version package cannot be used"),
        ("report", {"service_id": "Lamp", "data": []}, "data must be an object"),
        ("report", {"service_id": "Oven", "data": {}}, "has no service 'Oven'"),
        ("report_services", {"services": []}, "services must have at least 1 item"),
        ("report_services", {"services": [{"data": {}}]}, "services[0].service_id is missing"),
        ("report_services", {"services": [{**REPORT, "time": 1}]}, "services[0].time is not known"),
        ("report_alarm", {"severity": 7}, "severity must be a string"),
        ("report_info", {"swVersion": 7}, "swVersion must be a string"),
        ("report_info", {"colour": "red"}, "colour is not known; known are: device_id, bridgeId"),
        ("set_online", {"detail": "FINE"}, "detail must be one of NONE, CONFIGURATION_PENDING"),
        ("mute", {"service_id": "Lamp", "methods": "SWITCH"}, "methods must be an array"),
        ("refuse_desired", {"service_id": "Oven"}, "has no service 'Oven'"),
        ("device_event", {"service_id": "Lamp", "event_type": "", "body": {}}, "event_type must have 1 to 32"),
        ("script", {"answer": "maybe"}, "answer must be one of success, fail, never"),
        ("script", {"after": -1}, "after must be from 0"),
        ("script", {"acknowledge_after": "soon"}, "acknowledge_after must be a number"),
        ("script", {"result": 0}, "result must be an object or null"),
        ("script", {"report_every": 0, "report": REPORT}, "report_every must be from 0.001"),
        ("script", {"report_every": "often", "report": REPORT}, "report_every must be a number or null"),
        ("script", {"report_every": 5}, "report_every needs a report"),
        ("script", {"report": REPORT}, "give the seconds between two reports"),
        ("script", {"report_every": 5, "report": []}, "report must have at least 1 item"),
        ("script", {"report_every": 5, "report": {"service_id": "Lamp"}}, "report.data is missing"),
        ("script", {"report_every": 5, "report": {**REPORT, "serviceId": ""}}, "report.serviceId is not known"),
        ("script", {"report_every": 5, "report": [REPORT, "Oven"]}, "report[1] must be an object"),
        (
            "script",
            {"report_every": 5, "report": {**REPORT, "increments": {"on": 1}}},
            "increments.on must be",
        ),
        (
            "script",
            {"report_every": 5, "report": {**REPORT, "increments": {"a": "1"}}},
            "increments.a must be",
        ),
    ],
)
def test_a_wrong_value_is_refused_alike(
    emulator: Emulator, wire: Wire, name: str, arguments: dict[str, Any], text: str
) -> None:
    if "device_id" in inspect.signature(getattr(Control, name)).parameters:
        wire_body = {"nodeId": "lamp", "productId": "street-lamp-nb", "timeout": 0}
        registered = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", wire_body)[1]
        arguments = {"device_id": registered["deviceId"], **arguments}
    with pytest.raises(InvalidArgument) as refused:
        getattr(emulator.control, name)(**arguments)
    assert text in str(refused.value)
    assert over_http(emulator, name, arguments) == (400, str(refused.value))


def test_a_field_that_the_path_names_cannot_be_given_twice(emulator: Emulator) -> None:
    connection = http.client.HTTPConnection((emulator.control_url or "").removeprefix("http://"), timeout=60)
    kind = {"Content-Type": "application/json"}
    connection.request("POST", "/devices/a/reports", '{"device_id": "b", "service_id": "s", "data": {}}', kind)
    answer = connection.getresponse()
    assert (answer.status, "device_id is part of the path" in answer.read().decode()) == (400, True)
    connection.close()


def test_a_fault_and_a_script_have_the_options_that_their_operations_describe() -> None:
    described = inspect.signature(Control.add_fault).parameters
    there = {
        each.name: {} if each.default_factory is not MISSING else each.default
        for each in fields(Fault)
        if each.name not in ("kind", "id", "struck")
    }
    told = {name: one.default for name, one in described.items() if name not in ("self", "kind")}
    assert {**told, "headers": {}} == there
    script, attach = (inspect.signature(each).parameters for each in (Control.script, scripts.attach))
    assert {name: one.default for name, one in script.items() if name not in ("self", "device_id")} == {
        name: one.default for name, one in attach.items() if name not in ("platform", "device_id")
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_field_has_a_type(operation: Any) -> None:
    fields_of: dict[str, Any] = operation.call.arguments.schema["properties"]
    assert [name for name, schema in fields_of.items() if "type" not in schema] == (
        ["body"] if operation.name == "add_fault" else []
    )
