"""Silence: a device that says nothing becomes ABNORMAL first and OFFLINE later.

The settings abnormal_after and offline_after say after how many seconds. Each device has one timer, which does its work
only when it is due: a device that reports often costs nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iot_northbound.emulator.kernel.routing import on, timer
from iot_northbound.emulator.rules import devices, links
from iot_northbound.emulator.rules.devices import DEVICES

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row


@on("device_online")
def start_anew(platform: Platform, device: Row) -> None:
    """Forget the timer of a device that was silent: it may be set for a later step."""
    row = devices.need(platform, device["deviceId"])
    platform.cancel(row.get("watchTimer"))
    platform.table(DEVICES).change(row["deviceId"], watchTimer=None)


@on("device_heard")
def watch(platform: Platform, device: Row) -> None:
    """Watch a device from its first sign of life on."""
    device_id = device["deviceId"]
    if device.get("watchTimer") is None and (first := _first_step(platform)) is not None:
        timer_id = platform.after(first[0], "device_silent", device_id=device_id)
        platform.table(DEVICES).change(device_id, watchTimer=timer_id)


@on("device_deleted")
def forget(platform: Platform, device: Row) -> None:
    """Stop watching a deleted device."""
    platform.cancel(device.get("watchTimer"))


def _first_step(platform: Platform) -> tuple[float, str] | None:
    """Return after how many seconds of silence a device's status changes first, and the new status."""
    if (abnormal := platform.settings.abnormal_after) is not None:
        return abnormal, "ABNORMAL"
    offline = platform.settings.offline_after
    return None if offline is None else (offline, "OFFLINE")


@timer("device_silent")
def device_silent(platform: Platform, device_id: str) -> None:
    """Make a silent device ABNORMAL, later OFFLINE; if it gave a sign of life, wait again."""
    row = devices.find(platform, device_id)
    if row is None:
        return
    first, last = _first_step(platform), platform.settings.offline_after
    # A device that only keeps its session alive is not silent, and its pings do not write a row each.
    heard = platform.now() if links.is_alive(platform, device_id) else row["heard"]
    silent = platform.now() - heard
    due: float | None = None
    if first is not None:
        if silent < first[0]:
            due = first[0]
        elif last is not None and silent < last:
            # A device that disconnected is OFFLINE already, and stays OFFLINE.
            if devices.is_online(row):
                devices.set_offline(platform, device_id, status=first[1])
            due = last
        elif last is not None:
            devices.set_offline(platform, device_id, "TIME_OUT")
        elif devices.is_online(row):
            devices.set_offline(platform, device_id, status=first[1])
    timer_id = None if due is None else platform.at(heard + due, "device_silent", device_id=device_id)
    platform.table(DEVICES).change(device_id, watchTimer=timer_id)
