"""Compares a JSON value with a table of the reference: keys, types, lengths, ranges, time form, enumerations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatch
from typing import Any

TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_TYPE = re.compile(r"(?P<name>[\w]+)(?:<(?P<inner>.+)>)?(?:[(\[](?P<limit>.+)[)\]])?")
_PLAIN: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "enum": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "boolean": (bool,),
    "objectnode": (dict,),
    "jsonobject": (dict,),
    "json": (dict,),
    "map": (dict,),
}
_ALIASES = {"TagDTO": "TagDTO2", "OperationStatistic": "OperationStaResult"}
"""Structures whose description in the reference has another name."""
_NO_LENGTH = {"expiresIn", "total", "wait", "processing", "success", "fail", "stop", "timeout"}
"""Numbers whose table gives a width of storage, not a range."""

TIMES = {
    "createTime",
    "lastModifiedTime",
    "eventTime",
    "timestamp",
    "startTime",
    "stopTime",
    "endTime",
    "creationTime",
    "executeTime",
    "platformIssuedTime",
    "deliveredTime",
    "uploadTime",
    "alarmTime",
    "satisfactionTime",
    "triggerTime",
}
_DEVICE = {"ONLINE", "OFFLINE", "INACTIVE", "ABNORMAL"}
_COMMAND = {
    *("DEFAULT", "PENDING", "SENT", "DELIVERED", "SUCCESSFUL", "FAILED", "TIMEOUT", "EXPIRED", "CANCELED"),
}
_OPERATION = {"wait", "processing", "failed", "success", "stop"}
_YES = {"TRUE", "FALSE"}
_DETAILS = {
    *("NONE", "CONFIGURATION_PENDING", "UE_REACHABILITY", "AVAILABILITY_AFTER_DDN_FAILURE", "COMMUNICATION_ERROR"),
    *("CONFIGURATION_ERROR", "BRIDGE_OFFLINE", "FIRMWARE_UPDATING", "DUTY_CYCLE", "NOT_ACTIVE", "TIME_OUT"),
    "LOSS_OF_CONNECTIVITY",
}
_STEPS = {"idle", "downloading", "downloaded", "updating"}
ENUMS: dict[str, set[str]] = {
    "*:*nodeType": {"ENDPOINT", "GATEWAY", "UNKNOWN"},
    "*:*deviceInfo.status": _DEVICE,
    "*:*deviceInfo.statusDetail": _DETAILS,
    "*:*deviceInfo.mute": _YES,
    "*:*deviceInfo.supportedSecurity": _YES,
    "*:*deviceInfo.isSecurity": _YES,
    "1.3.*:scope": {"default"},
    "1.3.*:tokenType": {"bearer", "Bearer"},
    "1.7.[123]:status": _COMMAND,
    "1.7.2:data.status": _COMMAND,
    "1.7.*:*deviceCommands.status": _COMMAND,
    "1.7.5:status": {"WAITING", "RUNNING", "SUCCESS", "FAILED", "PART_SUCCESS"},
    "1.7.6:data.status": {"WAITING", "RUNNING", "SUCCESS", "FAILED", "PART_SUCCESS"},
    "1.7.7:status": {"sent", "delivered", "failed"},
    "1.8.2:taskFrom": {"Portal", "Northbound"},
    "1.8.2:taskType": {"DeviceCmd"},
    "1.8.2:status": {"Pending", "Running", "Complete", "Timeout"},
    "1.8.2:param.type": {"DeviceList", "DeviceType", "DeviceArea", "GroupList", "Broadcast", "GroupIdList"},
    "1.8.3:taskDetails.status": {"Pending", "WaitResult", "Success", "Fail", "Timeout"},
    "1.10.*:*fileType": {"firmwarePackage", "softwarePackage"},
    "1.10.*:*operateType": {"firmware_upgrade", "software_upgrade"},
    "1.10.*:*executeType": {"now", "device_online", "custom"},
    "1.10.6:status": _OPERATION,
    "1.10.8:data.status": _OPERATION,
    "1.10.7:data.status": {"wait", "processing", "fail", "success", "stop"},
    "1.6.7.2:resultCode": {"expired", "succeeded"},
    "1.6.7.10:header.status": {"sent", "delivered", "executed"},
    "1.6.7.12:result.resultCode": _COMMAND,
    "1.6.7.14:status": {"DELIVERED", "FAILED"},
    "1.6.7.15:swUpgradeState": _STEPS,
    "1.6.7.16:swUpgradeResult": {"SUCCESS", "FAIL"},
    "1.6.7.17:step": {"0", "1", "2", "3"},
    "1.6.7.17:stepDesc": _STEPS,
    "1.6.7.18:status": {"SUCCESS", "FAIL"},
}
"""Documented members, by section and path; the last name of a path is the field."""

Fields = list[dict[str, Any]]


def faults(section: str, message: dict[str, Any], side: dict[str, Any]) -> Iterator[str]:
    """Yield where a message differs from its table: `"path: what is wrong"`."""
    yield from _object(section, "", message, side.get("fields", []), side.get("structures", {}))


def _object(section: str, path: str, value: dict[str, Any], fields: Fields, known: dict[str, Fields]) -> Iterator[str]:
    names = {field["name"] for field in fields}
    for name in value.keys() - names:
        yield f"{path}{name}: not documented"
    for field in fields:
        where = f"{path}{field['name']}"
        if field["name"] not in value:
            yield f"{where}: missing"
        elif value[field["name"]] is not None:
            yield from _value(section, where, value[field["name"]], field["type"], known)


def _value(section: str, where: str, value: Any, kind: str, known: dict[str, Fields]) -> Iterator[str]:
    told = _TYPE.fullmatch(kind)
    assert told is not None, kind
    name, inner, limit = told["name"], told["inner"], told["limit"]
    field = where.rpartition(".")[2]
    if name == "List":
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for item in value:
            yield from _value(section, where, item, inner, known)
        return
    structure = known.get(_ALIASES.get(name, name))
    # Only `param` is described as a structure of this name; elsewhere it is any JSON.
    if structure is not None and (name != "ObjectNode" or field == "param"):
        if isinstance(value, dict):
            yield from _object(section, f"{where}.", value, structure, known)
        else:
            yield f"{where}: no object"
        return
    if name == "Object":
        return
    allowed = _PLAIN.get(name.lower(), (dict,))
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        yield f"{where}: {value!r} is not a {name}"
        return
    if limit and field not in _NO_LENGTH and name.lower() not in ("objectnode", "map"):
        low, high = _span(limit, isinstance(value, str))
        size: float = len(value) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
        if not low <= size <= high:
            yield f"{where}: {value!r} is not within {limit}"
    if isinstance(value, str):
        yield from _text(section, where, field, value)


def _text(section: str, where: str, field: str, value: str) -> Iterator[str]:
    if field in TIMES and (TIME.fullmatch(value) is None or datetime.strptime(value, "%Y%m%dT%H%M%SZ").year < 2020):
        yield f"{where}: {value!r} is not a time"
    for pattern, members in ENUMS.items():
        if fnmatch(f"{section}:{where}", pattern) and value not in members:
            yield f"{where}: {value!r} is not a documented value"


def _span(limit: str, is_text: bool) -> tuple[float, float]:
    if limit.startswith(">="):
        return float(limit[2:]), float("inf")
    numbers = [float(number) for number in re.findall(r"[0-9]+", limit)]
    if len(numbers) == 1:
        return (0.0 if is_text else float("-inf")), numbers[0]
    return numbers[0], numbers[1]
