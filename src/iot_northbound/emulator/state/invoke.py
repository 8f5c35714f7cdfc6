"""Calling a service of a connected device at once, without a cache (reference 1.7.7), and muting its commands.

A call is sent, delivered, and at last executed, failed or timed out. With mode ACK, subscribers hear of the device's
acknowledgements as messageConfirm. The call's own callback URL hears of every status, in the same form. The device's
answer is pushed as commandRsp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from iot_northbound.emulator.state import commands, devices, models, notifications, protocols, scripted, transitions
from iot_northbound.emulator.state import notification_bodies as bodies
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import on, route, table, timer
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.subscriptions import callback_url, hint_apart
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
"""All calls, also those that have ended: a requestId is used once."""
OPEN: Final = ("sent", "delivered")
CONFIRMED: Final = ("sent", "delivered", "executed")
"""The statuses that messageConfirm knows (1.6.7.10); a failure and a time-out are no word of the device."""

NO_SERVICE = (404, "100444")
BAD_COMMAND = (400, "102203")
CODES: dict[tuple[str, str], str] = {
    (
        "1.7.7",
        "100022",
    ): "a field is missing or breaks its rule, a requestId is used again, or body does not fit the model",
    ("1.7.7", "100203"): "appId names an application that does not exist",
    ("1.7.7", "100217"): "appId names an application that has not authorised the caller",
    ("1.7.7", "100418"): "no such device in this application",
    ("1.7.7", "100428"): "the device is not online (with toType CLOUD the answer's status says failed)",
    ("1.7.7", "100432"): "the command is muted on the device",
    ("1.7.7", "100444"): "toType is neither CLOUD nor GATEWAY, or the device has no such service",
    ("1.7.7", "100450"): "the device's gateway is not online (with toType CLOUD the answer's status says failed)",
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
    command = models.find_command(model, service_id, header["method"])
    if command is None:
        raise Refusal(*BAD_COMMAND)
    fault = next(models.faults_in(command.get("paras", []), given.get("body", {})), None)
    if fault is not None:
        raise refuse(commands.INPUT, f"body: {fault}")
    if header["method"] in muted(device, service_id):
        raise Refusal(200, "100432")
    request_id = header.get("requestId") or platform.ids.hex(32)
    if platform.table(INVOCATIONS).where(appId=call.app_id, requestId=request_id):
        raise refuse(commands.INPUT, f"requestId {request_id!r} has been used before")
    protocols.hint(platform, device, "1.7.7")
    to_cloud = header.get("toType") == "CLOUD"
    hindered = _hindrance(platform, device)
    if hindered is not None and not to_cloud:
        raise hindered
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
        "responses": [response["responseName"] for response in command.get("responses", ())],
        "status": None,
        "timer": None,
        "seq": platform.next_seq(),
    }
    if to_cloud:
        answer = {"requestId": None, "status": _deliver_now(platform, row, hindered)}
    else:
        row = _send(platform, row)
        _let_script_acknowledge(platform, row)
        answer = {"requestId": request_id, "status": row["status"]}
    if row["callbackURL"]:
        hint_apart(platform, call.app_id, row["callbackURL"])
    return Answer(202, {**answer, "timestamp": platform.now_text()})


def of_device(platform: Platform, device_id: str) -> list[Row]:
    """Return the calls of a device's services, oldest first."""
    return list(platform.table(INVOCATIONS).where(deviceId=device_id))


def find(platform: Platform, device_id: str, request_id: str) -> Row | None:
    """Return a call of a device's service, or None."""
    return platform.table(INVOCATIONS).where(deviceId=device_id, requestId=request_id).first()


def delivered(platform: Platform, invocation_id: str) -> None:
    """Take a device's word that it received a call; one that comes twice or too late is a sign of life and no more."""
    row = platform.table(INVOCATIONS).get(invocation_id)
    if row is None:
        return
    devices.heard(platform, row["deviceId"])
    if row["status"] == "sent":
        _status(platform, row, "delivered")


def answered(
    platform: Platform, invocation_id: str, body: Mapping[str, Any], *, ok: bool = True, response: str | None = None
) -> None:
    """Take a device's answer to a call; if the call has ended, it is a sign of life and no more.

    Args:
        platform: the platform.
        invocation_id: the call.
        body: what the device says.
        ok: whether it did what was asked.
        response: which of the command's responses in the product model it is; the first by default.

    Raises:
        ValueError: The command has no such response.
    """
    row = platform.table(INVOCATIONS).get(invocation_id)
    if row is None:
        return
    known = row["responses"] or [f"{row['method']}-RSP"]
    if response is not None and response not in known:
        raise ValueError(f"{row['method']} has no response {response!r}; it has {', '.join(known)}")
    devices.heard(platform, row["deviceId"])
    if row["status"] not in OPEN:
        return
    row = _end(platform, row, "executed" if ok else "failed")
    message = bodies.command_rsp(
        row["requestId"], _sender(row), row["from"], row["deviceId"], row["serviceType"], response or known[0], body
    )
    platform.notify(row["appId"], "commandRsp", message)


@on("device_deleted")
def fail_all(platform: Platform, device: Row) -> None:
    """End what was asked of a deleted device as failed."""
    for row in of_device(platform, device["deviceId"]):
        if row["status"] in OPEN:
            _end(platform, row, "failed")


@timer("invoke.timeout")
def _timeout(platform: Platform, invocation_id: str) -> None:
    row = platform.table(INVOCATIONS).get(invocation_id)
    if row is not None and row["status"] in OPEN:
        _end(platform, row, "timeout")


def _hindrance(platform: Platform, device: Row) -> Refusal | None:
    """Return what says that a device cannot be reached, or None."""
    gateway = devices.find(platform, device["gatewayId"])
    if gateway is not None and gateway is not device and not devices.is_online(gateway):
        return Refusal(403, "100450")
    return None if devices.is_online(device) else Refusal(200, "100428")


def _send(platform: Platform, row: Row) -> Row:
    timeout = platform.settings.command_answer_timeout
    row = {**row, "timer": platform.after(timeout, "invoke.timeout", invocation_id=row["invocationId"])}
    row = _status(platform, row, "sent")
    platform.emit("service_called", row)
    return row


def _deliver_now(platform: Platform, row: Row, hindered: Refusal | None) -> str:
    """Deliver a call for the recipient CLOUD, whose answer says whether the device has it; return that status."""
    script = scripted.scripts(platform).get(row["deviceId"])
    takes = script is None or (script["acknowledge"] and scripted.listens(platform, row["deviceId"]))
    if hindered is not None or not takes:
        return str(_end(platform, row, "failed")["status"])
    row = _send(platform, row)
    _acknowledge(platform, row["invocationId"])
    return "delivered"


def _end(platform: Platform, row: Row, status: str) -> Row:
    platform.cancel(row["timer"])
    return _status(platform, {**row, "timer": None}, status)


def _status(platform: Platform, row: Row, status: str) -> Row:
    """Keep a call with its new status and tell who wants to know."""
    row = platform.table(INVOCATIONS).put(row["invocationId"], {**row, "status": status})
    if status == "delivered" and not row["acknowledged"]:
        return row  # with NOACK the device acknowledges nothing
    message = bodies.message_confirm(
        row["requestId"], _sender(row), row["from"], status, platform.now_text(), {}
    )  # fmt: skip
    if row["acknowledged"] and status in CONFIRMED:
        platform.notify(row["appId"], "messageConfirm", message)
    if row["callbackURL"]:
        notifications.push(platform, row["appId"], row["callbackURL"], message)
    return row


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


def _sender(row: Row) -> str:
    return f"/devices/{row['deviceId']}/services/{row['serviceId']}"


def _let_script_acknowledge(platform: Platform, row: Row) -> None:
    script = scripted.scripts(platform).get(row["deviceId"])
    if script is not None and script["acknowledge"] and scripted.listens(platform, row["deviceId"]):
        transitions.later(
            platform, script["acknowledgeAfter"], "invoke.acknowledge", invocation_id=row["invocationId"]
        )  # fmt: skip


@timer("invoke.acknowledge")
def _acknowledge(platform: Platform, invocation_id: str) -> None:
    delivered(platform, invocation_id)
    row = platform.table(INVOCATIONS).get(invocation_id)
    script = None if row is None else scripted.scripts(platform).get(row["deviceId"])
    if script is not None and script["answer"] != "never":
        transitions.later(platform, script["after"], "invoke.answer", invocation_id=invocation_id)


@timer("invoke.answer")
def _answer(platform: Platform, invocation_id: str) -> None:
    row = platform.table(INVOCATIONS).get(invocation_id)
    script = None if row is None else scripted.scripts(platform).get(row["deviceId"])
    if script is not None:
        body = script["result"] if script["result"] is not None else {"result": script["answer"]}
        answered(platform, invocation_id, body, ok=script["answer"] == "success")
