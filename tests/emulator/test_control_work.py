"""The control plane moves commands, upgrades, mutings, events and rules by hand."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.control import NotFound
from iot_northbound.emulator.server import Emulator

from .conftest import Wire
from .test_push_sender import Receiver

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


VALVE = {"serviceId": "WaterMeter", "method": "SET_VALVE", "paras": {"state": "OPEN"}}


def test_a_scripted_device_answers_at_once_though_the_clock_stands_still(
    emulator: Emulator, wire: Wire, meter: str
) -> None:
    emulator.control.freeze()
    emulator.control.script(meter)
    for _ in range(3):
        wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE})
    emulator.control.clock()
    rows = wire.call("GET", COMMANDS)[1]["data"]
    assert [row["status"] for row in rows] == ["SUCCESSFUL"] * 3


def test_a_call_alone_sets_a_scripted_device_going_though_the_clock_stands_still(
    emulator: Emulator, wire: Wire, meter: str
) -> None:
    receiver = Receiver()
    emulator.control.script(meter)
    emulator.control.freeze()
    with receiver.serving() as url:
        wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE, "callbackUrl": url})
        bodies = receiver.wait_for(3)  # nothing but the call: no operation, no other call
    assert sorted(body["result"]["resultCode"] for body in bodies) == ["DELIVERED", "SENT", "SUCCESSFUL"]


def test_a_delay_that_is_kept_waits_for_advance(emulator: Emulator, wire: Wire, meter: str) -> None:
    emulator.control.change_settings(transitions="timed")
    emulator.control.freeze()
    emulator.control.script(meter, after=30)
    wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE})
    seen = []
    for seconds in (0, 29, 1):
        emulator.control.advance(seconds)
        seen.append(wire.call("GET", COMMANDS)[1]["data"][0]["status"])
    assert seen == ["DELIVERED", "DELIVERED", "SUCCESSFUL"]


def test_what_is_released_has_happened_when_release_returns(emulator: Emulator, wire: Wire, meter: str) -> None:
    emulator.control.change_settings(transitions="manual")
    emulator.control.script(meter)
    wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE})
    seen = []
    for _ in range(2):
        emulator.control.release(1)
        seen.append(wire.call("GET", COMMANDS)[1]["data"][0]["status"])
    assert seen == ["DELIVERED", "SUCCESSFUL"]


def test_more_pushes_than_fit_at_once_all_arrive_though_the_clock_stands_still(emulator: Emulator, wire: Wire) -> None:
    receiver = Receiver()
    emulator.control.freeze()
    with receiver.serving() as url:
        wire.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", {"notifyType": "deviceAdded", "callbackUrl": url})
        made = [wire.register(f"n{number}") for number in range(50)]
        bodies = receiver.wait_for(50)
    assert sorted(body["deviceId"] for body in bodies) == sorted(made)
