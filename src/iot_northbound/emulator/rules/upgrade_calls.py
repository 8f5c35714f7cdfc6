"""Creating and querying software and firmware upgrades (reference 1.10.4 to 1.10.8)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import (
    Bad,
    Shape,
    array,
    boolean,
    integer,
    json_object,
    may,
    must,
    one_of,
    refuse,
    structure,
    text,
    time_of,
)
from iot_northbound.emulator.rules import admission, devices, groups, package_calls, packages, upgrades
from iot_northbound.emulator.rules.upgrades import OPERATIONS, SUB_OPERATIONS

BAD_REQUEST = package_calls.BAD_REQUEST
NO_TASK = (404, "123009")
TARGET_LIMIT = 256
MINIMUM_WINDOW = 300.0


_TARGETS = structure(
    may("deviceGroups", array(text(1, 256))),
    may("devices", array(text(1, 256))),
    *[may(name, text(0, 256)) for name in ("deviceType", "model", "manufacturerName")],
)
CREATE = Shape(
    must("fileId", packages.IDENTIFIER),
    must("targets", _TARGETS),
    may("policy", json_object),
    invalid=BAD_REQUEST,
)
POLICY = Shape(
    must("executeType", one_of("now", "device_online", "custom"), (400, "123025")),
    may("startTime", text(0, 64), (400, "123026")),
    may("endTime", text(0, 64), (400, "123026")),
    may("retryType", boolean),
    may("retryTimes", integer(1, 5), (400, "123028")),
    invalid=BAD_REQUEST,
)
_PAGE = may("pageNo", integer()), may("pageSize", integer())
LIST = Shape(
    may("operationType", one_of("firmware_upgrade", "software_upgrade")),
    may("operationStatus", one_of("wait", "processing", "failed", "success", "stop")),
    *[may(name, text(0, 256)) for name in ("deviceType", "model", "manufacturerName", "deviceId")],
    *_PAGE,
    invalid=BAD_REQUEST,
)
SUB_LIST = Shape(
    may("subOperationStatus", one_of("wait", "processing", "fail", "success", "stop")), *_PAGE, invalid=BAD_REQUEST
)  # fmt: skip


@route("1.10.4", "POST", "/iodm/northbound/v1.5.0/operations/softwareUpgrade")
def upgrade_software(platform: Platform, call: Call) -> Answer:
    """Create a software upgrade."""
    return _create(platform, call, "software_upgrade", "softwarePackage")


@route("1.10.5", "POST", "/iodm/northbound/v1.5.0/operations/firmwareUpgrade")
def upgrade_firmware(platform: Platform, call: Call) -> Answer:
    """Create a firmware upgrade."""
    return _create(platform, call, "firmware_upgrade", "firmwarePackage")


@route("1.10.6", "GET", "/iodm/northbound/v1.5.0/operations/{operationId}")
def query_one(platform: Platform, call: Call) -> Answer:
    """Return one upgrade."""
    return Answer(200, _public(platform, _owned(platform, call)))


@route("1.10.7", "GET", "/iodm/northbound/v1.5.0/operations/{operationId}/subOperations")
def query_subs(platform: Platform, call: Call) -> Answer:
    """Return a page of an upgrade's parts, in the order of its targets."""
    given = SUB_LIST.read(call.query)
    page_no, page_size = package_calls.page_of(given)
    operation = _owned(platform, call)
    status = given.get("subOperationStatus")
    subs = platform.table(SUB_OPERATIONS)
    if status == "fail":
        # Timeouts are failures, too; they are only counted separately.
        failed = [row for row in subs.where(operationId=operation["operationId"]) if _status_of(row) == "fail"]
        total, rows = len(failed), failed[page_no * page_size : (page_no + 1) * page_size]
    else:
        equal = {} if status is None else {"outcome": status}
        found = subs.where(operationId=operation["operationId"], **equal)
        total, rows = len(found), found.slice(page_no * page_size, page_size)
    data = [_public_sub(platform, row) for row in rows]
    return Answer(200, {"data": data, "pageNo": page_no, "pageSize": page_size, "totalCount": total})


@route("1.10.8", "GET", "/iodm/northbound/v1.5.0/operations")
def query_all(platform: Platform, call: Call) -> Answer:
    """Return a page of the upgrades that match all the filters, newest first."""
    given = LIST.read(call.query)
    page_no, page_size = package_calls.page_of(given)
    names = {"operationType": "operateType", "operationStatus": "status"}
    for name in ("deviceType", "model", "manufacturerName"):
        names[name] = name
    equal = {field: given[name] for name, field in names.items() if given.get(name)}
    found = platform.table(OPERATIONS).where(appId=call.app_id, **equal)
    if given.get("deviceId"):
        mine = {row["operationId"] for row in platform.table(SUB_OPERATIONS).where(deviceId=given["deviceId"])}
        matching = [row for row in reversed(list(found)) if row["operationId"] in mine]
        total, rows = len(matching), matching[page_no * page_size : (page_no + 1) * page_size]
    else:
        total, rows = len(found), found.slice(page_no * page_size, page_size, descending=True)
    data = [_public(platform, row) for row in rows]
    return Answer(200, {"data": data, "pageNo": page_no, "pageSize": page_size, "totalCount": total})


def _create(platform: Platform, call: Call, operate_type: str, file_type: str) -> Answer:
    given = CREATE.read(call.body)
    targets = given["targets"]
    _check_targets(targets)
    policy, window = _policy(platform, given.get("policy"))
    package = packages.find(platform, call.app_id, given["fileId"])
    if package is None:
        raise Refusal(*package_calls.NOT_FOUND)
    if package["fileType"] != file_type:
        raise refuse((400, "123016"), f"the package is a {package['fileType']}")
    device_ids = _targets(platform, call.app_id, targets, package)
    operation = {
        "operateType": operate_type,
        "targets": {
            "deviceGroups": targets.get("deviceGroups"),
            **{name: package[name] for name in _FIT},
            "devices": targets.get("devices"),
        },
        "policy": policy,
        "window": window,
        "fileVersion": package["version"],
        **{name: package[name] for name in _FIT},
    }
    row = upgrades.create(platform, call.app_id, operation, device_ids)
    return Answer(200, {"operationId": row["operationId"]})


def _check_targets(targets: Row) -> None:
    named, listed = targets.get("deviceGroups"), targets.get("devices")
    if not named and not listed:
        raise Refusal(400, "123022")
    if named and listed:
        raise Refusal(400, "123023")
    if len(named or listed or ()) > TARGET_LIMIT:
        raise Refusal(400, "123024")
    if named:
        for name, code in (("manufacturerName", "123019"), ("deviceType", "123020"), ("model", "123021")):
            if not targets.get(name):
                raise Refusal(400, code)


def _policy(platform: Platform, given: Row | None) -> tuple[Row | None, list[float] | None]:
    """Return a checked policy, and its window in epoch seconds if it has one."""
    if given is None:
        return None, None
    policy = POLICY.read(given)
    if policy.get("retryType") and "retryTimes" not in policy:
        raise Refusal(400, "123028")
    shown = {name: policy.get(name) for name in ("executeType", "startTime", "endTime", "retryType", "retryTimes")}
    if policy["executeType"] != "custom":
        return shown, None
    try:
        start, end = (time_of(policy.get(name)) for name in ("startTime", "endTime"))
    except Bad as bad:
        raise refuse((400, "123026"), str(bad)) from None
    if start > end:
        raise Refusal(400, "123032")
    if start < int(platform.now()):
        raise Refusal(400, "123033")
    if end - start <= MINIMUM_WINDOW:
        raise Refusal(400, "123034")
    return shown, [start, end]


_FIT = ("deviceType", "model", "manufacturerName")


def _targets(platform: Platform, app_id: str, targets: Row, package: Row) -> list[str]:
    for name in _FIT:
        if targets.get(name) and targets[name] != package[name]:
            raise refuse((400, "123016"), f"the package is for {name} {package[name]!r}")
    if targets.get("devices"):
        found = list(dict.fromkeys(targets["devices"]))
        for device_id in found:
            device = devices.find(platform, device_id)
            if device is None or device["appId"] != app_id:
                raise refuse(package_calls.NOT_FOUND, f"there is no device {device_id!r}")
            if any(device.get(name) != package[name] for name in _FIT):
                raise refuse((400, "123016"), f"device {device_id!r} is of another type, model or manufacturer")
        return found
    chosen: dict[str, None] = {}
    for name in targets["deviceGroups"]:
        group = groups.by_name(platform, app_id, name)
        if group is None:
            raise refuse(package_calls.NOT_FOUND, f"there is no device group {name!r}")
        for device_id in groups.members(platform, group["id"]):
            device = devices.need(platform, device_id)
            if all(device.get(field) == package[field] for field in _FIT):
                chosen[device_id] = None
    if not chosen:
        raise refuse(package_calls.NOT_FOUND, "no device of these groups is of this type, model and manufacturer")
    return list(chosen)


def _owned(platform: Platform, call: Call) -> Row:
    row = platform.table(OPERATIONS).get(package_calls.identifier(call.ids[0]))
    if row is None or row["appId"] != call.app_id:
        raise Refusal(*NO_TASK)
    return row


def _times(row: Row) -> Row:
    names = {"createTime": "created", "startTime": "started", "stopTime": "stopped"}
    return {name: None if row[field] is None else time_text(row[field]) for name, field in names.items()}


def _public(platform: Platform, row: Row) -> Row:
    return {
        "operationId": row["operationId"],
        **_times(row),
        **{name: row[name] for name in ("operateType", "targets", "policy", "status")},
        "staResult": upgrades.statistics(platform, row["operationId"]),
        "extendPara": {"fileVersion": row["fileVersion"]},
    }


def _status_of(sub: Row) -> str:
    outcome: str = sub["outcome"]
    return "fail" if outcome == "timeout" else outcome


def _public_sub(platform: Platform, sub: Row) -> Row:
    device: Any = devices.find(platform, sub["deviceId"]) or {}
    extra = {
        "upgradeTime": None if sub["outcome"] != "success" else str(int(sub["stopped"] - sub["started"])),
        "sourceVersion": sub["source"],
        "curVersion": device.get(upgrades.version_field(sub["operateType"])),
        "downloadTime": None if sub["downloaded"] is None else str(int(sub["downloaded"] - sub["started"])),
        "targetVersion": sub["target"],
    }
    return {
        "subOperationId": sub["subOperationId"],
        **_times(sub),
        "operateType": sub["operateType"],
        "deviceId": sub["deviceId"],
        "status": _status_of(sub),
        "detailInfo": sub["detail"],
        # The reference's table has the first name, its sample and the vendor's SDK have the second.
        "extendPara": extra,
        "extendInfo": extra,
    }


CODES = {
    **codes([f"1.10.{number}" for number in range(4, 9)], admission.TOKEN),
    **codes(
        ("1.10.4", "1.10.5"),
        {
            "120015": "fileId or targets is missing, or of another type",
            "123002": "no such package, device or device group, or no device of the groups fits",
            "123016": "the package's kind, or its type, model or manufacturer, is not that of the devices",
            "123019": "deviceGroups without manufacturerName",
            "123020": "deviceGroups without deviceType",
            "123021": "deviceGroups without model",
            "123022": "neither deviceGroups nor devices",
            "123023": "both deviceGroups and devices",
            "123024": "more than 256 device groups or devices",
            "123025": "policy without executeType, or with an unknown one",
            "123026": "executeType custom without startTime or endTime, or one of them has another form",
            "123028": "retryTimes is missing with retryType true, or is not from 1 to 5",
            "123032": "startTime is after endTime",
            "123033": "startTime is in the past",
            "123034": "five minutes or less from startTime to endTime",
        },
    ),
    **codes(
        ("1.10.6", "1.10.7"),
        {
            "120015": "operationId has characters that no id has",
            "123009": "no such operation in this application",
        },
    ),
    **codes(("1.10.7", "1.10.8"), {"123029": "pageNo is negative, or pageSize is not from 1 to 100"}),
    **codes(
        "1.10.8",
        {
            "120015": "a query field breaks its rule",
            "123009": "unreachable: a search that finds nothing answers an empty page",
        },
    ),
}
