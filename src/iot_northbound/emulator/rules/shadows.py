"""The shadow of a device: the last reported and the desired values of its services."""

from __future__ import annotations

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import devices, models, scripts
from iot_northbound.emulator.rules import notification_bodies as bodies
from iot_northbound.emulator.rules.devices import DEVICES


@on("device_heard")
def deliver(platform: Platform, row: Row) -> None:
    """Send a device the desired changes that wait for it, if it listens now."""
    services = row.get("services", {})
    waiting = {service_id: service["pending"] for service_id, service in services.items() if "pending" in service}
    if not waiting or not devices.is_online(row) or scripts.sleeps(platform, row):
        return
    kept = {
        service_id: {name: value for name, value in service.items() if name != "pending"}
        for service_id, service in services.items()
    }
    device_id = row["deviceId"]
    platform.table(DEVICES).change(device_id, services=kept)
    for service_id, properties in waiting.items():
        if service_id in row.get("refused", ()):
            ended(platform, device_id, service_id, properties, ok=False)
        elif not scripts.take_desired(platform, device_id, service_id, properties):
            ended(platform, device_id, service_id, properties, ok=True)


@on("desired_ended")
def ended(platform: Platform, device_id: str, service_id: str, properties: Row, *, ok: bool) -> None:
    """Notify the subscribers that a desired change has reached its device, or has failed."""
    row = devices.find(platform, device_id)
    if row is not None:
        body = bodies.desired_status_changed(device_id, service_id, properties, "DELIVERED" if ok else "FAILED")
        platform.notify(row["appId"], "deviceDesiredPropertiesModifyStatusChanged", body)


def refuse_desired(platform: Platform, device_id: str, service_id: str, *, refused: bool = True) -> None:
    """Let a device refuse the desired changes of a service from now on, or accept them again.

    Raises:
        LookupError: There is no such device.
        ValueError: Its product model has no such service.
    """
    row = devices.need(platform, device_id)
    model = models.of_device(platform, row)
    if model is None or models.find_service(model, service_id) is None:
        raise ValueError(f"device {device_id!r} has no service {service_id!r}")
    others = [each for each in row.get("refused", ()) if each != service_id]
    platform.table(DEVICES).change(device_id, refused=[*others, service_id] if refused else others)
