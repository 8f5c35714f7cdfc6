"""What the platform makes of a device's silence: ABNORMAL first, OFFLINE later.

After how many seconds is up to the settings abnormal_after and offline_after. One timer watches a device, and looks
only when it is due: a device that is heard all the time costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iot_northbound.emulator.kernel.routing import on, timer
from iot_northbound.emulator.rules import devices
from iot_northbound.emulator.rules.devices import DEVICES

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row


@on("device_online")
def start_anew(platform: Platform, device: Row) -> None:
    """Forget the timer of a device that was silent: it may be set for a later step than the first."""
    row = devices.need(platform, device["deviceId"])
    platform.cancel(row.get("watchTimer"))
    platform.table(DEVICES).change(row["deviceId"], watchTimer=None)


@on("device_heard")
def watch(platform: Platform, device: Row) -> None:
    """Watch a device from its first word on."""
    device_id = device["deviceId"]
    if device.get("watchTimer") is None and (first := _first_step(platform)) is not None:
        timer_id = platform.after(first[0], "device_silent", device_id=device_id)
        platform.table(DEVICES).change(device_id, watchTimer=timer_id)


@on("device_deleted")
def forget(platform: Platform, device: Row) -> None:
    """Watch a deleted device no more."""
    platform.cancel(device.get("watchTimer"))


def _first_step(platform: Platform) -> tuple[float, str] | None:
    """Return after how many seconds without a word a device's status changes first, and to what."""
    if (abnormal := platform.settings.abnormal_after) is not None:
        return abnormal, "ABNORMAL"
    offline = platform.settings.offline_after
    return None if offline is None else (offline, "OFFLINE")


@timer("device_silent")
def device_silent(platform: Platform, device_id: str) -> None:
    """Call a silent device ABNORMAL, later OFFLINE; wait on for one that was heard meanwhile."""
    row = devices.find(platform, device_id)
    if row is None:
        return
    first, last = _first_step(platform), platform.settings.offline_after
    silent = platform.now() - row["heard"]
    due: float | None = None
    if first is not None:
        if silent < first[0]:
            due = first[0]
        elif last is not None and silent < last:
            # Who said goodbye is OFFLINE already, and stays so.
            if devices.is_online(row):
                devices.set_offline(platform, device_id, status=first[1])
            due = last
        elif last is not None:
            devices.set_offline(platform, device_id, "TIME_OUT")
        elif devices.is_online(row):
            devices.set_offline(platform, device_id, status=first[1])
    timer_id = None if due is None else platform.at(row["heard"] + due, "device_silent", device_id=device_id)
    platform.table(DEVICES).change(device_id, watchTimer=timer_id)
