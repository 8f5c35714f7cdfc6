"""The history of what devices reported and what was desired of them."""

from __future__ import annotations

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.kernel.store import Row

REPORTED = table("reported", "time", "seq")
DESIRED = table("desired", "time", "seq")
DAY = 86400.0


@on("device_reported")
def keep_reported(platform: Platform, device: Row, service_id: str, data: Row, when: float) -> None:
    """Keep a report in the history."""
    _keep(platform, REPORTED, device, service_id, data, when)


@on("device_desired")
def keep_desired(platform: Platform, device: Row, service_id: str, desired: Row) -> None:
    """Keep a desired change in the history."""
    _keep(platform, DESIRED, device, service_id, desired, platform.now())


def _keep(platform: Platform, name: str, device: Row, service_id: str, data: Row, when: float) -> None:
    days = days_kept(platform, device)
    if days == 0:
        return
    rows, device_id = platform.table(name), device["deviceId"]
    seq = platform.next_seq()
    row = {
        "deviceId": device_id,
        "gatewayId": device["gatewayId"],
        "appId": device["appId"],
        "serviceId": service_id,
        "data": data,
        "time": when,
        "seq": seq,
    }
    rows.put(str(seq), row)
    # Adding a row also deletes old ones, so no history grows without bound, and no timer has to walk over all.
    own, oldest = rows.where(deviceId=device_id), platform.now() - days * DAY
    extra = len(own) - platform.settings.history_rows_per_device
    while (first := own.first()) is not None and (extra > 0 or first["time"] < oldest):
        rows.delete(str(first["seq"]))
        extra -= 1
        own = rows.where(deviceId=device_id)


def days_kept(platform: Platform, device: Row) -> int:
    """Return for how many days the history of a device is kept."""
    days: int = device.get("dataAgingTime", platform.settings.history_days)
    return days


@on("device_regrouped")
def follow(platform: Platform, device: Row) -> None:
    """Move the history of a device to its new gateway."""
    for name in (REPORTED, DESIRED):
        rows = platform.table(name)
        for row in list(rows.where(deviceId=device["deviceId"])):
            rows.change(str(row["seq"]), gatewayId=device["gatewayId"])


@on("device_deleted")
def forget(platform: Platform, device: Row) -> None:
    """Drop the history of a deleted device."""
    for name in (REPORTED, DESIRED):
        rows = platform.table(name)
        for row in rows.where(deviceId=device["deviceId"]):
            rows.delete(str(row["seq"]))
