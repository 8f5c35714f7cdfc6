"""Helpers for tests of commands, groups, pushes and upgrades."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, notifications, packages
from tests.emulator.calling import Caller
from tests.facts import ENDPOINTS, NOTIFICATIONS

COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands"
CANCEL_TASKS = "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks"
SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions"
MANAGEMENT = "/iodm/app/sub/v1.1.0/subscribe"
GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups"
MEMBERS = "/iocm/app/dm/v1.2.0/devices/ids"
ADD_MEMBERS = "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices"
REMOVE_MEMBERS = "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices"
TASKS = "/iocm/app/batchtask/v1.1.0/tasks"
TASK_DETAILS = "/iocm/app/batchtask/v1.1.0/taskDetails"
CATEGORY = "/iodm/northbound/v1.5.0/category"
OPERATIONS = "/iodm/northbound/v1.5.0/operations"
DEVICES = "/iocm/app/dm/v1.4.0/devices"

METER = "water-meter-nb"
METER_IDENTITY = {"deviceType": "WaterMeter", "model": "HM20", "manufacturerName": "Hydralis Metering"}
OPEN_VALVE = {"serviceId": "WaterMeter", "method": "SET_VALVE", "paras": {"state": "OPEN"}}
CALLBACK = "https://na.example:9443/cmd"


def meter(app: Caller, node_id: str, *, online: bool = False) -> str:
    """Register a water meter, bring it online if asked for, and return its id."""
    device_id = app.register(node_id, productId=METER, timeout=0)
    if online:
        devices.set_online(app.platform, device_id)
    return device_id


def settle(platform: Platform) -> None:
    """Run everything that is due now, and everything that follows from it."""
    platform.advance(0)


def command(app: Caller, device_id: str, **fields: Any) -> str:
    """Create a command and return its id."""
    answer = app.call("POST", COMMANDS, {"deviceId": device_id, "command": OPEN_VALVE, **fields})
    assert answer.status == 201, answer
    command_id: str = answer.body["commandId"]
    return command_id


def status_of(app: Caller, command_id: str) -> str:
    """Return a command's status as 1.7.2 answers it."""
    rows = app.call("GET", COMMANDS).body["data"]
    return next(row["status"] for row in rows if row["commandId"] == command_id)


def subscribe(app: Caller, kind: str, url: str = "https://na.example:9443/in", **fields: Any) -> Answer:
    """Subscribe to a kind of service data."""
    return app.call("POST", SUBSCRIPTIONS, {"notifyType": kind, "callbackUrl": url, **fields})


def group(app: Caller, name: str = "meters", **fields: Any) -> str:
    """Create a group and return its id."""
    answer = app.call("POST", GROUPS, {"name": name, **fields})
    assert answer.status == 200, answer
    assert "id" in answer.body, answer
    group_id: str = answer.body["id"]
    return group_id


def package(app: Caller, **fields: Any) -> str:
    """Upload a firmware package for water meters and return its id."""
    given = {"name": "meter", "version": "2.0", "fileType": "firmwarePackage", **METER_IDENTITY, **fields}
    file_id: str = packages.add(app.platform, app.app_id, given)["fileId"]
    return file_id


def pushed(platform: Platform, kind: str | None = "", url: str | None = None) -> list[dict[str, Any]]:
    """Return the bodies that wait to be pushed, oldest first; kind None: command statuses; url: only to this URL."""
    rows = sorted(platform.table(notifications.PUSHES).rows.values(), key=lambda row: row["seq"])
    return [row["body"] for row in rows if kind in ("", row["notifyType"]) and url in (None, row["url"])]


def response_fields(section: str, structure: str | None = None) -> set[str]:
    """Return the field names that the reference's table of an answer, or of a structure in it, lists."""
    response = next(each for each in ENDPOINTS if each["rest_section"] == section)["response"]
    fields = response.get("fields", []) if structure is None else response["structures"][structure]
    return {each["name"] for each in fields}


def push_fields(section: str, structure: str | None = None) -> set[str]:
    """Return the field names that the reference's table of a notification lists."""
    fact = next(each for each in NOTIFICATIONS if each["section"] == section)
    fields = fact["fields"] if structure is None else fact["structures"][structure]
    return {each["name"] for each in fields}
