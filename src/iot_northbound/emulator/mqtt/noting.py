"""What the journal says of packets. A report is noted as it comes, and described only if someone reads the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.journal import redacted
from iot_northbound.emulator.json_bodies import decode
from iot_northbound.emulator.kernel.calls import MALFORMED

if TYPE_CHECKING:
    from iot_northbound.emulator.mqtt.session import MqttConnection
    from iot_northbound.emulator.runtime import Runtime

_SHOWN = 1_024
"""How much the journal shows of a text, or of a payload that is not JSON."""
_NO_BODY: dict[str, Any] = {}


def note(
    runtime: Runtime,
    connection: MqttConnection,
    direction: str,
    packet: str,
    outcome: str,
    topic: str | None = None,
    payload: bytes | None = None,
    fault: str | None = None,
) -> None:
    """Append a packet to the journal.

    Args:
        runtime: Has the journal.
        connection: Where the packet came or went.
        direction: "in" or "out".
        packet: Its name.
        outcome: What became of it.
        topic: The topic or topics that it names.
        payload: What a PUBLISH carries.
        fault: The fault that struck a packet that went out.
    """
    if direction == "in" and connection.fault is not None:
        fault = connection.fault.kind
    journal = runtime.journal
    journal.note_facts(
        _entry,
        runtime.platform.clock.now(),
        direction,
        packet,
        connection.device_id or None,
        connection.client_id[:_SHOWN],
        topic and topic[:_SHOWN],
        None if payload is None else len(payload),
        outcome[:_SHOWN],
        fault,
        _body(payload) if journal.bodies and payload is not None else _NO_BODY,
    )


def _body(payload: bytes) -> dict[str, Any]:
    value = decode(payload)
    return {"payload": payload[:_SHOWN].hex() if value is MALFORMED else redacted(value)}


def _entry(
    at: float,
    direction: str,
    packet: str,
    device_id: str | None,
    client_id: str,
    topic: str | None,
    size: int | None,
    outcome: str,
    fault: str | None,
    body: dict[str, Any],
) -> dict[str, Any]:
    return {
        "kind": "mqtt",
        "at": at,
        "direction": direction,
        "packet": packet,
        "device": device_id,
        "clientId": client_id,
        "topic": topic,
        "bytes": size,
        "outcome": outcome,
        "fault": fault,
        **body,
    }
