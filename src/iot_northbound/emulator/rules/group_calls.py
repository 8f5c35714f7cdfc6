"""Managing device groups and their members (reference 1.9.1 to 1.9.8)."""

from __future__ import annotations

from typing import Any, Final

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Shape, array, integer, may, must, refuse, text
from iot_northbound.emulator.rules import admission, applications, groups
from iot_northbound.emulator.rules.groups import GROUPS, MEMBERS

INPUT = (400, "50400")
PARAMETER = (400, "100604")
LIST_MAXIMUM = 1000

_ACCESS: Final[dict[str, Any]] = {"app_field": "accessAppId", "app_status": 200, "removed_app": (200, "100203")}
"""The query field of 1.9.1 to 1.9.5 that names another application, and how they refuse it."""


_DESCRIBED = (
    must("name", text(1, 50, "[A-Za-z0-9]+")),
    may("description", text(0, 1024)),
    may("maxDevNum", integer(0)),
)

CREATE = Shape(*_DESCRIBED, may("appId", text(1, 50)), may("deviceIds", array(text(1, 256))), invalid=INPUT)

MODIFY = Shape(*_DESCRIBED, invalid=INPUT)
LIST = Shape(
    may("pageNo", integer(0)), may("pageSize", integer(1)), may("name", text(0, 50)), invalid=INPUT
)  # fmt: skip

MEMBER_PAGE = Shape(
    must("devGroupId", text(1, 256)),
    may("pageNo", integer(0)),
    may("pageSize", integer(1, LIST_MAXIMUM)),
    invalid=INPUT,
)

MEMBERSHIP = Shape(must("devGroupId", text(1, 50)), must("deviceIds", array(text(1, 256))), invalid=INPUT)


@route("1.9.1", "POST", "/iocm/app/devgroup/v1.3.0/devGroups", **_ACCESS)
def create(platform: Platform, call: Call) -> Answer:
    """Create a group, with its first members if any are given."""
    given = CREATE.read(call.body)
    app_id = applications.permitted(platform, call, given.get("appId") or call.app_id)
    if groups.by_name(platform, app_id, given["name"]) is not None:
        raise Refusal(200, "100602")
    if len(platform.table(GROUPS).where(appId=app_id)) >= platform.settings.group_limit:
        raise Refusal(200, "100607")
    device_ids = list(dict.fromkeys(given.get("deviceIds", [])))
    maximum = given.get("maxDevNum", 0)
    if maximum and len(device_ids) > maximum:
        raise Refusal(400, "100609")
    for device_id in device_ids:
        if not _is_device(platform, app_id, device_id):
            raise refuse(INPUT, f"there is no device {device_id!r}")
    group_id = platform.ids.hex(32)
    row: Row = {
        "id": group_id,
        "name": given["name"],
        "description": given.get("description"),
        "appId": app_id,
        "maxDevNum": maximum,
        "creator": call.caller,
        "seq": platform.next_seq(),
    }
    platform.table(GROUPS).put(group_id, row)
    for device_id in device_ids:
        groups.join(platform, group_id, device_id)
    return Answer(200, {**_public(platform, row), "deviceIds": device_ids})


@route("1.9.2", "DELETE", "/iocm/app/devgroup/v1.3.0/devGroups/{devGroupId}", **_ACCESS)
def delete(platform: Platform, call: Call) -> Answer:
    """Delete a group; its devices stay."""
    row = _group(platform, call.app_id, call.ids[0])
    for device_id in groups.members(platform, row["id"]):
        groups.leave(platform, row["id"], device_id)
    platform.table(GROUPS).delete(row["id"])
    return Answer(200)


@route("1.9.3", "PUT", "/iocm/app/devgroup/v1.3.0/devGroups/{devGroupId}", **_ACCESS)
def modify(platform: Platform, call: Call) -> Answer:
    """Change a group's name, description and maximum; a maximum that is not given becomes the default, 0."""
    given = MODIFY.read(call.body)
    row = _group(platform, call.app_id, call.ids[0])
    namesake = groups.by_name(platform, call.app_id, given["name"])
    if namesake is not None and namesake["id"] != row["id"]:
        raise Refusal(200, "100602")
    maximum = given.setdefault("maxDevNum", 0)
    if maximum and groups.size(platform, row["id"]) > maximum:
        raise Refusal(200, "100601")
    return Answer(200, _public(platform, platform.table(GROUPS).change(row["id"], **given)))


@route("1.9.4", "GET", "/iocm/app/devgroup/v1.3.0/devGroups", **_ACCESS)
def query_all(platform: Platform, call: Call) -> Answer:
    """Return an application's groups, all of them or a page, oldest first."""
    given = LIST.read(call.query)
    equal = {"name": given["name"]} if given.get("name") else {}
    found = platform.table(GROUPS).where(appId=call.app_id, **equal)
    page_no, page_size = given.get("pageNo"), given.get("pageSize", 1)
    if page_no is None:
        page_no, page_size = 0, len(found)
    listed = [_with_creator(platform, row) for row in found.slice(page_no * page_size, page_size)]
    return Answer(200, {"totalCount": len(found), "pageNo": page_no, "pageSize": page_size, "list": listed})


@route("1.9.5", "GET", "/iocm/app/devgroup/v1.3.0/devGroups/{devGroupId}", **_ACCESS)
def query_one(platform: Platform, call: Call) -> Answer:
    """Return one group."""
    return Answer(200, _with_creator(platform, _group(platform, call.app_id, call.ids[0])))


@route("1.9.6", "GET", "/iocm/app/dm/v1.2.0/devices/ids", app_field="accessAppId")
def query_members(platform: Platform, call: Call) -> Answer:
    """Return a page of a group's devices, in the order they joined."""
    given = MEMBER_PAGE.read(call.query)
    row = _group(platform, call.app_id, given["devGroupId"])
    page_no, page_size = given.get("pageNo", 0), given.get("pageSize", 10)
    found = platform.table(MEMBERS).where(groupId=row["id"])
    ids = [member["deviceId"] for member in found.slice(page_no * page_size, page_size)]
    return Answer(200, {"totalCount": len(found), "pageNo": page_no, "pageSize": page_size, "deviceIds": ids})


@route("1.9.7", "POST", "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices", app_field="accessAppId")
def add_members(platform: Platform, call: Call) -> Answer:
    """Add devices to a group, all or none; devices that are members already stay members."""
    row, device_ids = _membership(platform, call)
    for device_id in device_ids:
        if not _is_device(platform, call.app_id, device_id):
            raise refuse(PARAMETER, f"there is no device {device_id!r}")
    joining = [device_id for device_id in device_ids if not groups.has(platform, row["id"], device_id)]
    if row["maxDevNum"] and groups.size(platform, row["id"]) + len(joining) > row["maxDevNum"]:
        raise Refusal(200, "100601")
    for device_id in joining:
        groups.join(platform, row["id"], device_id)
    return Answer(200, {"devGroupId": row["id"], "deviceIds": device_ids})


@route("1.9.8", "POST", "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices", app_field="accessAppId")
def remove_members(platform: Platform, call: Call) -> Answer:
    """Remove devices from a group, all or none."""
    row, device_ids = _membership(platform, call)
    for device_id in device_ids:
        if not groups.has(platform, row["id"], device_id):
            raise refuse(PARAMETER, f"device {device_id!r} is not a member of the group")
    for device_id in device_ids:
        groups.leave(platform, row["id"], device_id)
    return Answer(200)


def _membership(platform: Platform, call: Call) -> tuple[Row, list[str]]:
    given = MEMBERSHIP.read(call.body)
    row = _group(platform, call.app_id, given["devGroupId"])
    if not 1 <= len(given["deviceIds"]) <= LIST_MAXIMUM:
        raise refuse(PARAMETER, f"deviceIds must have 1 to {LIST_MAXIMUM} entries")
    return row, list(dict.fromkeys(given["deviceIds"]))


def _group(platform: Platform, app_id: str, group_id: str) -> Row:
    row = groups.by_id(platform, app_id, group_id)
    if row is None:
        raise Refusal(200, "100603")
    return row


def _is_device(platform: Platform, app_id: str, device_id: str) -> bool:
    device = platform.table("devices").get(device_id)
    return device is not None and device["appId"] == app_id


def _public(platform: Platform, row: Row) -> Row:
    return {
        "name": row["name"],
        "description": row["description"],
        "id": row["id"],
        "appId": row["appId"],
        "maxDevNum": row["maxDevNum"],
        "curDevNum": groups.size(platform, row["id"]),
    }


def _with_creator(platform: Platform, row: Row) -> Row:
    return {**_public(platform, row), "creator": row["creator"]}


_SHADOW = "unreachable: this query carries no serviceId and no properties that the code could be about"
_MEMBERSHIP = {"50400": "devGroupId or deviceIds is missing or of another type"}
CODES = {
    **codes(
        [f"1.9.{number}" for number in range(1, 9)],
        admission.TOKEN,
        admission.INTERNAL,
        {
            "100203": "accessAppId (1.9.1: appId) names an application that does not exist",
            "100217": "accessAppId (1.9.1: appId) names an application that has not authorised the caller",
        },
    ),
    **codes([f"1.9.{number}" for number in (2, 3, 5, 7, 8)], {"100603": "no such group in this application"}),
    **codes(
        "1.9.1",
        {
            "100602": "the application has a group of this name",
            "100607": "the application has as many groups as the setting group_limit allows",
            "100609": "more deviceIds than maxDevNum",
            "50400": "a value breaks its rule, or a device does not exist",
        },
    ),
    **codes(
        "1.9.3",
        {
            "100601": "maxDevNum is below the number of members",
            "100602": "another group of the application has this name",
            "50400": "a value breaks its rule",
        },
    ),
    **codes("1.9.6", dict.fromkeys(("107001", "107002", "107003"), _SHADOW)),
    **codes(
        "1.9.7",
        _MEMBERSHIP,
        {
            "100601": "with the new members the group would exceed maxDevNum",
            "100604": "a device does not exist, or the list is empty or too long",
        },
    ),
    **codes(
        "1.9.8",
        _MEMBERSHIP,
        {
            "100601": "unreachable: removing members cannot reach a maximum",
            "100604": "a device is not a member, or the list is empty or too long",
        },
    ),
}
