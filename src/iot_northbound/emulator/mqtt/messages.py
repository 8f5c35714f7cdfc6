"""What devices and the platform say to each other over MQTT, as JSON objects (8.2.3, 8.2.4 and the field)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

Row = dict[str, Any]

_TO = re.compile(r"/data/v1\.1\.0/devices/([^/]+)/services/([^/]+)")
_SUCCESS = (0, 200)
_LONGEST_ID = 256
MOST_ENTRIES = 1_000
"""How many entries of a report are taken: while they take effect, no other device has its turn."""
MOST_VALUES = 5_000
"""How many values the entries of a report may have together."""


class Reply(NamedTuple):
    """A device's answer to a command; `mid` None: the device does not say to which."""

    mid: int | None
    errcode: int
    body: Row


class ChildData(NamedTuple):
    """What a gateway reports for itself or for a device behind it."""

    device_id: str
    entry: Row


def entries_of(message: Row) -> tuple[list[Row], list[str]]:
    """Return the entries of a report (deviceReq), and what is wrong with those that are left out.

    Raises:
        ValueError: It has no entries at all.
    """
    data = message.get("data")
    if not isinstance(data, list) or not data:
        raise ValueError("a report (deviceReq) must have data: a list with at least one entry")
    entries, complaints, room = [], [], MOST_VALUES
    for each in data[:MOST_ENTRIES]:
        if isinstance(each, dict):
            service_id, values = each.get("serviceId"), each.get("serviceData")
            if isinstance(service_id, str) and 0 < len(service_id) <= _LONGEST_ID and isinstance(values, dict):
                room -= len(values)
                if room < 0:
                    complaints.append(f"the values of a report that are beyond {MOST_VALUES:,} are dropped")
                    break
                entries.append({"serviceId": service_id, "data": values, "eventTime": _text(each.get("eventTime"))})
                continue
        complaints.append(_fault_of(each))
    if len(data) > MOST_ENTRIES:
        complaints.insert(0, f"a report has {len(data):,} entries; those beyond {MOST_ENTRIES:,} are dropped")
    return entries, complaints


def _fault_of(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "an entry of data must be an object with serviceId and serviceData"
    service_id = entry.get("serviceId")
    if not isinstance(service_id, str) or not 0 < len(service_id) <= _LONGEST_ID:
        return "an entry of data must have serviceId, a text of 1 to 256 characters"
    if "serviceData" not in entry and "data" in entry:
        return "an entry of data has its values in data; the name is serviceData"
    return "an entry of data must have serviceData, an object"


def reply_of(message: Row) -> Reply:
    """Return a device's answer to a command (deviceRsp).

    Raises:
        ValueError: Its mid, errcode or body are of a wrong type.
    """
    body = message.get("body")
    if body is not None and not isinstance(body, dict):
        raise ValueError("body of an answer (deviceRsp) must be an object")
    mid = message.get("mid")
    return Reply(
        None if mid is None else _number(mid, "mid"), _number(message.get("errcode", 0), "errcode"), body or {}
    )


def child_data_of(message: Row) -> ChildData:
    """Return what a gateway reports.

    Raises:
        ValueError: It has another form.
    """
    header, body = _parts(message)
    to = header.get("to")
    if len(body) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")
    found = _TO.fullmatch(to) if isinstance(to, str) else None
    if found is None:
        raise ValueError("header.to must be /data/v1.1.0/devices/{deviceId}/services/{serviceId}")
    return ChildData(found[1], {"serviceId": found[2], "data": body, "eventTime": _text(header.get("eventTime"))})


def child_reply_of(message: Row) -> Reply:
    """Return a gateway's answer to a command; the requestId is the command's mid.

    Raises:
        ValueError: It has another form.
    """
    header, body = _parts(message)
    status = _number(header.get("statusCode", 0), "header.statusCode")
    request_id = header.get("requestId")
    mid = None if request_id is None else _number(request_id, "header.requestId")
    return Reply(mid, 0 if status in _SUCCESS else status, body)


def command(row: Row) -> Row:
    """Return a message of the outbox as a device gets it: exactly the five keys of 8.2.4."""
    return {
        "msgType": "cloudReq",
        "serviceId": row["serviceId"],
        "cmd": row["method"],
        "paras": row["paras"],
        "mid": row["mid"],
    }


def gateway_command(row: Row) -> Row:
    """Return a message of the outbox as a gateway gets it. The keys were seen in the field; their layout is ours."""
    header = {
        "requestId": str(row["mid"]),
        "deviceId": row["deviceId"],
        "serviceId": row["serviceId"],
        "method": row["method"],
        "from": "/platform",
        "mode": "ACK",
    }
    return {"header": header, "body": row["paras"]}


def secret(device_id: str, own: str) -> Row:
    """Return the message that gives a device its own secret; `deviceid` is spelt so in the field."""
    return {"msgType": "cloudSendSecret", "deviceid": device_id, "secret": own}


def _parts(message: Row) -> tuple[Row, Row]:
    header, body = message.get("header"), message.get("body")
    if not isinstance(header, dict) or not isinstance(body, dict):
        raise ValueError("it must have header and body, both of them objects")
    return header, body


def _number(value: Any, name: str) -> int:
    # At most ten digits: longer ones are not numbers that anyone has sent, and converting them can take long.
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,10}", value):
        return int(value)
    if type(value) is not int or abs(value) > 9_999_999_999:
        raise ValueError(f"{name} must be a whole number")
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
