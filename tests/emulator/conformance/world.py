"""A client of the northbound API without any SDK, and an application with everything that it needs."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.server import Emulator
from tests.clock import eventually

METER = "water-meter-nb"
IDENTITY = {
    "manufacturerId": "HYDRALIS",
    "manufacturerName": "Hydralis Metering",
    "deviceType": "WaterMeter",
    "model": "HM20",
    "protocolType": "CoAP",
}
FITS = {name: IDENTITY[name] for name in ("deviceType", "model", "manufacturerName")}
COMMAND = {"serviceId": "WaterMeter", "method": "SET_VALVE", "paras": {"state": "OPEN"}}
REPORT = {"totalVolume": 12.5, "valveState": "OPEN"}
CALLBACK = "https://127.0.0.1:9/in"
"""An address where nothing listens."""
LONG_AGO, FAR_AHEAD = "20200101T000000Z", "20991231T235959Z"
JSON = {"Content-Type": "application/json"}


@dataclass
class Request:
    """A call: ids for the path's placeholders, query, and a JSON body or a form."""

    ids: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    form: dict[str, str] | None = None


@dataclass
class Reply:
    """An answer: status, content type, and the JSON value of its body, None without one."""

    status: int
    kind: str
    value: Any

    @property
    def error(self) -> tuple[int, str] | None:
        """Status and code of an error body, or None."""
        code = self.value.get("error_code") if isinstance(self.value, dict) else None
        return None if code is None else (self.status, code)


class Api:
    """One kept-alive connection over mutual TLS."""

    def __init__(self, emulator: Emulator) -> None:
        context = ssl.create_default_context(cafile=str(emulator.home.ca))
        context.load_cert_chain(emulator.home.folder / "client.pem", emulator.home.folder / "client.key")
        self.connection = http.client.HTTPSConnection("localhost", emulator.address[1], context=context, timeout=60)

    def send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Reply:
        """Exchange bytes; the answer has to be JSON or nothing."""
        self.connection.request(method, path, content, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return Reply(answer.status, answer.getheader("content-type", ""), json.loads(text) if text else None)


class World:
    """A fresh application on a shared emulator; its devices and tasks are made at first use."""

    def __init__(self, emulator: Emulator, api: Api) -> None:
        self.emulator, self.api, self.control = emulator, api, emulator.control
        made = self.control.add_application()
        self.app_id, self.secret = made["appId"], made["secret"]
        self._count = 0
        form = urlencode({"appId": self.app_id, "secret": self.secret}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self.tokens = api.send("POST", "/iocm/app/sec/v1.1.0/login", form, kind).value
        self.headers = {"app_key": self.app_id, "Authorization": f"Bearer {self.tokens['accessToken']}"}

    def call(self, method: str, template: str, request: Request | None = None, **headers: str) -> Reply:
        """Send a request to an endpoint, given by its template."""
        request = request or Request()
        path = template
        for name, value in request.ids.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        if request.query:
            path += "?" + urlencode(request.query)
        sent = {**self.headers, **headers}
        if request.form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            return self.api.send(method, path, urlencode(request.form).encode(), sent)
        content = None if request.body is None else json.dumps(request.body).encode()
        return self.api.send(method, path, content, sent if content is None else sent | JSON)

    def get(self, template: str, **query: Any) -> Any:
        """Return the answer to a query that must succeed."""
        reply = self.call("GET", template, Request(query=query))
        assert reply.status == 200, reply
        return reply.value

    def post(self, template: str, body: Any, **query: Any) -> Any:
        """Return the answer to a creation that must succeed."""
        reply = self.call("POST", template, Request(query=query, body=body))
        assert reply.status in (200, 201, 202), reply
        assert reply.error is None, reply
        return reply.value

    def inside(self, action: Callable[[Platform], Any]) -> Any:
        """Do something on the platform that neither the API nor the control plane offers."""
        runtime = self.emulator._runtime
        assert runtime is not None
        return runtime.from_any_thread(lambda: action(runtime.platform))

    def name(self, prefix: str = "n") -> str:
        """Return a new, unused name."""
        self._count += 1
        return f"{prefix}{self.app_id[-8:]}{self._count}"

    def new_meter(self, **fields: Any) -> str:
        """Register a water meter and return its id; it has never connected."""
        body = {"nodeId": self.name(), "productId": METER, "timeout": 0, **fields}
        device_id: str = self.post("/iocm/app/reg/v1.1.0/deviceCredentials", body)["deviceId"]
        return device_id

    def new_heard_meter(self) -> str:
        """Register a water meter that has connected and is offline."""
        device_id = self.new_meter()
        self.control.activate(device_id)
        return device_id

    def new_command(self, **fields: Any) -> str:
        """Queue a command and return its id; its device sleeps."""
        body = {"deviceId": self.heard_meter, "command": COMMAND, **fields}
        command_id: str = self.post("/iocm/app/cmd/v1.4.0/deviceCommands", body)["commandId"]
        return command_id

    def new_group(self, **fields: Any) -> str:
        """Create a group and return its id."""
        body = {"name": self.name(), "maxDevNum": 100, "description": "north side", **fields}
        group_id: str = self.post("/iocm/app/devgroup/v1.3.0/devGroups", body)["id"]
        return group_id

    def new_package(self, kind: str = "firmwarePackage") -> str:
        """Upload a version package and return its id."""
        package = {"name": self.name(), "version": "2.1", "fileType": kind, **FITS, "description": "better radio"}
        file_id: str = self.control.add_package(package, self.app_id)["fileId"]
        return file_id

    @cached_property
    def meter(self) -> str:
        """Return a meter that is online, has reported, and has a desired value."""
        device_id = self.new_meter(imsi="460001234567890", deviceInfo={**IDENTITY, "name": "cellar"})
        self.control.report(device_id, "WaterMeter", REPORT)
        desire = {"serviceDesireds": [{"serviceId": "WaterMeter", "desired": {"reportInterval": 600}}]}
        shadow = "/iocm/app/shadow/v1.5.0/devices/{deviceId}"
        assert self.call("PUT", shadow, Request({"deviceId": device_id}, {}, desire)).status == 200
        place = Request({"deviceId": device_id}, {}, {"location": "Hafenstrasse 3"})
        assert self.call("PUT", "/iocm/app/dm/v1.4.0/devices/{deviceId}", place).status == 204
        return device_id

    @cached_property
    def heard_meter(self) -> str:
        """Return a meter that has connected and sleeps."""
        return self.new_heard_meter()

    @cached_property
    def scripted_meter(self) -> str:
        """Return a meter that executes commands at once."""
        device_id = self.new_meter()
        self.control.script(device_id, result={"result": 0})
        return device_id

    @cached_property
    def subscription(self) -> str:
        """Return the id of a subscription."""
        body = {"notifyType": "deviceAdded", "callbackUrl": CALLBACK}
        subscription_id: str = self.post("/iocm/app/sub/v1.2.0/subscriptions", body)["subscriptionId"]
        return subscription_id

    @cached_property
    def cancel_task(self) -> dict[str, Any]:
        """Return a task that has cancelled a command."""
        self.new_command(callbackUrl=CALLBACK, maxRetransmit=1, expireTime=600)
        tasks = "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks"
        task: dict[str, Any] = self.post(tasks, {"deviceId": self.heard_meter})
        eventually(lambda: self.get(tasks, taskId=task["taskId"])["data"][0]["status"] == "SUCCESS")
        return task

    @cached_property
    def batch_task(self) -> str:
        """Return the id of a batch task whose only part waits for its device."""
        param = {"type": "DeviceList", "deviceList": [self.heard_meter], "command": COMMAND}
        body = {"appId": self.app_id, "taskName": self.name(), "taskType": "DeviceCmd", "timeout": 60, "param": param}
        body["tags"] = [{"tagName": "round", "tagValue": self.name()}]
        task_id: str = self.post("/iocm/app/batchtask/v1.1.0/tasks", body)["taskID"]
        details = "/iocm/app/batchtask/v1.1.0/taskDetails"
        eventually(lambda: self.get(details, taskId=task_id)["taskDetails"][0]["status"] == "WaitResult")
        return task_id

    @cached_property
    def upgrade(self) -> str:
        """Return the id of a firmware upgrade that has succeeded."""
        body = {
            "fileId": self.new_package(),
            "targets": {"devices": [self.scripted_meter], **FITS},
            "policy": {"executeType": "now", "retryType": True, "retryTimes": 2},
        }
        operations = "/iodm/northbound/v1.5.0/operations"
        operation_id: str = self.post(f"{operations}/firmwareUpgrade", body)["operationId"]
        eventually(lambda: self.get(f"{operations}/{operation_id}")["status"] == "success")
        return operation_id
