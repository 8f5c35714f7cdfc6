"""Calling a service of a connected device at once, without a cache (reference 1.7.7), and muting its commands.

The device's acknowledgements come back as messageConfirm, its answer as commandRsp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iot_northbound.emulator.state import commands, devices, models, notifications, scripted, transitions
from iot_northbound.emulator.state import notification_bodies as bodies
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import on, route, table, timer
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.subscriptions import callback_url
from iot_northbound.emulator.state.values import (
    Shape,
    json_object,
    may,
    must,
    one_of,
    refuse,
    structure,
    text,
)

INVOCATIONS = table("invocations")
"""Calls a device has not answered yet."""

NO_SERVICE = (404, "100444")
BAD_COMMAND = (400, "102203")
CODES: dict[tuple[str, str], str] = {
    ("1.7.7", "100022"): "header or a field of it is missing or breaks its rule",
    ("1.7.7", "100203"): "appId names an application that does not exist",
    ("1.7.7", "100217"): "appId names an application that has not authorised the caller",
    ("1.7.7", "100418"): "no such device in this application",
    ("1.7.7", "100428"): "the device is not online",
    ("1.7.7", "100432"): "the command is muted on the device",
    ("1.7.7", "100444"): "toType is neither CLOUD nor GATEWAY, or the device has no such service",
    ("1.7.7", "100450"): "the device's gateway is not online",
    ("1.7.7", "102203"): "the service has no command of this name",
    ("1.7.7", "100001"): "fault: an internal failure",
    ("1.7.7", "100023"): "fault: a database inside the platform",
    ("1.7.7", "50252"): "fault: an internal failure",
    ("1.7.7", "100501"): "fault: congestion of the network towards the devices",
    ("1.7.7", "1010005"): "no token, an expired one, one ended by a newer login, or a foreign app_key",
    ("1.7.7", "1010009"): "flow control switched on and its calls a minute used up",
}

_HEADER = structure(
    may("requestId", text(0, 128)),
    must("mode", one_of("NOACK", "ACK")),
    may("from", text(0, 128)),
    may("toType", text(0, 32)),
    may("to", text(0, 128)),
    must("method", text(1, 32)),
    may("callbackURL", callback_url),
)
INVOKE = Shape(must("header", _HEADER), may("body", json_object), invalid=commands.INPUT)


@route(
    "1.7.7",
    "POST",
    "/iocm/app/signaltrans/v1.1.0/devices/{deviceId}/services/{serviceId}/sendCommand",
    app_status=200,
    removed_app=(200, "100203"),
)
def invoke(platform: Platform, call: Call) -> Answer:
    """Send a command to a connected device; what the device says comes as notifications."""
    given = INVOKE.read(call.body)
    header = given["header"]
    device = commands.own_device(platform, call.app_id, call.ids[0])
    service_id = call.ids[1]
    if header.get("toType", "GATEWAY") not in ("CLOUD", "GATEWAY"):
        raise refuse(NO_SERVICE, "toType must be CLOUD or GATEWAY")
    model = models.of_device(platform, device)
    if model is None or models.find_service(model, service_id) is None:
        raise refuse(NO_SERVICE, f"the device has no service {service_id!r}")
    if models.find_command(model, service_id, header["method"]) is None:
        raise Refusal(*BAD_COMMAND)
    if header["method"] in muted(device, service_id):
        raise Refusal(200, "100432")
    gateway = devices.find(platform, device["gatewayId"])
    if gateway is not None and gateway is not device and not devices.is_online(gateway):
        raise Refusal(403, "100450")
    if not devices.is_online(device):
        raise Refusal(200, "100428")
    request_id = header.get("requestId") or platform.ids.hex(32)
    row: Row = {
        "invocationId": platform.ids.hex(32),
        "requestId": request_id,
        "appId": call.app_id,
        "deviceId": device["deviceId"],
        "serviceId": service_id,
        "serviceType": devices.service_type(model, service_id),
        "method": header["method"],
        "acknowledged": header["mode"] == "ACK",
        "from": header.get("from") or f"/{call.app_id}",
        "callbackURL": header.get("callbackURL"),
        "body": given.get("body", {}),
        "seq": platform.next_seq(),
    }
    platform.table(INVOCATIONS).put(row["invocationId"], row)
    platform.after(platform.settings.command_answer_timeout, "invoke.forget", invocation_id=row["invocationId"])
    _confirm(platform, row, "sent")
    platform.emit("service_called", row)
    _let_script_react(platform, row)
    return Answer(202, {"requestId": request_id, "status": "sent", "timestamp": platform.now_text()})


def delivered(platform: Platform, invocation_id: str) -> None:
    """Take a device's word that it received a call."""
    row = platform.table(INVOCATIONS).get(invocation_id)
    if row is not None:
        devices.heard(platform, row["deviceId"])
        _confirm(platform, row, "delivered")


def answered(platform: Platform, invocation_id: str, body: Mapping[str, Any]) -> None:
    """Take a device's answer to a call; one to an unknown or answered call is passed over."""
    row = platform.table(INVOCATIONS).delete(invocation_id)
    if row is None:
        return
    devices.heard(platform, row["deviceId"])
    _confirm(platform, row, "executed")
    message = bodies.command_rsp(
        row["requestId"], _sender(row), row["from"], row["deviceId"], row["serviceType"], row["method"], body
    )
    platform.notify(row["appId"], "commandRsp", message)


@on("device_deleted")
def forget_device(platform: Platform, device: Row) -> None:
    """Forget what was asked of a deleted device."""
    for row in platform.table(INVOCATIONS).where(deviceId=device["deviceId"]):
        platform.table(INVOCATIONS).delete(row["invocationId"])


@timer("invoke.forget")
def _forget(platform: Platform, invocation_id: str) -> None:
    platform.table(INVOCATIONS).delete(invocation_id)


def mute(platform: Platform, device_id: str, service_id: str, methods: Sequence[str]) -> Row:
    """Set which commands of a device's service are muted (100432), tell subscribers, and return the device's row.

    Raises:
        LookupError: There is no such device.
        ValueError: Its product model has no such service.
    """
    device = devices.need(platform, device_id)
    model = models.of_device(platform, device)
    if model is None or models.find_service(model, service_id) is None:
        raise ValueError(f"device {device_id!r} has no service {service_id!r}")
    kind = devices.service_type(model, service_id)
    services = dict(device.get("services", {}))
    services[service_id] = {"type": kind, **services.get(service_id, {}), "info": {"muteCmds": list(methods)}}
    row = platform.table(devices.DEVICES).change(device_id, services=services)
    message = bodies.service_info_changed(device_id, device["gatewayId"], service_id, kind, methods)
    platform.notify(device["appId"], "serviceInfoChanged", message)
    return row


def muted(device: Row, service_id: str) -> Sequence[str]:
    """Return the muted commands of a device's service."""
    info = device.get("services", {}).get(service_id, {}).get("info") or {}
    methods: Sequence[str] = info.get("muteCmds", ())
    return methods


def _confirm(platform: Platform, row: Row, status: str) -> None:
    if not row["acknowledged"]:
        return
    message = bodies.message_confirm(
        row["requestId"], _sender(row), row["from"], status, platform.now_text(), {}
    )  # fmt: skip
    platform.notify(row["appId"], "messageConfirm", message)
    if row["callbackURL"]:
        notifications.push(platform, row["appId"], row["callbackURL"], message)


def _sender(row: Row) -> str:
    return f"/devices/{row['deviceId']}/services/{row['serviceId']}"


def _let_script_react(platform: Platform, row: Row) -> None:
    script = scripted.scripts(platform).get(row["deviceId"])
    if script is not None and script["acknowledge"] and scripted.listens(platform, row["deviceId"]):
        transitions.later(
            platform, script["acknowledgeAfter"], "invoke.acknowledge", invocation_id=row["invocationId"]
        )  # fmt: skip


@timer("invoke.acknowledge")
def _acknowledge(platform: Platform, invocation_id: str) -> None:
    row = platform.table(INVOCATIONS).get(invocation_id)
    script = None if row is None else scripted.scripts(platform).get(row["deviceId"])
    if script is None:
        return
    delivered(platform, invocation_id)
    if script["answer"] != "never":
        transitions.later(platform, script["after"], "invoke.answer", invocation_id=invocation_id)


@timer("invoke.answer")
def _answer(platform: Platform, invocation_id: str) -> None:
    row = platform.table(INVOCATIONS).get(invocation_id)
    script = None if row is None else scripted.scripts(platform).get(row["deviceId"])
    if script is not None:
        body = script["result"] if script["result"] is not None else {"result": script["answer"]}
        answered(platform, invocation_id, body)
