"""A command's life: cached, delivered, acknowledged, answered, or ended otherwise.

A queued command waits as PENDING until its device is reachable; then one command at a time goes out, in the order of
creation, and the next follows when the device has acknowledged it. An immediate one (``expireTime`` 0) goes out at once
and alone. SENT is repeated up to ``maxRetransmit`` times while no acknowledgement comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from iot_northbound.emulator.state import devices
from iot_northbound.emulator.state.clock import time_text
from iot_northbound.emulator.state.notifications import notify_command
from iot_northbound.emulator.state.routing import table, timer

if TYPE_CHECKING:
    from iot_northbound.emulator.state.kernel import Platform
    from iot_northbound.emulator.state.store import Row, Table

COMMANDS = table("commands", "created", "seq")
OPEN: Final = ("DEFAULT", "PENDING", "SENT", "DELIVERED")
DEFAULT_EXPIRE_SECONDS: Final = 172_800

REACHABLE: list[Callable[[Platform, str], bool]] = []
"""Asked whether a device listens right now; one yes is enough."""


def commands(platform: Platform) -> Table:
    """Return the table of all commands, ordered by creation."""
    return platform.table(COMMANDS)


def reachable(platform: Platform, device_id: str) -> bool:
    """Tell whether a device listens right now, without having to report first."""
    return any(listens(platform, device_id) for listens in REACHABLE)


def pending_count(platform: Platform, device_id: str) -> int:
    """Return how many commands are cached for a device."""
    return len(commands(platform).where(deviceId=device_id, status="PENDING"))


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
    """Add a command that has passed its checks, and set it on its way.

    Args:
        platform: the platform.
        app_id: the device's application.
        device_id: the device.
        command: serviceId, method and paras.
        callback_url: who hears of each status.
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
    commands(platform).put(command_id, row)
    platform.after(0.0, "command.start", command_id=command_id)
    return row


def pump(platform: Platform, device_id: str) -> None:
    """Send the next cached command of a device that is reachable now, unless one is under way."""
    table = commands(platform)
    if any(row["queued"] for row in table.where(deviceId=device_id, status="SENT")):
        return
    row = table.where(deviceId=device_id, status="PENDING").first()
    if row is not None:
        _send(platform, row)


def delivered(platform: Platform, command_id: str) -> None:
    """Take a device's acknowledgement; one that comes twice or too late is a sign of life and no more."""
    row = commands(platform).get(command_id)
    if row is None or not row["issuedTimes"]:
        return
    devices.heard(platform, row["deviceId"])
    row = commands(platform)[command_id]
    if row["status"] != "SENT":
        return
    now = platform.now()
    platform.cancel(row["timer"])
    again = platform.at(now + platform.settings.command_answer_timeout, "command.no_answer", command_id=command_id)
    row = _status(platform, row, "DELIVERED", deliveredTime=time_text(now), timer=again)
    if row["queued"]:
        pump(platform, row["deviceId"])


def answered(platform: Platform, command_id: str, *, ok: bool, detail: Mapping[str, Any] | None = None) -> None:
    """Take a device's answer; one that comes after the command's end is passed over.

    Args:
        platform: the platform.
        command_id: the command.
        ok: whether the device did it.
        detail: what the device said.
    """
    delivered(platform, command_id)
    row = commands(platform).get(command_id)
    if row is None or row["status"] != "DELIVERED":
        return
    end(platform, row, "SUCCESSFUL" if ok else "FAILED", detail)


def end(platform: Platform, row: Row, status: str, detail: Mapping[str, Any] | None = None) -> Row:
    """End an open command with its last status, tell its URL and whoever waits for it."""
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
    """End what was open for a device that no longer exists: cached ones are cancelled, others failed."""
    for status in OPEN:
        for row in commands(platform).where(deviceId=device_id, status=status):
            cached = status in ("DEFAULT", "PENDING")
            end(platform, row, "CANCELED" if cached else "FAILED", {"reason": "the device was deleted"})


@timer("command.start")
def _start(platform: Platform, command_id: str) -> None:
    row = commands(platform).get(command_id)
    if row is None or row["status"] not in ("DEFAULT", "PENDING"):
        return
    if not row["queued"]:
        _send(platform, row)
    elif reachable(platform, row["deviceId"]):
        pump(platform, row["deviceId"])


@timer("command.expire")
def _expire(platform: Platform, command_id: str) -> None:
    row = commands(platform).get(command_id)
    if row is not None and row["status"] == "PENDING":
        end(platform, row, "EXPIRED")


@timer("command.no_ack")
def _no_ack(platform: Platform, command_id: str) -> None:
    row = commands(platform).get(command_id)
    if row is None or row["status"] != "SENT":
        return
    if row["issuedTimes"] <= (row["maxRetransmit"] or 0):
        _send(platform, row)
    else:
        end(platform, row, "TIMEOUT")


@timer("command.no_answer")
def _no_answer(platform: Platform, command_id: str) -> None:
    row = commands(platform).get(command_id)
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
        row = commands(platform).change(row["commandId"], **changes)
    else:
        row = _status(platform, row, "SENT", platformIssuedTime=time_text(now), **changes)
    platform.emit("command_issued", row)


def _status(platform: Platform, row: Row, status: str, **changes: Any) -> Row:
    row = commands(platform).change(row["commandId"], status=status, **changes)
    notify_command(platform, row)
    return row
