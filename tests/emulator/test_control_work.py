"""The control plane moves commands, upgrades, mutings, events and rules by hand."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import Any

import pytest

from iot_northbound.emulator.control import NotFound
from iot_northbound.emulator.server import Emulator

from .conftest import Wire

COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands"
OPERATIONS = "/iodm/northbound/v1.5.0/operations"
METER = {"deviceType": "WaterMeter", "model": "HM20", "manufacturerName": "Hydralis Metering"}


@pytest.fixture
def meter(emulator: Emulator, wire: Wire) -> str:
    body = {"nodeId": "meter", "productId": "water-meter-nb"}
    device_id: str = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", body)[1]["deviceId"]
    emulator.control.set_online(device_id)
    return device_id


def test_a_command_is_acknowledged_and_answered_by_hand(emulator: Emulator, wire: Wire, meter: str) -> None:
    command = {"serviceId": "WaterMeter", "method": "SET_VALVE", "paras": {"state": "OPEN"}}
    command_id = wire.call("POST", COMMANDS, {"deviceId": meter, "command": command})[1]["commandId"]
    assert emulator.control.answer_command(command_id) == "PENDING"
    emulator.control.report(meter, "Battery", {"batteryLevel": 80})
    assert emulator.control.answer_command(command_id) == "DELIVERED"
    assert emulator.control.answer_command(command_id, ok=True, detail={"valve": "OPEN"}) == "SUCCESSFUL"
    (row,) = wire.call("GET", COMMANDS)[1]["data"]
    assert row["result"]["resultDetail"] == {"valve": "OPEN"}
    with pytest.raises(NotFound):
        emulator.control.answer_command("none")


def test_a_service_call_is_acknowledged_and_answered_by_hand(emulator: Emulator, wire: Wire) -> None:
    device_id = wire.call(
        "POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "gw", "productId": "home-gateway-mqtt"}
    )[1]["deviceId"]
    emulator.control.set_online(device_id)
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Gateway/sendCommand"

    def call(**header: str) -> str:
        status, answer = wire.call("POST", path, {"header": {"mode": "ACK", "method": "RESTART", **header}})
        assert status == 202
        return str(answer["requestId"])

    control, first = emulator.control, call()
    assert control.answer_service_call(device_id, first) == "delivered"
    assert control.answer_service_call(device_id, first, ok=True, body={"result": 0}) == "executed"
    assert control.answer_service_call(device_id, first, ok=False) == "executed"
    assert control.answer_service_call(device_id, call(), ok=False, response="RESTART_RSP") == "failed"
    call(toType="CLOUD")
    third = control.service_calls(device_id)[-1]
    assert (third["method"], third["status"]) == ("RESTART", "delivered")
    assert control.answer_service_call(device_id, third["requestId"], ok=True) == "executed"
    late = call(requestId="a/b c")
    control.advance(300)
    assert control.answer_service_call(device_id, late, ok=True) == "timeout"
    with pytest.raises(NotFound, match="no service call with requestId 'none'"):
        control.answer_service_call(device_id, "none")
    with pytest.raises(NotFound, match="no device 'none'"):
        control.service_calls("none")
    wire.login()
    with pytest.raises(ValueError, match="has no response 'X'"):
        control.answer_service_call(device_id, call(), ok=True, response="X")


def test_a_service_call_is_answered_over_http(emulator: Emulator, wire: Wire) -> None:
    register = {"nodeId": "gw", "productId": "home-gateway-mqtt"}
    device_id = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", register)[1]["deviceId"]
    emulator.control.set_online(device_id)
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Gateway/sendCommand"
    header = {"mode": "NOACK", "method": "RESTART", "requestId": "a/b"}
    assert wire.call("POST", path, {"header": header})[0] == 202
    connection = http.client.HTTPConnection((emulator.control_url or "").removeprefix("http://"), timeout=10)

    def control(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    with contextlib.closing(connection):
        status, (call,) = control("GET", f"/devices/{device_id}/calls")
        assert (status, call["requestId"], call["status"]) == (200, "a/b", "sent")
        answer = {"request_id": "a/b", "ok": True, "body": {"result": 0}}
        assert control("POST", f"/devices/{device_id}/calls/answer", answer) == (200, "executed")
        status, refusal = control("POST", f"/devices/{device_id}/calls/answer", {"request_id": "c"})
        assert status == 404
        assert "no service call with requestId 'c'" in refusal["error"]


def test_an_upgrade_is_moved_and_stopped_by_hand(emulator: Emulator, wire: Wire, meter: str) -> None:
    package = {"name": "p", "version": "2.0", "fileType": "firmwarePackage", **METER}
    file_id = emulator.control.add_package(package)["fileId"]
    body = {"fileId": file_id, "targets": {"devices": [meter]}}

    def create() -> tuple[str, str]:
        operation_id = wire.call("POST", f"{OPERATIONS}/firmwareUpgrade", body)[1]["operationId"]
        emulator.control.advance(0)
        parts: list[dict[str, Any]] = wire.call("GET", f"{OPERATIONS}/{operation_id}/subOperations")[1]["data"]
        return operation_id, parts[0]["subOperationId"]

    first, part = create()
    emulator.control.move_upgrade(part, "downloading")
    emulator.control.move_upgrade(part, ok=True)
    assert wire.call("GET", f"{OPERATIONS}/{first}")[1]["status"] == "success"
    second, _ = create()
    emulator.control.stop_upgrade(second)
    assert wire.call("GET", f"{OPERATIONS}/{second}")[1]["status"] == "stop"
    with pytest.raises(NotFound):
        emulator.control.move_upgrade("none")
    with pytest.raises(NotFound):
        emulator.control.stop_upgrade("none")


def test_muting_events_and_rules_are_told_to_their_subscribers(emulator: Emulator, wire: Wire, meter: str) -> None:
    # A port nobody listens on: the pushes stay in the queue, where they are counted.
    url = "http://127.0.0.1:9/in"
    for kind in ("serviceInfoChanged", "deviceEvent", "ruleEvent"):
        body = {"notifyType": kind, "callbackUrl": url}
        assert wire.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", body)[0] == 201
    emulator.control.mute(meter, "WaterMeter", ["SET_VALVE"])
    emulator.control.device_event(meter, "WaterMeter", "leak", {"flowRate": 7})
    emulator.control.fire_rule("r", "leak alarm", [{"type": "DEVICE_DATA"}], [{"type": "SMS", "result": {}}])
    assert emulator.control.pushes()["queued"] == 3
