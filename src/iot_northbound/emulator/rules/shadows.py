"""The shadow of a device: the last reported and the desired values of its services."""

from __future__ import annotations

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import devices, links, models, scripts
from iot_northbound.emulator.rules import notification_bodies as bodies
from iot_northbound.emulator.rules.devices import DEVICES

CHANGES = table("desired_changes")
"""The changes that a device has been sent and has not acknowledged yet."""


@on("device_heard")
def deliver(platform: Platform, row: Row) -> None:
    """Send a device the desired changes that wait for it, if it listens now."""
    services = row.get("services", {})
    waiting = {}
    for service_id, service in services.items():
        if "pending" in service:
            waiting[service_id] = service["pending"]
    if not waiting or not devices.is_online(row) or scripts.sleeps(platform, row):
        return
    if links.is_real(platform, row):
        return  # no link has a message for desired values: they stay pending (1.4.8 is for LWM2M devices)
    kept = {
        service_id: {name: value for name, value in service.items() if name != "pending"}
        for service_id, service in services.items()
    }
    device_id = row["deviceId"]
    platform.table(DEVICES).change(device_id, services=kept)
    for service_id, properties in waiting.items():
        if service_id in row.get("refused", ()):
            _push_status(platform, row, service_id, properties, ok=False)
        elif scripts.has_script(platform, device_id):
            seq = platform.next_seq()
            change = {"deviceId": device_id, "serviceId": service_id, "properties": properties, "seq": seq}
            scripts.take_desired(platform, str(seq), platform.table(CHANGES).put(str(seq), change))
        else:
            _push_status(platform, row, service_id, properties, ok=True)


@on("desired_ended")
def ended(platform: Platform, change_id: str, *, ok: bool) -> None:
    """End a change that was sent to its device; if it has ended already, nothing happens."""
    change = platform.table(CHANGES).delete(change_id)
    if change is not None:
        device = devices.need(platform, change["deviceId"])
        _push_status(platform, device, change["serviceId"], change["properties"], ok=ok)


@on("device_deleted")
def fail_all(platform: Platform, device: Row) -> None:
    """End the changes of a deleted device as failed: those that were sent to it, then those that waited for it."""
    device_id = device["deviceId"]
    for change in list(platform.table(CHANGES).where(deviceId=device_id)):
        platform.table(CHANGES).delete(str(change["seq"]))
        _push_status(platform, device, change["serviceId"], change["properties"], ok=False)
    for service_id, service in device.get("services", {}).items():
        if "pending" in service:
            _push_status(platform, device, service_id, service["pending"], ok=False)


def _push_status(platform: Platform, device: Row, service_id: str, properties: Row, *, ok: bool) -> None:
    """Push to the subscribers that a desired change has reached its device, or has failed."""
    body = bodies.desired_status_changed(device["deviceId"], service_id, properties, "DELIVERED" if ok else "FAILED")
    platform.notify(device["appId"], "deviceDesiredPropertiesModifyStatusChanged", body)


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
