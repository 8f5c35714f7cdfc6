"""What a report changes and whom it tells: the part that scripted and real devices have in common.

It runs once per report of any device, so it looks up nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.rules import latest, models, notifications
from iot_northbound.emulator.rules import notification_bodies as bodies

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

Told = list[tuple[str, str, dict[str, Any], float]]
"""What a report says, a service each: its serviceId, its type, its data and its time."""


def merged(platform: Platform, device: Row, model: Row | None, given: Iterable[Row]) -> tuple[Row, Told]:
    """Return a device's services as they are after a report, and what there is to tell of it.

    Args:
        platform: the platform.
        device: the device.
        model: its product model.
        given: {serviceId, data, time or None} each.
    """
    kept, told = dict(device.get("services", ())), []
    now = platform.now()
    for each in given:
        service_id, data, when = each["serviceId"], each["data"], each["time"]
        dated = when is not None
        if not dated:
            when = now
        before = kept.get(service_id)
        if before is None:
            before = {"type": models.service_type(model, service_id)}
        kept[service_id] = latest.of(before, data, when, dated=dated)
        told.append((service_id, before["type"], data, when))
    return kept, told


def tell(platform: Platform, device: Row, told: Told, request_id: str | None) -> None:
    """Tell the subscribers and the other rules of a report."""
    for service_id, _, data, when in told:
        platform.emit("device_reported", device, service_id, data, when)
    app_id = device["appId"]
    each, all_ = (notifications.wanted(platform, app_id, kind) for kind in ("deviceDataChanged", "deviceDatasChanged"))
    if each or all_:
        ids = (device["deviceId"], device["gatewayId"], request_id)
        services = [bodies.service_data(name, kind, data, time_text(when)) for name, kind, data, when in told]
        for service in services:
            platform.notify(app_id, "deviceDataChanged", bodies.device_data_changed(*ids, service))
        platform.notify(app_id, "deviceDatasChanged", bodies.device_datas_changed(*ids, services))
