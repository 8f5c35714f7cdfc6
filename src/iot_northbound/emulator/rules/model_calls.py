"""What devices can do, as their product models say (reference 1.5.5)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.calls import Answer, Call
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Shape, may, text
from iot_northbound.emulator.rules import admission, models
from iot_northbound.emulator.rules.devices import DEVICES

CAPABILITIES = Shape(may("deviceId", text()), may("gatewayId", text()), invalid=(400, "100022"))
CAPABILITIES_AT_MOST = 1000
"""How many devices' capabilities one answer has, if neither a device nor a gateway is named."""


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


CODES = codes("1.5.5", admission.GUARDED, {"100022": "deviceId or gatewayId is too long"})
