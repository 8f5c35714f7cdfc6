"""Finds the devices of a batch task from its selector (reference 1.8.1, the ObjectNode structure)."""

from __future__ import annotations

from typing import Final

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import refuse
from iot_northbound.emulator.rules import groups
from iot_northbound.emulator.rules.devices import DEVICES

NOT_FOUND: Final = (200, "101001")
INPUT: Final = (400, "50400")
NO_TAG: Final = (404, "105202")
SELECTORS: Final = ("DeviceList", "DeviceType", "DeviceArea", "GroupList", "Broadcast", "GroupIdList")
_NEEDS: Final = {
    "DeviceList": ("deviceList",),
    "DeviceType": ("deviceType", "manufacturerId", "model"),
    "DeviceArea": ("deviceLocation",),
    "GroupList": ("groupList",),
    "GroupIdList": ("groupList",),
    "Broadcast": (),
}


def select(platform: Platform, app_id: str, param: Row) -> list[str]:
    """Return the ids of a task's devices, each once.

    Raises:
        Refusal: 400 50400, the selector lacks a field; 200 101001, it names a missing thing, or finds no device;
            404 105202, no group has the groupTag.
    """
    kind = param["type"]
    for needed in _NEEDS[kind]:
        if not param.get(needed):
            raise refuse(INPUT, f"param.{needed} is missing; type {kind} needs {', '.join(_NEEDS[kind])}")
    found = list(dict.fromkeys(_resolve(platform, app_id, kind, param)))
    if (tag := param.get("groupTag")) is not None:
        group = groups.by_id(platform, app_id, tag) or groups.by_name(platform, app_id, tag)
        if group is None:
            raise refuse(NO_TAG, f"no device group has the id or name {tag!r}")
        tagged = set(groups.members(platform, group["id"]))
        found = [device_id for device_id in found if device_id in tagged]
    if not found:
        raise refuse(NOT_FOUND, "no device matches")
    return found


def _resolve(platform: Platform, app_id: str, kind: str, param: Row) -> list[str]:
    devices = platform.table(DEVICES)
    if kind == "DeviceList":
        for device_id in param["deviceList"]:
            device = devices.get(device_id)
            if device is None or device["appId"] != app_id:
                raise refuse(NOT_FOUND, f"there is no device {device_id!r}")
        listed: list[str] = param["deviceList"]
        return listed
    if kind == "DeviceType":
        return devices.where(appId=app_id, **{name: param[name] for name in _NEEDS[kind]}).keys()
    if kind == "DeviceArea":
        return devices.where(appId=app_id, location=param["deviceLocation"]).keys()
    if kind == "Broadcast":
        return devices.where(appId=app_id).keys()
    find = groups.by_name if kind == "GroupList" else groups.by_id
    found: list[str] = []
    for name in param["groupList"]:
        group = find(platform, app_id, name)
        if group is None:
            raise refuse(NOT_FOUND, f"there is no device group {name!r}")
        found += groups.members(platform, group["id"])
    return found
