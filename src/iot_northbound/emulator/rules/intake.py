"""What a report changes and whom it tells: the part that scripted and real devices have in common.

It runs once per report of any device, so it looks up nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.rules import latest, models
from iot_northbound.emulator.rules import notification_bodies as bodies

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

Told = list[tuple[float, dict[str, Any]]]
"""What a report says, a service each: its time, and the service as pushes have it."""


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
        before = kept.get(service_id, {})
        kind = before.get("type") or models.service_type(model, service_id)
        after = kept[service_id] = latest.of(before, data, when, dated=dated)
        after["type"] = kind
        told.append((when, bodies.service_data(service_id, kind, data, time_text(when))))
    return kept, told


def tell(platform: Platform, device: Row, told: Told, request_id: str | None) -> None:
    """Tell the subscribers and the other rules of a report."""
    app_id, ids = device["appId"], (device["deviceId"], device["gatewayId"], request_id)
    for when, service in told:
        platform.notify(app_id, "deviceDataChanged", bodies.device_data_changed(*ids, service))
        platform.emit("device_reported", device, service["serviceId"], service["data"], when)
    everything = [service for _, service in told]
    platform.notify(app_id, "deviceDatasChanged", bodies.device_datas_changed(*ids, everything))
