"""Hubs: gateways that post what they measured, and hear commands in the answers.

A hub is a registered gateway: its id is the node id, its token the secret. It has a link, so that what is for it and
for the devices behind it waits in the outbox. The link listens only while a message is answered.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.rules import devices, hub_values, links, models, outbox, reports
from iot_northbound.emulator.rules.hub_values import Value

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

HUBS = table("hubs", "deviceId")
"""What a hub's last message was answered, by the hub's device id."""
SESSION: Final = "hub"
"""The session of each hub's link: there is no connection behind it."""
AT_ONCE: Final = 20
"""The most commands in one answer."""
LONGEST: Final = 32_768
"""The most characters that the parameters of all commands of one answer have."""

RESULTS: Final = {
    0: "received, not executed yet",
    1: "executed",
    4: "the device is not known to the hub",
    5: "the device does not support the command",
    6: "no connection to the device",
    7: "error during the execution on the device",
    8: "wrong format of the command",
}


class Measure(NamedTuple):
    """What a device of a hub measured, and when, in the hub's words."""

    node_id: str
    time: str | None
    values: Sequence[Value]


class Posted(NamedTuple):
    """A message of a hub."""

    hub_id: str
    seq: str | None
    digest: str
    """Tells two messages apart that have the same number."""
    measures: Sequence[Measure] = ()
    adds: Sequence[tuple[str, str | None]] = ()
    """Devices to add: node id and type."""
    responses: Sequence[tuple[str, int]] = ()
    """Ids of commands and their results."""


def find(platform: Platform, hub_id: str) -> Row | None:
    """Return the device of a hub, or None."""
    return devices.same_node(platform, hub_id)


def take(platform: Platform, posted: Posted, token: str | None) -> Row:
    """Take a message, and return its answer: status, seq, and for a message that is taken commands and unknown.

    The same number as that of the hub's last message means that the answer was lost: it is given again, and nothing is
    done. Every other number is a new message, because a hub that is started again may begin with any number.
    """
    hub = find(platform, posted.hub_id)
    if hub is None:
        return {"status": "UNKNOWN", "seq": posted.seq}
    if not hub.get("secret") or token is None or not hmac.compare_digest(hub["secret"].encode(), token.encode()):
        return {"status": "UNAUTHORIZED", "seq": posted.seq}
    hub_id, table = hub["deviceId"], platform.table(HUBS)
    known = table.get(hub_id)
    if known is not None and posted.seq is not None and known["seq"] == posted.seq:
        if known["digest"] != posted.digest:
            platform.hint(
                f"hub seq {hub_id}",
                f"hub {posted.hub_id!r} sent another message with the number {posted.seq} of its last one: it was not"
                " taken; each new message needs a new number",
            )
        links.connect(platform, hub_id, SESSION, "hub")
        answer: Row = known["answer"]
        return answer
    watched_until = 0.0 if known is None else known["watchedUntil"]
    links.connect(platform, hub_id, SESSION, "hub")
    links.subscribe(platform, hub_id, SESSION, "hub", 0)
    for command_id, result in posted.responses:
        _respond(platform, hub, command_id, result)
    for node_id, kind in posted.adds:
        _add(platform, hub, node_id, kind)
    unknown = [each.node_id for each in posted.measures if not _measured(platform, hub, each)]
    answer = {
        "status": "CONT" if platform.now() < watched_until else "ACK",
        "seq": posted.seq,
        "commands": _commands(platform, hub),
        "unknown": list(dict.fromkeys(unknown)),
    }
    links.unsubscribe(platform, hub_id, SESSION, "hub")
    kept = {"seq": posted.seq, "digest": posted.digest, "answer": answer, "watchedUntil": watched_until}
    table.put(hub_id, {"deviceId": hub_id, **kept})
    return answer


def watch(platform: Platform, hub_id: str, seconds: float) -> None:
    """Let a user watch a hub: for so long its messages are answered with CONT; 0 ends this.

    Raises:
        LookupError: There is no such hub.
    """
    hub = find(platform, hub_id)
    if hub is None:
        raise LookupError(f"there is no hub {hub_id!r}: no gateway has this node id")
    device_id = hub["deviceId"]
    known = platform.table(HUBS).get(device_id) or {"deviceId": device_id, "seq": None, "digest": "", "answer": {}}
    platform.table(HUBS).put(device_id, {**known, "watchedUntil": platform.now() + seconds})


@on("device_deleted")
def forget(platform: Platform, device: Row) -> None:
    """Forget a deleted hub."""
    if device["deviceId"] in platform.table(HUBS):
        platform.table(HUBS).delete(device["deviceId"])


# --- what a message has ---


def _member(platform: Platform, hub: Row, node_id: str) -> Row | None:
    """Return the hub itself, or a device behind it, or None."""
    if node_id == hub["nodeId"]:
        return hub
    return platform.table(devices.DEVICES).where(parent=hub["deviceId"], nodeId=node_id).first()


def _add(platform: Platform, hub: Row, node_id: str, kind: str | None) -> None:
    if _member(platform, hub, node_id) is not None:
        return  # a hub may tell of a device again
    product = None if kind is None else platform.settings.hub_models.get(kind)
    if product is not None and models.by_id(platform, hub["appId"], product) is None:
        text = f"the setting hub_models is wrong: {models.unknown_id(platform, hub['appId'], product)}"
        platform.hint(f"hub model {product}", text)
        product = None
    devices.add_sub_device(platform, hub["deviceId"], node_id, deviceType=kind, productId=product)


def _measured(platform: Platform, hub: Row, measure: Measure) -> bool:
    """Take what a device measured; return whether it is known."""
    device = _member(platform, hub, measure.node_id)
    if device is None:
        return False
    data = hub_values.sort(platform, device, measure.values)
    when = None if measure.time is None else _event_time(platform, device, measure.time)
    entries = [{"serviceId": service_id, "data": each, "eventTime": when} for service_id, each in data.items()]
    for text in reports.take(platform, device["deviceId"], entries):
        platform.hint(f"hub report {device['deviceId']} {text}", text)
    return True


def _event_time(platform: Platform, device: Row, text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        return time_text((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp())
    except (ValueError, OverflowError):
        platform.hint(
            f"hub time {device['deviceId']}",
            f"device {device['deviceId']} has a timestamp {text[:40]!r}, which is not an xsd:dateTime; the time of "
            "receipt is taken",
        )
        return None


def _respond(platform: Platform, hub: Row, command_id: str, result: int) -> None:
    mid, hub_id = _mid(command_id), hub["deviceId"]
    if result == 0 and mid is not None:
        outbox.delivered(platform, hub_id, mid)
        return
    told = "unknown" if mid is None else outbox.resolved(platform, hub_id, mid, ok=result == 1, detail=_detail(result))
    if told != "answered":
        platform.hint(
            f"hub response {hub_id} {command_id}",
            f"hub {hub['nodeId']!r} sent result {result} of a command with cmdId {command_id!r}, which is not open",
        )


def _mid(command_id: str) -> int | None:
    return int(command_id) if command_id.isascii() and command_id.isdigit() and len(command_id) <= 5 else None


def _detail(result: int) -> Row:
    return {"result": result, "meaning": RESULTS.get(result, "not a documented result")}


def _commands(platform: Platform, hub: Row) -> list[Row]:
    """Return the commands that go out with this answer."""
    hub_id = hub["deviceId"]
    found: list[Row] = []
    room = LONGEST
    for row in outbox.waiting(platform, hub_id, AT_ONCE):
        params = {name: _text(value) for name, value in row["paras"].items()}
        length = sum(len(name) + len(text) for name, text in params.items())
        if length > LONGEST:
            outbox.sent(platform, row["seq"])
            _respond(platform, hub, str(row["mid"]), 8)
            platform.hint(
                f"hub length {hub_id}", f"a command for hub {hub['nodeId']!r} is too long: {length} characters"
            )
            continue
        room -= length
        if room < 0:
            break
        outbox.sent(platform, row["seq"])
        addressee = devices.need(platform, row["deviceId"])
        found.append(
            {
                "cmdId": str(row["mid"]),
                "type": row["method"],
                "service": row["serviceId"],
                "deviceId": addressee["nodeId"],
                "params": params,
            }
        )
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
