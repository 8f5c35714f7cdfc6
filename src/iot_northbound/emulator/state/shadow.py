"""A device's shadow: what it last reported, and what the application desires (reference 1.4.8, 1.4.9)."""

from __future__ import annotations

from iot_northbound.emulator.state import devices, models, protocols, scripted
from iot_northbound.emulator.state import notification_bodies as bodies
from iot_northbound.emulator.state.clock import time_text
from iot_northbound.emulator.state.devices import DEVICES
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import codes, on, route, table
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.values import Shape, array, json_object, must, refuse, structure, text

CHANGES = table("desired_changes")
"""The changes that a device has been sent and has not acknowledged yet."""
PATH = "/iocm/app/shadow/v1.5.0/devices/{deviceId}"
MODIFY = Shape(
    must("serviceDesireds", array(structure(must("serviceId", text(1)), must("desired", json_object)), 1)),
    invalid=(400, "50400"),
)


@route("1.4.8", "PUT", PATH)
def modify(platform: Platform, call: Call) -> Answer:
    """Keep what is desired of a device's properties, and send it at once if the device listens."""
    body = call.body
    if isinstance(body, dict) and "serviceDesires" in body:
        # The table's spelling; its own sample and the Java SDK say serviceDesireds.
        body = {**body, "serviceDesireds": body["serviceDesires"]}
    changes = MODIFY.read(body)["serviceDesireds"]
    row = devices.of_call(platform, call)
    model = models.of_device(platform, row)
    if model is None:
        raise Refusal(200, "100425")
    services = dict(row.get("services", {}))
    for change in changes:
        service_id, desired = change["serviceId"], change["desired"]
        _check(model, service_id, desired)
        before = services.get(service_id) or {"type": devices.service_type(model, service_id)}
        services[service_id] = {
            **before,
            "desired": {**before.get("desired", {}), **desired},
            "pending": {**before.get("pending", {}), **desired},
        }
    row = platform.table(DEVICES).change(row["deviceId"], services=services, modified=platform.now())
    protocols.hint(platform, row, "1.4.8")
    for change in changes:
        platform.emit("device_desired", row, change["serviceId"], change["desired"])
    deliver(platform, row)
    return Answer(200)


def _check(model: Row, service_id: str, desired: Row) -> None:
    service = models.find_service(model, service_id)
    if service is None:
        raise Refusal(200, "100431")
    if not service.get("properties"):
        raise Refusal(400, "107002")
    for name, value in desired.items():
        rule = models.find_property(service, name)
        if rule is None:
            raise refuse((400, "107003"), f"service {service_id} has no property {name}")
        if "W" not in rule.get("method", ""):
            raise refuse((403, "100443"), f"{name} of service {service_id}")
        if fault := models.fault_of(rule, value):
            raise refuse((400, "50400"), f"{name} {fault}")


@on("device_heard")
def deliver(platform: Platform, row: Row) -> None:
    """Send a device the desired changes that wait for it, if it listens now."""
    services = row.get("services", {})
    waiting = {service_id: service["pending"] for service_id, service in services.items() if "pending" in service}
    if not waiting or not devices.is_online(row) or scripted.sleeps(platform, row):
        return
    kept = {
        service_id: {name: value for name, value in service.items() if name != "pending"}
        for service_id, service in services.items()
    }
    device_id = row["deviceId"]
    platform.table(DEVICES).change(device_id, services=kept)
    for service_id, properties in waiting.items():
        if service_id in row.get("refused", ()):
            _tell(platform, row, service_id, properties, ok=False)
        elif scripted.has_script(platform, device_id):
            seq = platform.next_seq()
            change = {"deviceId": device_id, "serviceId": service_id, "properties": properties, "seq": seq}
            scripted.take_desired(platform, str(seq), platform.table(CHANGES).put(str(seq), change))
        else:
            _tell(platform, row, service_id, properties, ok=True)


@on("desired_ended")
def ended(platform: Platform, change_id: str, *, ok: bool) -> None:
    """End a change that was sent to its device; one that has ended already is passed over."""
    change = platform.table(CHANGES).delete(change_id)
    if change is not None:
        device = devices.need(platform, change["deviceId"])
        _tell(platform, device, change["serviceId"], change["properties"], ok=ok)


@on("device_deleted")
def fail_all(platform: Platform, device: Row) -> None:
    """End the changes of a deleted device as failed: those that were sent to it, then those that waited for it."""
    device_id = device["deviceId"]
    for change in list(platform.table(CHANGES).where(deviceId=device_id)):
        platform.table(CHANGES).delete(str(change["seq"]))
        _tell(platform, device, change["serviceId"], change["properties"], ok=False)
    for service_id, service in device.get("services", {}).items():
        if "pending" in service:
            _tell(platform, device, service_id, service["pending"], ok=False)


def _tell(platform: Platform, device: Row, service_id: str, properties: Row, *, ok: bool) -> None:
    """Tell the subscribers that a desired change has reached its device, or has failed."""
    body = bodies.desired_status_changed(device["deviceId"], service_id, properties, "DELIVERED" if ok else "FAILED")
    platform.notify(device["appId"], "deviceDesiredPropertiesModifyStatusChanged", body)


def refuse_desired(platform: Platform, device_id: str, service_id: str, *, refused: bool = True) -> None:
    """Let a device refuse the desired changes of a service from now on, or take them again.

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


@route("1.4.9", "GET", PATH)
def query(platform: Platform, call: Call) -> Answer:
    """Return a device's shadow: all services of its product model, and those it reported beside them."""
    row = devices.of_call(platform, call, missing="100418")
    model = models.of_device(platform, row)
    known: dict[str, Row] = {service["serviceId"]: {} for service in model["services"]} if model else {}
    services = {**known, **row.get("services", {})}
    info = devices.info_of(row)
    for name in ("imsi", "radiusIp"):
        del info[name]
    return Answer(
        200,
        {
            "deviceId": row["deviceId"],
            "gatewayId": row["gatewayId"],
            "nodeType": row["nodeType"],
            "createTime": time_text(row["created"]),
            "lastModifiedTime": time_text(row["modified"]),
            "deviceInfo": info,
            "services": [
                {
                    "serviceId": service_id,
                    "reportedProps": service.get("data"),
                    "desiredProps": service.get("desired"),
                    "eventTime": time_text(service["time"]) if "time" in service else None,
                    "serviceType": service.get("type") or devices.service_type(model, service_id),
                }
                for service_id, service in services.items()
            ],
        },
    )


_SLIP = "unreachable: a slip of the reference; the platform sends {}, and so do we"
CODES = {
    **codes(
        "1.4.8",
        {
            "100023": "fault: the database of the emulator has no such state",
            "100403": "deviceId names no device",
            "100418": "deviceId names a device of another application",
            "100425": "the device has no product model",
            "100431": "serviceId is none of the product model",
            "100443": "a property cannot be written",
            "107002": "the service has no properties",
            "107003": "the service has no such property",
            "50400": "the body or a desired value breaks its form",
            "101005": _SLIP.format("1010005"),
            "101009": _SLIP.format("1010009"),
        },
    ),
    **codes("1.4.9", {"100418": "deviceId names no device of the application"}),
}
