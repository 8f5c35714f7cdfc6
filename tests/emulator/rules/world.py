"""A platform with one of everything, and a valid call to each endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices
from tests.emulator.calling import Caller
from tests.emulator.scene import (
    OPEN_VALVE,
    OPERATIONS,
    TASKS,
    command,
    group,
    meter,
    package,
    subscribe,
)
from tests.facts import BY_SECTION

GUARDED = [section for section in BY_SECTION if not section.startswith("1.3.")]
"""Those that need a token."""
URL = "https://na.example:9443/in"


class World:
    """A platform with one of everything, and the one call under test."""

    def __init__(self, platform: Platform, section: str) -> None:
        self.platform = platform
        self.section = section
        self.app = Caller(platform).login()
        self.other = Caller(platform, "app-two", "secret-two").login()
        self.lamp = self.app.register("lamp", productId="street-lamp-nb", timeout=0)
        self.active = self.app.register("active", timeout=0)
        devices.activate(platform, self.active)
        self.meter = meter(self.app, "meter")
        self.gateway = self.app.register("gateway", productId="home-gateway-mqtt", timeout=0)
        devices.set_online(platform, self.gateway)
        self.group = group(self.app, "first", deviceIds=[self.meter])
        self.firmware = package(self.app)
        self.software = package(self.app, fileType="softwarePackage")
        self.subscription = subscribe(self.app, "deviceDeleted", URL).body["subscriptionId"]
        self.command = command(self.app, self.meter)
        self.task = self.app.call("POST", TASKS, {**self.batch_body("first"), "tags": [TAG]}).body["taskID"]
        body = self.upgrade_body(self.firmware)
        self.operation = self.app.call("POST", f"{OPERATIONS}/firmwareUpgrade", body).body["operationId"]

    def batch_body(self, name: str = "second", **param: Any) -> dict[str, Any]:
        """Return a valid body of 1.8.1."""
        given = {"type": "DeviceList", "deviceList": [self.meter], "command": OPEN_VALVE, **param}
        return {"appId": "app-one", "taskName": name, "taskType": "DeviceCmd", "timeout": 60, "param": given}

    def upgrade_body(self, file_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """Return a valid body of 1.10.4 or 1.10.5."""
        own = self.software if self.section == "1.10.4" else self.firmware
        return {"fileId": file_id or own, "targets": {"devices": [self.meter]}, **fields}

    def call(self, *ids: str, body: Any = None, **query: str) -> Answer:
        """Make the call under test; the values that are not given are those of a valid call."""
        facts = BY_SECTION[self.section]
        valid = VALID.get(self.section, lambda _: {})(self)
        path: str = facts["path"]
        for value in ids or valid.get("ids", ()):
            before, _, after = path.partition("{")
            path = before + value + after.partition("}")[2]
        body = valid.get("body") if body is None else body
        return self.app.call(facts["http_method"], path, body, **{**valid.get("query", {}), **query})

    def changed(self, **fields: Any) -> Answer:
        """Make the call with some fields of its body changed; None removes a field."""
        return self.call(body={**VALID[self.section](self)["body"], **fields})


CREDENTIALS = {"appId": "app-one", "secret": "secret-one"}
TAG = {"tagName": "site", "tagValue": "north"}
VALID: dict[str, Callable[[World], dict[str, Any]]] = {
    "1.3.1": lambda _: {"body": CREDENTIALS},
    "1.3.2": lambda world: {"body": {**CREDENTIALS, "refreshToken": world.app.refresh_token}},
    "1.4.1": lambda _: {"body": {"nodeId": "fresh"}},
    "1.4.2": lambda _: {"body": {"deviceInfo": {"nodeId": "fresh", "model": "m"}}},
    "1.4.3": lambda world: {"ids": [world.active], "body": {}},
    "1.4.4": lambda world: {"ids": [world.lamp], "body": {"name": "x"}},
    "1.4.5": lambda world: {"ids": [world.lamp]},
    "1.4.7": lambda world: {"ids": [world.lamp]},
    "1.4.8": lambda world: {
        "ids": [world.lamp],
        "body": {"serviceDesireds": [{"serviceId": "Lamp", "desired": {"brightness": 1}}]},
    },
    "1.4.9": lambda world: {"ids": [world.lamp]},
    "1.5.1": lambda world: {"ids": [world.lamp]},
    "1.5.2": lambda _: {"query": {"pageNo": "0"}},
    "1.5.3": lambda world: {"query": {"deviceId": world.lamp}},
    "1.5.4": lambda world: {"query": {"deviceId": world.lamp}},
    "1.5.5": lambda world: {"query": {"deviceId": world.lamp}},
    "1.6.1": lambda _: {"body": {"notifyType": "deviceAdded", "callbackUrl": URL}},
    "1.6.2": lambda _: {"body": {"notifyType": "swUpgradeResultNotify", "callbackUrl": URL}},
    "1.6.3": lambda world: {"ids": [world.subscription]},
    "1.6.5": lambda world: {"ids": [world.subscription]},
    "1.7.1": lambda world: {"body": {"deviceId": world.meter, "command": OPEN_VALVE}},
    "1.7.3": lambda world: {"ids": [world.command], "body": {"status": "CANCELED"}},
    "1.7.5": lambda world: {"body": {"deviceId": world.meter}},
    "1.7.7": lambda world: {
        "ids": [world.gateway, "Gateway"],
        "body": {"header": {"mode": "NOACK", "method": "RESTART"}},
    },
    "1.8.1": lambda world: {"body": world.batch_body()},
    "1.8.2": lambda world: {"ids": [world.task]},
    "1.8.3": lambda world: {"query": {"taskId": world.task}},
    "1.9.1": lambda _: {"body": {"name": "second"}},
    "1.9.2": lambda world: {"ids": [world.group]},
    "1.9.3": lambda world: {"ids": [world.group], "body": {"name": "renamed"}},
    "1.9.5": lambda world: {"ids": [world.group]},
    "1.9.6": lambda world: {"query": {"devGroupId": world.group}},
    "1.9.7": lambda world: {"body": {"devGroupId": world.group, "deviceIds": [world.gateway]}},
    "1.9.8": lambda world: {"body": {"devGroupId": world.group, "deviceIds": [world.meter]}},
    "1.10.2": lambda world: {"ids": [world.firmware]},
    "1.10.3": lambda world: {"ids": [world.firmware]},
    "1.10.4": lambda world: {"body": world.upgrade_body()},
    "1.10.5": lambda world: {"body": world.upgrade_body()},
    "1.10.6": lambda world: {"ids": [world.operation]},
    "1.10.7": lambda world: {"ids": [world.operation]},
}
