"""Calls of services of connected devices, without a cache, and muted commands.

A call is sent, delivered, and then executed, failed or timed out. With mode ACK, the device's acknowledgements are
pushed to subscribers as messageConfirm. Every status is pushed to the call's own callback URL, in the same form. The
device's answer is pushed as commandRsp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on, table, timer
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import devices, models, notifications, scripts
from iot_northbound.emulator.rules import notification_bodies as bodies

INVOCATIONS = table("invocations")
"""All calls, also those that have ended: a requestId is used once."""
OPEN: Final = ("sent", "delivered")
CONFIRMED: Final = ("sent", "delivered", "executed")
"""The statuses that messageConfirm knows (1.6.7.10): a failure and a timeout are not messages of the device."""


def of_device(platform: Platform, device_id: str) -> list[Row]:
    """Return the calls of a device's services, oldest first."""
    return list(platform.table(INVOCATIONS).where(deviceId=device_id))


def find(platform: Platform, device_id: str, request_id: str) -> Row | None:
    """Return a call of a device's service, or None."""
    return platform.table(INVOCATIONS).where(deviceId=device_id, requestId=request_id).first()


def delivered(platform: Platform, invocation_id: str) -> None:
    """Take a device's acknowledgement of a call. If it comes twice or too late, it is only a sign of life."""
    row = platform.table(INVOCATIONS).get(invocation_id)
    if row is None:
        return
    devices.heard(platform, row["deviceId"])
    if row["status"] == "sent":
        _status(platform, row, "delivered")


def answered(
    platform: Platform, invocation_id: str, body: Mapping[str, Any], *, ok: bool = True, response: str | None = None
) -> None:
    """Take a device's answer to a call; if the call has ended, it is only a sign of life.

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
    """End the open calls of a deleted device as failed."""
    for row in of_device(platform, device["deviceId"]):
        if row["status"] in OPEN:
            _end(platform, row, "failed")


@timer("invoke.timeout")
def _timeout(platform: Platform, invocation_id: str) -> None:
    row = platform.table(INVOCATIONS).get(invocation_id)
    if row is not None and row["status"] in OPEN:
        _end(platform, row, "timeout")


def send(platform: Platform, row: Row) -> Row:
    """Send a call to its device, and return its row."""
    timeout = platform.settings.command_answer_timeout
    row = {**row, "timer": platform.after(timeout, "invoke.timeout", invocation_id=row["invocationId"])}
    row = _status(platform, row, "sent")
    platform.emit("service_called", row)
    return row


def deliver_now(platform: Platform, row: Row, hindered: Refusal | None) -> str:
    """Deliver a call with toType CLOUD, whose answer says whether the device has it; return that status."""
    script = platform.table(scripts.SCRIPTS).get(row["deviceId"])
    takes = script is None or (script["acknowledge"] and scripts.listens(platform, row["deviceId"]))
    if hindered is not None or not takes:
        return str(_end(platform, row, "failed")["status"])
    row = send(platform, row)
    _acknowledge(platform, row["invocationId"])
    return "delivered"


def _end(platform: Platform, row: Row, status: str) -> Row:
    platform.cancel(row["timer"])
    row = _status(platform, {**row, "timer": None}, status)
    platform.emit("call_ended", row)
    return row


def _status(platform: Platform, row: Row, status: str) -> Row:
    """Store a call with its new status, and push the status."""
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
    """Set which commands of a device's service are muted (100432), notify subscribers, and return the device's row.

    Raises:
        LookupError: There is no such device.
        ValueError: Its product model has no such service.
    """
    device = devices.need(platform, device_id)
    model = models.of_device(platform, device)
    if model is None or models.find_service(model, service_id) is None:
        raise ValueError(f"device {device_id!r} has no service {service_id!r}")
    kind = models.service_type(model, service_id)
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


def let_script_acknowledge(platform: Platform, row: Row) -> None:
    """Let a scripted device acknowledge a call, if it listens now."""
    script = platform.table(scripts.SCRIPTS).get(row["deviceId"])
    if script is not None and script["acknowledge"] and scripts.listens(platform, row["deviceId"]):
        transitions.later(
            platform, script["acknowledgeAfter"], "invoke.acknowledge", invocation_id=row["invocationId"]
        )  # fmt: skip


@timer("invoke.acknowledge")
def _acknowledge(platform: Platform, invocation_id: str) -> None:
    delivered(platform, invocation_id)
    row = platform.table(INVOCATIONS).get(invocation_id)
    script = None if row is None else platform.table(scripts.SCRIPTS).get(row["deviceId"])
    if script is not None and script["answer"] != "never":
        transitions.later(platform, script["after"], "invoke.answer", invocation_id=invocation_id)


@timer("invoke.answer")
def _answer(platform: Platform, invocation_id: str) -> None:
    row = platform.table(INVOCATIONS).get(invocation_id)
    script = None if row is None else platform.table(scripts.SCRIPTS).get(row["deviceId"])
    if script is not None:
        body = script["result"] if script["result"] is not None else {"result": script["answer"]}
        answered(platform, invocation_id, body, ok=script["answer"] == "success")
