"""The outbox: messages for linked devices, from the moment they are due until they are answered or pointless.

A message has a number (mid) of 1 to 65535, which no other open message of its link has. It waits until the link has
taken it, is sent until it is acknowledged, and stays delivered until the device answers. A message that was sent stays
when its link is lost: the device may have it, and may answer once it is back. One that still waited goes back to where
it came from: a cached command waits as PENDING again, and a call, which is never cached, is not sent any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from iot_northbound.emulator.kernel.routing import on, table, timer
from iot_northbound.emulator.rules import commands, devices, invocations, links

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

OUTBOX = table("outbox")
MIDS: Final = 65_535
"""The highest number of a message, and so the most open ones of a link."""


def waiting(platform: Platform, link_id: str, limit: int) -> list[Row]:
    """Return the messages that a link is to send next, oldest first, at most so many."""
    return platform.table(OUTBOX).where(link=link_id, state="waiting").slice(0, limit)


def sent(platform: Platform, seq: int) -> None:
    """Note that a message was handed to its link; one that is gone meanwhile is not an error."""
    row = platform.table(OUTBOX).get(str(seq))
    if row is None or row["state"] != "waiting":
        return
    platform.table(OUTBOX).change(str(seq), state="sent")
    link = links.find(platform, row["link"])
    if row["kind"] == "unbind" and link is not None and link["channels"]["gateway"] == 0:
        links.end(platform, row["link"])  # no acknowledgement will come


def delivered(platform: Platform, link_id: str, mid: int) -> None:
    """Take a device's acknowledgement of a message (PUBACK); an unknown or late one changes nothing."""
    row = platform.table(OUTBOX).where(link=link_id, mid=mid).first()
    if row is None or row["state"] == "delivered":
        return
    platform.table(OUTBOX).change(str(row["seq"]), state="delivered")
    if row["kind"] == "command":
        commands.delivered(platform, row["ref"])
    elif row["kind"] == "invocation":
        invocations.delivered(platform, row["ref"])
    else:
        links.end(platform, link_id)


def answered(platform: Platform, link_id: str, mid: int | None, errcode: int, body: Mapping[str, Any]) -> str:
    """Take a device's answer to a message.

    Args:
        platform: the platform.
        link_id: the device whose link brought the answer.
        mid: the message's number; None means the only one that is open for this device itself.
        errcode: 0 if the device did what was asked. Any other number becomes a part of the result.
        body: what the device says.

    Returns:
        "answered"; "unknown": no message of this number is open; without a number "none open" or "ambiguous".
    """
    detail = dict(body) if errcode == 0 else {"errcode": errcode, **body}
    return resolved(platform, link_id, mid, ok=errcode == 0, detail=detail)


def resolved(platform: Platform, link_id: str, mid: int | None, *, ok: bool, detail: Mapping[str, Any]) -> str:
    """Take the result of a message in its final form; `answered` says what the arguments and the result mean."""
    out = [row for row in _numbered(platform, link_id, mid) if row["state"] != "waiting" and row["kind"] != "unbind"]
    refs = {row["ref"] for row in out}
    if len(refs) != 1:
        return "unknown" if mid is not None else "ambiguous" if refs else "none open"
    row = out[0]
    if row["kind"] == "command":
        commands.answered(platform, row["ref"], ok=ok, detail=detail)
    else:
        # Whatever the device says, it has executed the call; its answer says with which result.
        invocations.delivered(platform, row["ref"])
        invocations.answered(platform, row["ref"], detail)
    return "answered"


def _numbered(platform: Platform, link_id: str, mid: int | None) -> list[Row]:
    if mid is None:
        return list(platform.table(OUTBOX).where(link=link_id, deviceId=link_id))
    return list(platform.table(OUTBOX).where(link=link_id, mid=mid))


# --- what comes in ---


@on("command_issued")
def send_command(platform: Platform, command: Row) -> None:
    """Put a command that is sent into the outbox, if its device has a link."""
    asked = command["command"]
    _put(platform, command, "command", command["commandId"], asked["method"], asked.get("paras", {}))


@on("service_called")
def send_call(platform: Platform, call: Row) -> None:
    """Put a call that is sent into the outbox, if its device has a link."""
    _put(platform, call, "invocation", call["invocationId"], call["method"], call["body"])


def _put(platform: Platform, asked: Row, kind: str, ref: str, method: str, paras: Row) -> None:
    device_id = asked["deviceId"]
    device = devices.find(platform, device_id)
    link = None if device is None else links.carrier(platform, device)
    if link is not None and links.takes_calls(platform, device_id):
        service_id = asked["command"]["serviceId"] if kind == "command" else asked["serviceId"]
        _add(platform, link["deviceId"], device_id, kind, ref, service_id, method, paras)


def _add(
    platform: Platform, link_id: str, device_id: str, kind: str, ref: str, service_id: str, method: str, paras: Row
) -> None:
    seq = platform.next_seq()
    row = {
        "seq": seq,
        "link": link_id,
        "deviceId": device_id,
        "mid": _next_mid(platform, link_id),
        "kind": kind,
        "ref": ref,
        "serviceId": service_id,
        "method": method,
        "paras": dict(paras),
        "state": "waiting",
    }
    platform.table(OUTBOX).put(str(seq), row)


def _next_mid(platform: Platform, link_id: str) -> int:
    """Return the next number of a link: ascending, also over its sessions, so that a late answer finds its message."""
    out = platform.table(OUTBOX)
    open_rows = out.where(link=link_id)
    if len(open_rows) >= MIDS and (oldest := open_rows.first()) is not None:
        out.delete(str(oldest["seq"]))  # it is not answered any more, and ends by its timer
    device = devices.find(platform, link_id)
    mid = 0 if device is None else device.get("lastMid", 0)
    mid = mid % MIDS + 1
    while out.where(link=link_id, mid=mid):
        mid = mid % MIDS + 1
    if device is not None:
        platform.table(devices.DEVICES).change(link_id, lastMid=mid)
    return int(mid)


# --- what goes out ---


@on("command_ended")
def forget_command(platform: Platform, command: Row) -> None:
    """Drop the messages of a command that has ended."""
    _forget(platform, ref=command["commandId"])


@on("call_ended")
def forget_call(platform: Platform, call: Row) -> None:
    """Drop the message of a call that has ended."""
    _forget(platform, ref=call["invocationId"])


def _forget(platform: Platform, **equal: str) -> None:
    for row in platform.table(OUTBOX).where(**equal):
        platform.table(OUTBOX).delete(str(row["seq"]))


@on("link_lost")
def give_back(platform: Platform, link: Row) -> None:
    """Give back what a lost link has not sent."""
    for row in platform.table(OUTBOX).where(link=link["deviceId"], state="waiting"):
        platform.table(OUTBOX).delete(str(row["seq"]))
        if row["kind"] == "command" and platform.table(OUTBOX).where(ref=row["ref"]).first() is None:
            commands.take_back(platform, row["ref"])  # no other copy of it was sent
    _forget(platform, link=link["deviceId"], kind="unbind")


@on("device_deleted")
def unbind(platform: Platform, device: Row) -> None:
    """End the session of a deleted device. A gateway that listens for it hears first that it is no longer bound."""
    device_id = device["deviceId"]
    link = links.find(platform, device_id)
    if link is None:
        return
    if "gateway" not in link["channels"]:
        links.end(platform, device_id)
        return
    give_back(platform, link)
    _add(platform, device_id, device_id, "unbind", device_id, "", "REMOVE_GATEWAY", {})
    args = {"device_id": device_id, "session": link["session"]}
    platform.after(platform.settings.command_ack_timeout, "outbox.unbound", **args)


@timer("outbox.unbound")
def _unbound(platform: Platform, device_id: str, session: str) -> None:
    """End the session of a deleted gateway that did not acknowledge it."""
    links.disconnect(platform, device_id, session)


commands.REACHABLE.append(links.listens)
