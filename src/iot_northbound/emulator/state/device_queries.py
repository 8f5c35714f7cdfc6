"""What an application sees of its devices, one or page by page (reference 1.5.1, 1.5.2, 1.5.5)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.state import devices, models
from iot_northbound.emulator.state.clock import time_text
from iot_northbound.emulator.state.devices import DEVICES
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import codes, route
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.values import Shape, end_of, integer, may, one_of, text, time_of

INVALID = (400, "100405")
BAD_PAGE = (400, "100216")
SELECT = may("select", one_of("IMSI", fold=True))
STATUSES = one_of("ONLINE", "OFFLINE", "INACTIVE", "ABNORMAL")
FILTERS = ("gatewayId", "nodeType", "deviceType", "location", "name", "status")
ONE = Shape(SELECT, invalid=INVALID)
PAGE = Shape(
    may("gatewayId", text()),
    may("nodeType", one_of("ENDPOINT", "GATEWAY", "UNKNOWN")),
    may("deviceType", text()),
    may("location", text(0, 1024)),
    may("name", text()),
    may("status", STATUSES),
    may("pageNo", integer(0), BAD_PAGE),
    may("pageSize", integer(1, 250), BAD_PAGE),
    may("startTime", time_of),
    may("endTime", end_of),
    may("sort", one_of("ASC", "DESC", fold=True)),
    SELECT,
    invalid=INVALID,
)
CAPABILITIES = Shape(may("deviceId", text()), may("gatewayId", text()), invalid=(400, "100022"))
CAPABILITIES_AT_MOST = 1000
"""How many devices' capabilities one answer holds, where neither a device nor a gateway is named."""


@route("1.5.1", "GET", "/iocm/app/dm/v1.4.0/devices/{deviceId}")
def query_one(platform: Platform, call: Call) -> Answer:
    """Return one device."""
    given = ONE.read_query(call.query)
    return Answer(200, device_view(devices.of_call(platform, call), imsi="select" in given))


@route("1.5.2", "GET", "/iocm/app/dm/v1.4.0/devices")
def query_page(platform: Platform, call: Call) -> Answer:
    """Return a page of the application's devices by registration time, the newest first unless sort is ASC."""
    given = PAGE.read_query(call.query)
    if "gatewayId" not in given and "pageNo" not in given:
        raise Refusal(400, "100218")
    wanted = {name: given[name] for name in FILTERS if name in given}
    found = platform.table(DEVICES).where(appId=call.app_id, **wanted)
    found = found.between(given.get("startTime"), given.get("endTime"))
    number, size = given.get("pageNo", 0), given.get("pageSize", 25)
    rows = found.slice(number * size, size, descending=given.get("sort", "DESC") == "DESC")
    imsi = "select" in given
    page = [device_view(row, imsi=imsi) for row in rows]
    return Answer(200, {"totalCount": len(found), "pageNo": number, "pageSize": size, "devices": page})


def device_view(row: Row, *, imsi: bool) -> Row:
    """Return a device as the queries answer it; its IMSI only where it was selected."""
    info = devices.info_of(row)
    if not imsi:
        info["imsi"] = None
    return {
        "deviceId": row["deviceId"],
        "gatewayId": row["gatewayId"],
        "nodeType": row["nodeType"],
        "createTime": time_text(row["created"]),
        "lastModifiedTime": time_text(row["modified"]),
        "deviceInfo": info,
        "services": [
            _service_view(service_id, service) for service_id, service in row.get("services", {}).items()
            if "data" in service
        ],
        "alarmInfo": row.get("alarmInfo"),
    }  # fmt: skip


def _service_view(service_id: str, service: Row) -> Row:
    return {
        "serviceId": service_id,
        "serviceType": service["type"],
        "serviceInfo": service.get("info"),
        "data": service["data"],
        "eventTime": time_text(service["time"]),
    }


@route("1.5.5", "GET", "/iocm/app/data/v1.1.0/deviceCapabilities")
def query_capabilities(platform: Platform, call: Call) -> Answer:
    """Return what devices can do, as their product models say; devices without a model have no capabilities."""
    given = CAPABILITIES.read_query(call.query)
    found = platform.table(DEVICES).where(appId=call.app_id, **given)
    capabilities = []
    for row in found.slice(0, CAPABILITIES_AT_MOST):
        model = models.of_device(platform, row)
        services = [_capability(service) for service in model["services"]] if model else []
        capabilities.append({"deviceId": row["deviceId"], "serviceCapabilities": services})
    return Answer(200, {"deviceCapabilities": capabilities})


def _capability(service: Row) -> Row:
    return {
        "serviceId": service["serviceId"],
        "serviceType": service.get("serviceType", service["serviceId"]),
        "option": service.get("option"),
        "description": service.get("description"),
        "commands": [
            {
                "commandName": command["commandName"],
                "paras": _paras(command.get("paras")),
                "responses": [
                    {"responseName": response["responseName"], "paras": _paras(response.get("paras"))}
                    for response in command.get("responses", ())
                ],
            }
            for command in service.get("commands", ())
        ],
        "properties": [
            {"propertyName": each["propertyName"], "method": each.get("method"), **_value(each)}
            for each in service.get("properties", ())
        ],
    }


def _paras(paras: list[Row] | None) -> list[Row]:
    return [{"paraName": para["paraName"], **_value(para)} for para in paras or ()]


def _value(rule: Row) -> dict[str, Any]:
    names = ("dataType", "min", "max", "step", "maxLength", "unit", "enumList")
    return {"required": rule.get("required", False), **{name: rule.get(name) for name in names}}


CODES = {
    **codes(
        "1.5.1",
        {
            "100403": "deviceId names no device",
            "100418": "deviceId names a device of another application",
            "100405": "select is not IMSI",
        },
    ),
    **codes(
        "1.5.2",
        {
            "100216": "pageNo or pageSize is no number, or out of range",
            "100218": "neither gatewayId nor pageNo is given",
            "100405": "a filter, time, sort or select has another form or value",
        },
    ),
    **codes("1.5.5", {"100022": "deviceId or gatewayId is too long"}),
}
