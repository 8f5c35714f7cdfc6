"""Registrations: a registered device has to connect in time, or its registration expires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.routing import on, timer
from iot_northbound.emulator.kernel.values import text
from iot_northbound.emulator.rules import devices
from iot_northbound.emulator.rules import notification_bodies as bodies
from iot_northbound.emulator.rules.devices import DEVICES

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

PSK = text(8, 32, "[0-9A-Fa-f]+")


def await_binding(platform: Platform, row: Row, timeout: int) -> Row:
    """Give a registered device so many seconds to connect for the first time; 0 means no limit."""
    platform.cancel(row.get("expiryTimer"))
    expiry = platform.after(timeout, "registration_expired", device_id=row["deviceId"]) if timeout else None
    return platform.table(DEVICES).change(row["deviceId"], timeout=timeout, expiryTimer=expiry)


@on("device_activated")
def bound(platform: Platform, device: Row) -> None:
    """Keep a device that has connected."""
    platform.cancel(device.get("expiryTimer"))
    platform.table(DEVICES).change(device["deviceId"], expiryTimer=None)


@on("device_deleted")
def forget(platform: Platform, device: Row) -> None:
    """Stop waiting for a deleted device."""
    platform.cancel(device.get("expiryTimer"))


@timer("registration_expired")
def registration_expired(platform: Platform, device_id: str) -> None:
    """Delete a device that was not activated in time."""
    row = devices.find(platform, device_id)
    if row is not None and not row["activated"]:
        body = bodies.bind_device(device_id, "expired", devices.info_of(row))
        platform.notify(row["appId"], "bindDevice", body)
        platform.emit("registration_expired", row)
        devices.delete(platform, {**row, "expiryTimer": None})


def room_for_nonsecure(platform: Platform, app_id: str) -> None:
    """Check that an application may have one more device that is not secure.

    Raises:
        Refusal: 500 100441, it has as many as the setting nonsecure_device_limit allows.
    """
    limit = platform.settings.nonsecure_device_limit
    if limit is not None and len(platform.table(DEVICES).where(appId=app_id, isSecure=False)) >= limit:
        raise Refusal(500, "100441")
