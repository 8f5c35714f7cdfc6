"""Device groups and their members."""

from __future__ import annotations

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.kernel.store import Row

GROUPS = table("groups")
MEMBERS = table("group_members")


def of_device(platform: Platform, device_id: str) -> list[str]:
    """Return the ids of the groups a device is in, in the order it joined them."""
    return [row["groupId"] for row in platform.table(MEMBERS).where(deviceId=device_id)]


def members(platform: Platform, group_id: str) -> list[str]:
    """Return the ids of a group's devices, in the order they joined."""
    return [row["deviceId"] for row in platform.table(MEMBERS).where(groupId=group_id)]


def by_name(platform: Platform, app_id: str, name: str) -> Row | None:
    """Return an application's group of this name, or None."""
    return platform.table(GROUPS).where(appId=app_id, name=name).first()


def by_id(platform: Platform, app_id: str, group_id: str) -> Row | None:
    """Return an application's group of this id, or None."""
    row = platform.table(GROUPS).get(group_id)
    return row if row is not None and row["appId"] == app_id else None


@on("device_deleted")
def forget_device(platform: Platform, device: Row) -> None:
    """Remove a deleted device from its groups."""
    for group_id in of_device(platform, device["deviceId"]):
        leave(platform, group_id, device["deviceId"])


def size(platform: Platform, group_id: str) -> int:
    """Return how many devices a group has."""
    return len(platform.table(MEMBERS).where(groupId=group_id))


def has(platform: Platform, group_id: str, device_id: str) -> bool:
    """Return whether a device is in a group."""
    return _key(group_id, device_id) in platform.table(MEMBERS)


def _key(group_id: str, device_id: str) -> str:
    return f"{group_id}/{device_id}"


def join(platform: Platform, group_id: str, device_id: str) -> None:
    """Add a device to a group."""
    row = {"groupId": group_id, "deviceId": device_id, "seq": platform.next_seq()}
    platform.table(MEMBERS).put(_key(group_id, device_id), row)


def leave(platform: Platform, group_id: str, device_id: str) -> None:
    """Remove a device from a group."""
    platform.table(MEMBERS).delete(_key(group_id, device_id))
