"""The messages of devices behind a gateway, over the gateway's own connection.

The reference has none. Topics and names of keys were seen in the field; the layout of commands and replies is ours
(docs/device/gateways.md).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from iot_northbound.device.messages import JSON, MID_MAX, Command, NotACommandError, event_time
from iot_northbound.errors import InvalidArgumentError

DATA_TOPIC = "/cloud/signaltrans/v2/categories/data"
REPLY_TOPIC = "/cloud/signaltrans/v2/categories/reply"
_MID = re.compile("[0-9]{1,5}")
UNBIND = "REMOVE_GATEWAY"
"""The method of the command that says to a gateway that it is no longer bound."""


def listen_topic(gateway_id: str) -> str:
    """Return the topic filter of everything that a gateway hears for the devices behind it."""
    return f"/gws/{gateway_id}/signaltrans/v2/categories/#"


def command_topic(gateway_id: str) -> str:
    """Return the topic on which a gateway gets the commands for the devices behind it."""
    return f"/gws/{gateway_id}/signaltrans/v2/categories/command"


def report(
    device_id: str, service_id: str, data: Mapping[str, Any], moment: "datetime | str | None", now: float
) -> bytes:
    """Return the report of one service of a device behind a gateway; without a moment it is of `now`.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
    """
    for name, value in (("device_id", device_id), ("service_id", service_id)):
        if not isinstance(value, str) or not value or "/" in value:
            raise InvalidArgumentError.of(name, repr(value)[:80], "it must be text, not empty and without /")
    if not isinstance(data, Mapping):
        raise InvalidArgumentError.of("data", type(data).__name__, "it must be a mapping of names to values")
    place = f"{device_id}/services/{service_id}"
    header = {
        "method": "PUT",
        "from": f"/device/{place}",
        "to": f"/data/v1.1.0/devices/{place}",
        "timestamp": event_time(None, now),
        "eventTime": event_time(moment, now),
    }
    return JSON.encode({"header": header, "body": dict(data)})


class ChildWire:
    """The wire of commands for devices behind a gateway."""

    def read(self, payload: bytes) -> Command | None:
        """Return the command in a payload.

        Raises:
            NotACommandError: it is none.
        """
        message = JSON.decode(payload)
        header, paras = message.get("header"), message.get("body")
        if not isinstance(header, dict):
            raise NotACommandError("it has no header")
        service_id, method, device_id = (header.get(name) for name in ("serviceId", "method", "deviceId"))
        if not isinstance(method, str) or not isinstance(device_id, str) or not isinstance(service_id, str | None):
            raise NotACommandError("method, deviceId and serviceId must be text")
        if not isinstance(paras, dict | None):
            raise NotACommandError("body must be an object")
        return Command(service_id or "", method, paras or {}, _mid(header.get("requestId")), device_id)

    def answer(self, command: Command, errcode: int, body: Mapping[str, Any] | None) -> bytes:
        """Return the reply to a command."""
        header = {"requestId": str(command.mid), "deviceId": command.device_id, "statusCode": errcode}
        return JSON.encode({"header": header, "body": dict(body or {})})


def _mid(request_id: object) -> int | None:
    if request_id is None:
        return None
    if not isinstance(request_id, str) or not _MID.fullmatch(request_id) or not 0 < int(request_id) <= MID_MAX:
        raise NotACommandError("requestId must be the text of a number")
    return int(request_id)
