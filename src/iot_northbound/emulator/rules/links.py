"""Links: which devices are connected right now through a session of their own, and what they listen to.

A link is a row, so it is part of a snapshot, and whoever holds the session behind it sees in the table `links` that the
platform has ended it: the row is gone, or has another session.

A device that had a link once is real from then on, and so are the devices behind it: a real device hears only through
a link. A device behind a gateway has no link; its gateway's link carries what is for it. For a device with a script no
link counts: the script answers, also if a real device of this id connects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.rules import devices
from iot_northbound.emulator.rules.devices import DEVICES

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

LINKS = table("links", "since", "deviceId")
OWN: Final = frozenset(("json", "binary", "hub"))
"""The channels of a link on which its own device hears commands."""
CHILDREN: Final = frozenset(("gateway", "hub"))
"""The channels of a link on which the devices behind its gateway hear commands."""

PLAYED: list[Callable[[Platform, str], bool]] = []
"""Functions that say whether the emulator plays a device itself, so that no link counts for it."""


def find(platform: Platform, device_id: str) -> Row | None:
    """Return a device's link, or None."""
    return platform.table(LINKS).rows.get(device_id)


def connect(platform: Platform, device_id: str, session: str, kind: str = "mqtt") -> None:
    """Link a device to an authenticated session; it is then activated and online, but listens to nothing yet.

    The session takes the place of an older one. The same session again is only a sign of life.

    Args:
        platform: the platform.
        device_id: the device.
        session: what tells this session from all others, in the words of whoever holds it.
        kind: "mqtt" or "hub".

    Raises:
        LookupError: There is no such device.
    """
    if not devices.need(platform, device_id).get("real"):
        platform.table(DEVICES).change(device_id, real=True)
    old = find(platform, device_id)
    if old is None or old["session"] != session:
        if old is not None:
            _drop(platform, old)
        row = {"deviceId": device_id, "kind": kind, "session": session, "since": platform.now(), "channels": {}}
        platform.table(LINKS).put(device_id, row)
    devices.set_online(platform, device_id)


def subscribe(platform: Platform, device_id: str, session: str, channel: str, qos: int) -> None:
    """Let a session listen to a channel, and send what waits for the devices that hear it.

    Nothing happens if the device has another session by now, or none.
    """
    row, device = find(platform, device_id), devices.find(platform, device_id)
    if row is None or row["session"] != session or device is None:
        return
    platform.table(LINKS).change(device_id, channels={**row["channels"], channel: qos})
    if channel in OWN:
        platform.emit("device_listens", device)
    if channel in CHILDREN:
        for child in devices.sub_devices(platform, device_id):
            platform.emit("device_listens", child)


def unsubscribe(platform: Platform, device_id: str, session: str, channel: str) -> None:
    """Let a session no longer listen to a channel."""
    row = find(platform, device_id)
    if row is not None and row["session"] == session and channel in row["channels"]:
        kept = {name: qos for name, qos in row["channels"].items() if name != channel}
        platform.table(LINKS).change(device_id, channels=kept)


def disconnect(platform: Platform, device_id: str, session: str) -> None:
    """Take the end of a session; the device is then OFFLINE, unless it has another session by now."""
    row = find(platform, device_id)
    if row is not None and row["session"] == session:
        end(platform, device_id)


def end(platform: Platform, device_id: str) -> None:
    """End a device's session, if it has one. Whoever holds the session sees that the link is gone."""
    row = find(platform, device_id)
    if row is None:
        return
    _drop(platform, row)
    if devices.find(platform, device_id) is not None:
        # Until now it was connected, even if it had nothing to say.
        platform.table(DEVICES).change(device_id, heard=platform.now())
        devices.set_offline(platform, device_id)


def _drop(platform: Platform, row: Row) -> None:
    platform.table(LINKS).delete(row["deviceId"])
    platform.emit("link_lost", row)


def is_real(platform: Platform, device: Row) -> bool:
    """Return whether a device hears only through a link: it, or its gateway, has had one."""
    gateway = device if device["parent"] is None else devices.find(platform, device["parent"])
    real = device.get("real") or (gateway is not None and gateway.get("real"))
    return bool(real) and not any(plays(platform, device["deviceId"]) for plays in PLAYED)


def carrier(platform: Platform, device: Row) -> Row | None:
    """Return the link that carries messages to a real device: its own or its gateway's, or None."""
    if not is_real(platform, device):
        return None
    rows = platform.table(LINKS).rows
    own = rows.get(device["deviceId"])
    return own if own is not None or device["parent"] is None else rows.get(device["parent"])


def listens(platform: Platform, device_id: str) -> bool:
    """Return whether a device hears commands through a link right now."""
    device = devices.find(platform, device_id)
    if device is None or not devices.is_online(device):
        return False
    link = carrier(platform, device)
    if link is None:
        return False
    heard = OWN if link["deviceId"] == device_id else CHILDREN
    return not heard.isdisjoint(link["channels"])


def takes_calls(platform: Platform, device_id: str) -> bool:
    """Return whether a message for a linked device can be handed to its link: at once, or when its hub asks next."""
    device = devices.find(platform, device_id)
    link = None if device is None else carrier(platform, device)
    return link is not None and (link["kind"] == "hub" or listens(platform, device_id))


def is_alive(platform: Platform, device_id: str) -> bool:
    """Return whether a device's own session shows that it is there, even if it says nothing for days."""
    row = find(platform, device_id)
    return row is not None and row["kind"] == "mqtt"


@on("credentials_changed")
def end_of_old_credentials(platform: Platform, device: Row) -> None:
    """End the session of a device whose credentials are no longer those it has logged in with."""
    end(platform, device["deviceId"])


@on("application_removed")
def end_of_application(platform: Platform, app_id: str) -> None:
    """End the sessions of the devices of a removed application: they may no longer connect."""
    for row in list(platform.table(LINKS).rows.values()):
        device = devices.find(platform, row["deviceId"])
        if device is not None and device["appId"] == app_id:
            end(platform, row["deviceId"])


@on("resumed")
def end_all(platform: Platform) -> None:
    """Let all devices that were linked be OFFLINE: no session outlives its platform.

    This is one piece of work, and it pushes nothing: after a pause of the platform ten thousand devices would otherwise
    be reported OFFLINE at a moment at which none of them has lost its connection.
    """
    for row in list(platform.table(LINKS).rows.values()):
        device = devices.find(platform, row["deviceId"])
        _drop(platform, row)
        if device is not None and device["status"] != "INACTIVE":
            platform.table(DEVICES).change(row["deviceId"], status="OFFLINE", statusDetail="NONE")
