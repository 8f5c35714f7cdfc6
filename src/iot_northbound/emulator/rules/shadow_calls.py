"""Changing and querying a device's shadow (reference 1.4.8, 1.4.9)."""

from __future__ import annotations

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Shape, array, json_object, must, refuse, structure, text
from iot_northbound.emulator.rules import admission, device_calls, devices, models, protocols, shadows
from iot_northbound.emulator.rules.devices import DEVICES

PATH = "/iocm/app/shadow/v1.5.0/devices/{deviceId}"

MODIFY = Shape(
    must("serviceDesireds", array(structure(must("serviceId", text(1)), must("desired", json_object)), 1)),
    invalid=(400, "50400"),
)


@route("1.4.8", "PUT", PATH)
def modify(platform: Platform, call: Call) -> Answer:
    """Store desired values of a device's properties, and send them at once if the device listens."""
    body = call.body
    if isinstance(body, dict) and "serviceDesires" in body:
        # The table's spelling; its own sample and the Java SDK say serviceDesireds.
        body = {**body, "serviceDesireds": body["serviceDesires"]}
    changes = MODIFY.read(body)["serviceDesireds"]
    row = device_calls.of_call(platform, call)
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
    shadows.deliver(platform, row)
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


@route("1.4.9", "GET", PATH)
def query(platform: Platform, call: Call) -> Answer:
    """Return a device's shadow: all services of its product model, and other services that it reported."""
    row = device_calls.of_call(platform, call, missing="100418")
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


_SLIP = "unreachable: a slip of the reference; the platform sends {}, and so does the emulator"
CODES = {
    **codes(("1.4.8", "1.4.9"), admission.GUARDED),
    **codes(
        "1.4.8",
        {
            "100023": "fault: the database of the emulator has no such state",
            "100403": "deviceId names no device",
            "100418": "deviceId names a device of another application",
            "100425": "the device has no product model",
            "100431": "the product model has no such service",
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
