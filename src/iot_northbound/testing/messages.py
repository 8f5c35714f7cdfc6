"""A valid message of each kind, for the tests of an application.

::

    receiver.receive(push_body("deviceDataChanged", deviceId="meter-7"))
    client.post("/v1.0.0/messageReceiver", json=push_message(NotifyDeviceAddedDTO))
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from iot_northbound.core.fields import JsonObject, specs
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.events import KIND_OF, KINDS
from iot_northbound.push.parse import COMMAND_STATUS

_DEVICE, _GATEWAY, _APP = "device-1", "gateway-1", "application-1"
_TIME = "20260301T101500Z"
_PRODUCT = {
    "appId": _APP,
    "deviceType": "WaterMeter",
    "manufacturerName": "Example Meters",
    "manufacturerId": "exm",
    "model": "WM-1",
    "protocolType": "CoAP",
}
_INFO = {
    "nodeId": "node-1",
    "name": "cellar",
    "manufacturerId": "exm",
    "manufacturerName": "Example Meters",
    "deviceType": "WaterMeter",
    "model": "WM-1",
    "protocolType": "CoAP",
    "swVersion": "1.2",
    "fwVersion": "3.4",
    "status": "ONLINE",
    "statusDetail": "NONE",
    "mute": "FALSE",
    "batteryLevel": None,
}
_UPGRADE = {"deviceId": _DEVICE, "appId": _APP, "operationId": "operation-1", "subOperationId": "operation-1-1"}
_VERSIONS = {"curVersion": "1.3", "targetVersion": "1.3", "sourceVersion": "1.2", "upgradeTime": "42"}


def _service(name: str, data: JsonObject) -> JsonObject:
    return {"serviceId": name, "serviceType": name, "data": data, "eventTime": _TIME}


_FIELDS: Mapping[str, JsonObject] = {
    "deviceAdded": {"deviceId": _DEVICE, "gatewayId": _DEVICE, "nodeType": "ENDPOINT", "deviceInfo": _INFO},
    "bindDevice": {"deviceId": _DEVICE, "resultCode": "succeeded", "deviceInfo": _INFO},
    "deviceInfoChanged": {"deviceId": _DEVICE, "gatewayId": _GATEWAY, "deviceInfo": _INFO},
    "deviceDataChanged": {
        "requestId": "request-1",
        "deviceId": _DEVICE,
        "gatewayId": _GATEWAY,
        "service": _service("Meter", {"reading": 1234.5, "unit": "l"}),
    },
    "deviceDatasChanged": {
        "requestId": "request-2",
        "deviceId": _DEVICE,
        "gatewayId": _GATEWAY,
        "services": [_service("Meter", {"reading": 1234.5}), _service("Battery", {"level": 87})],
    },
    "serviceInfoChanged": {
        "deviceId": _DEVICE,
        "gatewayId": _GATEWAY,
        "serviceId": "Camera",
        "serviceType": "Camera",
        "serviceInfo": {"muteCmds": ["RECORD"]},
    },
    "deviceDeleted": {"deviceId": _DEVICE, "gatewayId": _GATEWAY},
    "messageConfirm": {
        "header": {
            "requestId": "request-3",
            "from": f"/devices/{_DEVICE}/services/Meter",
            "to": f"/applications/{_APP}",
            "status": "delivered",
            "timestamp": _TIME,
        },
        "body": {},
    },
    "commandRsp": {
        "header": {
            "requestId": "request-4",
            "from": f"/devices/{_DEVICE}/services/Meter",
            "to": f"/applications/{_APP}",
            "deviceId": _DEVICE,
            "serviceType": "Meter",
            "method": "READ_RSP",
        },
        "body": {"reading": 1234.5},
    },
    "deviceEvent": {
        "header": {
            "eventType": "leak",
            "from": f"/devices/{_DEVICE}/services/Meter",
            "timestamp": _TIME,
            "eventTime": _TIME,
            "deviceId": _DEVICE,
            "serviceType": "Meter",
        },
        "body": {"flow": 3},
    },
    "deviceModelAdded": _PRODUCT,
    "deviceModelDeleted": _PRODUCT,
    "deviceCapabilitiesAdded": _PRODUCT,
    "deviceCapabilitiesChanged": _PRODUCT,
    "deviceCapabilitiesDeleted": _PRODUCT,
    "deviceDesiredPropertiesModifyStatusChanged": {
        "deviceId": _DEVICE,
        "serviceId": "Meter",
        "properties": {"interval": 900},
        "status": "DELIVERED",
    },
    "swUpgradeStateChangeNotify": {**_UPGRADE, "swUpgradeState": "downloading"},
    "swUpgradeResultNotify": {
        **_UPGRADE,
        **_VERSIONS,
        "swUpgradeResult": "SUCCESS",
        "resultDesc": "done",
        "errorCode": "0",
        "description": "",
    },
    "fwUpgradeStateChangeNotify": {**_UPGRADE, "step": "1", "stepDesc": "downloading"},
    "fwUpgradeResultNotify": {**_UPGRADE, **_VERSIONS, "status": "SUCCESS", "statusDesc": "done"},
    "ruleEvent": {
        "author": _APP,
        "ruleId": "rule-1",
        "ruleName": "leak alarm",
        "logic": "and",
        "reasons": [{"satisfactionTime": _TIME, "type": "DEVICE_DATA", "id": "1", "info": {"flow": 3}}],
        "triggerTime": _TIME,
        "actionsResults": [{"type": "EMAIL", "id": "2", "result": {"sent": True}}],
    },
    COMMAND_STATUS: {
        "deviceId": _DEVICE,
        "commandId": "command-1",
        "result": {"resultCode": "SUCCESSFUL", "resultDetail": {"valve": "closed"}},
    },
}

PUSH_KINDS: tuple[str, ...] = tuple(KINDS)
"""Every kind: each ``notifyType``, and ``commandStatusChanged``."""

ROUTE_OF: Mapping[str, str] = MappingProxyType(
    {kind: "/v1.0.0/messageReceiver/cmd" if kind == COMMAND_STATUS else "/v1.0.0/messageReceiver" for kind in KINDS}
)
"""The path to which the platform posts a kind."""


def push_message(kind: str | type[Any], unknown: Mapping[str, Any] | None = None, /, **changes: Any) -> JsonObject:
    """Return a valid message as JSON-able data, a new one each time.

    Args:
        kind: one of `PUSH_KINDS`, or a notification's DTO class.
        unknown: fields to add that the reference does not know, as a newer platform may send, by their wire names.
        changes: fields to replace or add, by their wire names: ``deviceId="meter-7"``.

    Raises:
        InvalidArgumentError: the kind does not exist, or it has no such field (1007).
    """
    name = kind if isinstance(kind, str) else KIND_OF.get(kind, "")
    if name not in _FIELDS:
        raise InvalidArgumentError.of("kind", repr(kind), f"it must be one of {', '.join(PUSH_KINDS)}, or its DTO")
    head = {} if name == COMMAND_STATUS else {"notifyType": name}
    _refuse_unknown(name, {**head, **_FIELDS[name]}, changes)
    return {**head, **copy.deepcopy(_FIELDS[name]), **(unknown or {}), **changes}


def push_body(kind: str | type[Any], unknown: Mapping[str, Any] | None = None, /, **changes: Any) -> bytes:
    """Return a valid message as the bytes that the platform would post. The arguments are those of `push_message`."""
    return json.dumps(push_message(kind, unknown, **changes), ensure_ascii=False).encode()


def _refuse_unknown(kind: str, example: JsonObject, changes: Mapping[str, Any]) -> None:
    """Refuse a field that the kind does not have: it is probably misspelt, and would change nothing."""
    fields = specs(KINDS[kind])
    known = {*example, *(wire for spec in fields.values() for wire in (spec.wire, *spec.also))}
    for name in changes.keys() - known:
        python = fields.get(name)
        hint = f"; did you mean {python.wire}?" if python is not None else did_you_mean(name, sorted(known))
        rule = f"{kind} has no such field (fields of a newer platform go into the second argument, a dict){hint}"
        raise InvalidArgumentError.of(name, repr(changes[name]), rule)


__all__ = ["PUSH_KINDS", "ROUTE_OF", "push_body", "push_message"]
