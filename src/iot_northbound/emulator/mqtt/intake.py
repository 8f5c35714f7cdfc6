"""What becomes of a message that a device has published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.json_bodies import DEPTH, TooDeepError
from iot_northbound.emulator.mqtt import codecs, messages, topics
from iot_northbound.emulator.mqtt.codecs import JSON
from iot_northbound.emulator.rules import devices, outbox, provisioning, reports

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.mqtt.session import MqttConnection

Row = dict[str, Any]

_SHOWN = 512
"""How many characters of a reason are shown, which may quote what the device has sent."""


def take(platform: Platform, connection: MqttConnection, channel: str, payload: bytes) -> str:
    """Let a message take effect, and return what the journal says about it.

    A device cannot be told what is wrong with a message, so it never raises for its content.

    Args:
        platform: the platform.
        connection: the device's connection.
        channel: what the device publishes on this topic, as `topics` names it.
        payload: the message.
    """
    try:
        return _TAKE[channel](platform, connection, payload)
    except TooDeepError:
        connection.end(f"its JSON nests deeper than {DEPTH}")
        return f"refused: JSON that nests deeper than {DEPTH}"
    except (ValueError, LookupError) as error:
        return _dropped(platform, connection, channel, str(error))


def _dropped(platform: Platform, connection: MqttConnection, what: str, why: str) -> str:
    name, why = connection.name, why[:_SHOWN]
    platform.hint(f"mqtt {what} {name}", f"MQTT: a message ({what}) of {name!r} has no effect: {why}")
    return f"dropped: {why}"


def _data(platform: Platform, connection: MqttConnection, payload: bytes) -> str:
    message = codecs.decoded(connection.codec, payload)
    kind = message.get("msgType")
    if kind == "deviceReq":
        told = _report(platform, connection, message)
    elif kind == "deviceRsp":
        told = _answered(platform, connection, messages.reply_of(message))
    else:
        raise ValueError(f"msgType is {kind!r}; it must be deviceReq (a report) or deviceRsp (an answer to a command)")
    try:
        connection.acknowledge(message)
    except codecs.CodecError as error:
        return f"{told}; {error}"
    return told


def _report(platform: Platform, connection: MqttConnection, message: Row) -> str:
    entries, complaints = messages.entries_of(message)
    dropped = platform.work(reports.take, platform, connection.device_id, entries) if entries else []
    complaints += dropped
    if not complaints:
        return "taken"
    why = "; ".join(complaints[:3])
    if len(dropped) < len(entries):
        return f"taken in part: {_dropped(platform, connection, topics.DATA, why)}"
    raise ValueError(why)


def _answered(platform: Platform, connection: MqttConnection, reply: messages.Reply) -> str:
    outcome: str = platform.work(outbox.answered, platform, connection.device_id, reply.mid, reply.errcode, reply.body)
    if outcome in ("ambiguous", "none open"):
        why = "it has no mid, and several commands are open" if outcome == "ambiguous" else "no command is open"
        raise ValueError(f"an answer (deviceRsp) belongs to no command: {why}")
    return outcome if outcome == "answered" else "no effect: no command with this mid is open"


def _child_data(platform: Platform, connection: MqttConnection, payload: bytes) -> str:
    device_id, entry = messages.child_data_of(JSON.decode(payload))
    row = devices.find(platform, device_id)
    if row is None or connection.device_id not in (device_id, row["parent"]):
        raise ValueError(f"{device_id!r} is neither this device nor one behind it")
    complaints = platform.work(reports.take, platform, device_id, [entry])
    if complaints:
        raise ValueError("; ".join(complaints))
    return "taken"


def _child_reply(platform: Platform, connection: MqttConnection, payload: bytes) -> str:
    return _answered(platform, connection, messages.child_reply_of(JSON.decode(payload)))


def _secret_ack(platform: Platform, connection: MqttConnection, payload: bytes) -> str:
    if payload:
        raise ValueError("the confirmation of a secret is an empty message")
    platform.work(provisioning.confirmed, platform, connection.device_id)
    return "taken"


_TAKE = {
    topics.DATA: _data,
    topics.CHILD_DATA: _child_data,
    topics.CHILD_REPLY: _child_reply,
    topics.SECRET_ACK: _secret_ack,
}
