"""Calling a service of a connected device (reference 1.7.7)."""

from __future__ import annotations

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import (
    Shape,
    json_object,
    may,
    must,
    one_of,
    refuse,
    structure,
    text,
)
from iot_northbound.emulator.rules import (
    admission,
    commands,
    devices,
    invocations,
    models,
    protocols,
)
from iot_northbound.emulator.rules.invocations import INVOCATIONS
from iot_northbound.emulator.rules.subscriptions import callback_url, hint_apart

NO_SERVICE = (404, "100444")
BAD_COMMAND = (400, "102203")


_HEADER = structure(
    may("requestId", text(0, 128)),
    must("mode", one_of("NOACK", "ACK")),
    may("from", text(0, 128)),
    may("toType", text(0, 32)),
    may("to", text(0, 128)),
    must("method", text(1, 32)),
    may("callbackURL", callback_url),
)

INVOKE = Shape(must("header", _HEADER), may("body", json_object), invalid=commands.INPUT)


@route(
    "1.7.7",
    "POST",
    "/iocm/app/signaltrans/v1.1.0/devices/{deviceId}/services/{serviceId}/sendCommand",
    app_status=200,
    removed_app=(200, "100203"),
)
def invoke(platform: Platform, call: Call) -> Answer:
    """Send a command to a connected device; its answers are pushed."""
    given = INVOKE.read(call.body)
    header = given["header"]
    device = commands.own_device(platform, call.app_id, call.ids[0])
    service_id = call.ids[1]
    if header.get("toType", "GATEWAY") not in ("CLOUD", "GATEWAY"):
        raise refuse(NO_SERVICE, "toType must be CLOUD or GATEWAY")
    model = models.of_device(platform, device)
    if model is None or models.find_service(model, service_id) is None:
        raise refuse(NO_SERVICE, f"the device has no service {service_id!r}")
    command = models.find_command(model, service_id, header["method"])
    if command is None:
        raise Refusal(*BAD_COMMAND)
    fault = next(models.faults_in(command.get("paras", []), given.get("body", {})), None)
    if fault is not None:
        raise refuse(commands.INPUT, f"body: {fault}")
    if header["method"] in invocations.muted(device, service_id):
        raise Refusal(200, "100432")
    request_id = header.get("requestId") or platform.ids.hex(32)
    if platform.table(INVOCATIONS).where(appId=call.app_id, requestId=request_id):
        raise refuse(commands.INPUT, f"requestId {request_id!r} has been used before")
    protocols.hint(platform, device, "1.7.7")
    to_cloud = header.get("toType") == "CLOUD"
    hindered = _hindrance(platform, device)
    if hindered is not None and not to_cloud:
        raise hindered
    row: Row = {
        "invocationId": platform.ids.hex(32),
        "requestId": request_id,
        "appId": call.app_id,
        "deviceId": device["deviceId"],
        "serviceId": service_id,
        "serviceType": models.service_type(model, service_id),
        "method": header["method"],
        "acknowledged": header["mode"] == "ACK",
        "from": header.get("from") or f"/{call.app_id}",
        "callbackURL": header.get("callbackURL"),
        "body": given.get("body", {}),
        "responses": [response["responseName"] for response in command.get("responses", ())],
        "status": None,
        "timer": None,
        "seq": platform.next_seq(),
    }
    if to_cloud:
        answer = {"requestId": None, "status": invocations.deliver_now(platform, row, hindered)}
    else:
        row = invocations.send(platform, row)
        invocations.let_script_acknowledge(platform, row)
        answer = {"requestId": request_id, "status": row["status"]}
    if row["callbackURL"]:
        hint_apart(platform, call.app_id, row["callbackURL"])
    return Answer(202, {**answer, "timestamp": platform.now_text()})


def _hindrance(platform: Platform, device: Row) -> Refusal | None:
    """Return the refusal if a device cannot be reached, or None."""
    gateway = devices.find(platform, device["gatewayId"])
    if gateway is not None and gateway is not device and not devices.is_online(gateway):
        return Refusal(403, "100450")
    return Refusal(200, "100428") if commands.is_unreachable(platform, device) else None


CODES = codes(
    "1.7.7",
    admission.GUARDED,
    {
        "100001": "fault: an internal failure",
        "100022": "a field is missing or breaks its rule, a requestId is used again, or body does not fit the model",
        "100023": "fault: a database inside the platform",
        "100418": "no such device in this application",
        "100428": "the device is not online, or does not listen (with toType CLOUD the answer's status says failed)",
        "100432": "the command is muted on the device",
        "100444": "toType is neither CLOUD nor GATEWAY, or the device has no such service",
        "100450": "the device's gateway is not online (with toType CLOUD the answer's status says failed)",
        "100501": "fault: the network towards the devices is congested",
        "102203": "the service has no command of this name",
    },
)
