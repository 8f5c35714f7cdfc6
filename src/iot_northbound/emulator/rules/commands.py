"""Commands to devices: cached, delivered, acknowledged, answered, or ended otherwise.

A queued command waits as PENDING until its device is reachable; then one command at a time is sent, in the order of
creation, and the next follows when the device has acknowledged it. An immediate command (`expireTime` 0) is sent at
once, independently of others. A command without acknowledgement is sent again, up to `maxRetransmit` times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.routing import table, timer
from iot_northbound.emulator.kernel.values import refuse
from iot_northbound.emulator.rules import devices, links, models, protocols
from iot_northbound.emulator.rules.notifications import notify_command

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

COMMANDS = table("commands", "created", "seq")
OPEN: Final = ("DEFAULT", "PENDING", "SENT", "DELIVERED")
DEFAULT_EXPIRE_SECONDS: Final = 172_800
INPUT = (400, "100022")

REACHABLE: list[Callable[[Platform, str], bool]] = []
"""Functions that say whether a device listens right now; one yes is enough."""


def reachable(platform: Platform, device_id: str) -> bool:
    """Return whether a device listens right now, without having to report first."""
    return any(listens(platform, device_id) for listens in REACHABLE)


def is_unreachable(platform: Platform, device: Row) -> bool:
    """Return whether a message that cannot wait for a device is lost: it is offline, or no link listens."""
    if not devices.is_online(device):
        return True
    return links.is_real(platform, device) and not links.takes_calls(platform, device["deviceId"])


def pending_count(platform: Platform, device_id: str) -> int:
    """Return how many commands are cached for a device."""
    return len(platform.table(COMMANDS).where(deviceId=device_id, status="PENDING"))


def create(
    platform: Platform,
    app_id: str,
    device_id: str,
    command: Mapping[str, Any],
    *,
    callback_url: str | None = None,
    expire_time: int | None = None,
    max_retransmit: int | None = None,
    detail_id: str | None = None,
) -> Row:
    """Add a command that has passed its checks; it is sent when its device listens.

    Args:
        platform: the platform.
        app_id: the device's application.
        device_id: the device.
        command: serviceId, method and paras.
        callback_url: where each status is pushed to.
        expire_time: seconds until a cached command expires; 0 for immediate delivery; None for 48 hours.
        max_retransmit: how often it is sent again without an acknowledgement.
        detail_id: the batch subtask it belongs to.
    """
    now = platform.now()
    command_id = platform.ids.hex(32)
    queued = expire_time != 0
    row: Row = {
        "commandId": command_id,
        "appId": app_id,
        "deviceId": device_id,
        "command": dict(command),
        "callbackUrl": callback_url,
        "expireTime": expire_time,
        "status": "PENDING" if queued else "DEFAULT",
        "result": None,
        "creationTime": time_text(now),
        "executeTime": None,
        "platformIssuedTime": None,
        "deliveredTime": None,
        "issuedTimes": None,
        "maxRetransmit": max_retransmit,
        "created": now,
        "seq": platform.next_seq(),
        "queued": queued,
        "timer": None,
        "detailId": detail_id,
    }
    if queued:
        lifetime = DEFAULT_EXPIRE_SECONDS if expire_time is None else expire_time
        row["timer"] = platform.at(now + lifetime, "command.expire", command_id=command_id)
    platform.table(COMMANDS).put(command_id, row)
    platform.after(0.0, "command.start", command_id=command_id)
    return row


def own_device(platform: Platform, app_id: str, device_id: str) -> Row:
    """Return an application's device.

    Raises:
        Refusal: 200 100418, the application has no such device.
    """
    device = devices.find(platform, device_id)
    if device is None or device["appId"] != app_id:
        raise Refusal(200, "100418")
    return device


def check(platform: Platform, app_id: str, device_id: str, command: Row, *, immediate: bool) -> Row:
    """Return the device of a command that may be created.

    Raises:
        Refusal: With the code of 1.7.1 that says why it may not.
    """
    device = own_device(platform, app_id, device_id)
    model = models.of_device(platform, device)
    if model is None or models.find_service(model, command["serviceId"]) is None:
        raise Refusal(200, "100431")
    known = models.find_command(model, command["serviceId"], command["method"])
    if known is None:
        names = models.command_names(model, command["serviceId"])
        raise refuse(
            INPUT,
            f"service {command['serviceId']} has no command {command['method']}; it has {', '.join(names) or 'none'}",
        )
    fault = next(models.faults_in(known.get("paras", []), command.get("paras", {})), None)
    if fault is not None:
        raise refuse(INPUT, f"paras: {fault}")
    # A device that has never said anything may not be installed yet: commands wait for it.
    silent = 0.0 if links.is_alive(platform, device_id) else platform.now() - device.get("heard", platform.now())
    if silent > platform.settings.zombie_after:
        raise Refusal(403, "100612")
    if immediate and is_unreachable(platform, device):
        raise Refusal(200, "100428")
    if not immediate and pending_count(platform, device_id) >= platform.settings.pending_commands_per_device:
        raise Refusal(400, "100223")
    protocols.hint(platform, device, "1.7.1")
    return device


def pump(platform: Platform, device_id: str) -> None:
    """Send the next cached command of a device that is reachable now, unless one is under way.

    A real device that does not listen to commands yet hears nothing, even if it has just said something.
    """
    table = platform.table(COMMANDS)
    row = table.where(deviceId=device_id, status="PENDING").first()
    if row is None or any(other["queued"] for other in table.where(deviceId=device_id, status="SENT")):
        return
    device = devices.find(platform, device_id)
    if device is None or not links.is_real(platform, device) or links.listens(platform, device_id):
        _send(platform, row)


def take_back(platform: Platform, command_id: str) -> None:
    """Let a cached command wait again that was to be sent and was not; an immediate one ends by its timer."""
    row = platform.table(COMMANDS).get(command_id)
    if row is None or row["status"] != "SENT" or not row["queued"]:
        return
    platform.cancel(row["timer"])
    lifetime = DEFAULT_EXPIRE_SECONDS if row["expireTime"] is None else row["expireTime"]
    times = row["issuedTimes"] - 1
    changes: dict[str, Any] = {
        "timer": platform.at(row["created"] + lifetime, "command.expire", command_id=command_id),
        "issuedTimes": times or None,
        "platformIssuedTime": row["platformIssuedTime"] if times else None,
    }
    _status(platform, row, "PENDING", **changes)


def delivered(platform: Platform, command_id: str) -> None:
    """Take a device's acknowledgement; a second or late one is only a sign of life."""
    row = platform.table(COMMANDS).get(command_id)
    if row is None or not row["issuedTimes"]:
        return
    devices.heard(platform, row["deviceId"])
    row = platform.table(COMMANDS)[command_id]
    if row["status"] != "SENT":
        return
    now = platform.now()
    platform.cancel(row["timer"])
    again = platform.at(now + platform.settings.command_answer_timeout, "command.no_answer", command_id=command_id)
    row = _status(platform, row, "DELIVERED", deliveredTime=time_text(now), timer=again)
    if row["queued"]:
        pump(platform, row["deviceId"])


def answered(platform: Platform, command_id: str, *, ok: bool, detail: Mapping[str, Any] | None = None) -> None:
    """Take a device's answer; after the command's end it is ignored.

    Args:
        platform: the platform.
        command_id: the command.
        ok: whether the device did it.
        detail: what the device said.
    """
    delivered(platform, command_id)
    row = platform.table(COMMANDS).get(command_id)
    if row is None or row["status"] != "DELIVERED":
        return
    end(platform, row, "SUCCESSFUL" if ok else "FAILED", detail)


def end(platform: Platform, row: Row, status: str, detail: Mapping[str, Any] | None = None) -> Row:
    """End an open command with its last status, and push the status to its URL."""
    platform.cancel(row["timer"])
    was_sent = row["status"] == "SENT" and row["queued"]
    changes: dict[str, Any] = {
        "timer": None,
        "result": {"resultCode": status, "resultDetail": None if detail is None else dict(detail)},
    }
    if status in ("SUCCESSFUL", "FAILED") and row["deliveredTime"] is not None:
        changes["executeTime"] = platform.now_text()
    row = _status(platform, row, status, **changes)
    platform.emit("command_ended", row)
    if was_sent and reachable(platform, row["deviceId"]):
        pump(platform, row["deviceId"])
    return row


def end_all(platform: Platform, device_id: str) -> None:
    """End the open commands of a deleted device: cached ones as cancelled, others as failed."""
    for status in OPEN:
        for row in platform.table(COMMANDS).where(deviceId=device_id, status=status):
            cached = status in ("DEFAULT", "PENDING")
            end(platform, row, "CANCELED" if cached else "FAILED", {"reason": "the device was deleted"})


@timer("command.start")
def _start(platform: Platform, command_id: str) -> None:
    row = platform.table(COMMANDS).get(command_id)
    if row is None or row["status"] not in ("DEFAULT", "PENDING"):
        return
    if not row["queued"]:
        _send(platform, row)
    elif reachable(platform, row["deviceId"]):
        pump(platform, row["deviceId"])


@timer("command.expire")
def _expire(platform: Platform, command_id: str) -> None:
    row = platform.table(COMMANDS).get(command_id)
    if row is not None and row["status"] == "PENDING":
        end(platform, row, "EXPIRED")


@timer("command.no_ack")
def _no_ack(platform: Platform, command_id: str) -> None:
    row = platform.table(COMMANDS).get(command_id)
    if row is None or row["status"] != "SENT":
        return
    if row["issuedTimes"] <= (row["maxRetransmit"] or 0):
        _send(platform, row)
    else:
        end(platform, row, "TIMEOUT")


@timer("command.no_answer")
def _no_answer(platform: Platform, command_id: str) -> None:
    row = platform.table(COMMANDS).get(command_id)
    if row is not None and row["status"] == "DELIVERED":
        end(platform, row, "TIMEOUT")


def _send(platform: Platform, row: Row) -> None:
    now = platform.now()
    platform.cancel(row["timer"])
    deadline = now + platform.settings.command_ack_timeout
    changes: dict[str, Any] = {
        "timer": platform.at(deadline, "command.no_ack", command_id=row["commandId"]),
        "issuedTimes": (row["issuedTimes"] or 0) + 1,
    }
    if row["status"] == "SENT":
        row = platform.table(COMMANDS).change(row["commandId"], **changes)
    else:
        row = _status(platform, row, "SENT", platformIssuedTime=time_text(now), **changes)
    platform.emit("command_issued", row)


def _status(platform: Platform, row: Row, status: str, **changes: Any) -> Row:
    row = platform.table(COMMANDS).change(row["commandId"], status=status, **changes)
    notify_command(platform, row)
    return row
