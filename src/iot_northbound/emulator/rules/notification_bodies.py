"""The bodies of pushes: one builder per kind of notification, with the fields of its table in the reference.

Every body is complete: optional fields without a value are null, as on the real platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Body = dict[str, Any]

SERVICE_KINDS: Final = (
    "deviceAdded",
    "bindDevice",
    "deviceInfoChanged",
    "deviceDataChanged",
    "deviceDatasChanged",
    "deviceCapabilitiesChanged",
    "deviceCapabilitiesAdded",
    "deviceCapabilitiesDeleted",
    "deviceDeleted",
    "messageConfirm",
    "commandRsp",
    "ruleEvent",
    "deviceDesiredPropertiesModifyStatusChanged",
    # Chapter 2 adds these four to chapter 1's list.
    "serviceInfoChanged",
    "deviceEvent",
    "deviceModelAdded",
    "deviceModelDeleted",
)
"""What can be subscribed to as service data (1.6.1)."""

MANAGEMENT_KINDS: Final = (
    "swUpgradeStateChangeNotify",
    "swUpgradeResultNotify",
    "fwUpgradeStateChangeNotify",
    "fwUpgradeResultNotify",
)
"""What can be subscribed to as management data (1.6.2)."""

ALL_KINDS: Final = SERVICE_KINDS + MANAGEMENT_KINDS

DEVICE_INFO_FIELDS: Final = (
    "nodeId",
    "name",
    "description",
    "manufacturerId",
    "manufacturerName",
    "mac",
    "location",
    "deviceType",
    "model",
    "swVersion",
    "fwVersion",
    "hwVersion",
    "protocolType",
    "bridgeId",
    "status",
    "statusDetail",
    "mute",
    "supportedSecurity",
    "isSecurity",
    "signalStrength",
    "sigVersion",
    "serialNumber",
    "batteryLevel",
)


def device_info(info: Mapping[str, Any]) -> Body:
    """Return the DeviceInfo structure of 1.6.7.1 to 1.6.7.3."""
    return {name: info.get(name) for name in DEVICE_INFO_FIELDS}


def device_added(device_id: str, gateway_id: str, node_type: str | None, info: Mapping[str, Any]) -> Body:
    """A device has been registered (1.6.7.1)."""
    return {
        "notifyType": "deviceAdded",
        "deviceId": device_id,
        "gatewayId": gateway_id,
        "nodeType": node_type,
        "deviceInfo": device_info(info),
    }


def bind_device(device_id: str, result: str, info: Mapping[str, Any] | None) -> Body:
    """A registered device has connected for the first time, or has not connected in time (1.6.7.2).

    Args:
        device_id: the device.
        result: "succeeded" or "expired".
        info: the device's information; None becomes null.
    """
    return {
        "notifyType": "bindDevice",
        "deviceId": device_id,
        "resultCode": result,
        "deviceInfo": None if info is None else device_info(info),
    }


def device_info_changed(device_id: str, gateway_id: str, info: Mapping[str, Any]) -> Body:
    """A device's settings or its status changed (1.6.7.3)."""
    return {
        "notifyType": "deviceInfoChanged",
        "deviceId": device_id,
        "gatewayId": gateway_id,
        "deviceInfo": device_info(info),
    }


def service_data(service_id: str, service_type: str, data: Mapping[str, Any], event_time: str) -> Body:
    """Return the DeviceServiceData structure of 1.6.7.4 and 1.6.7.5."""
    return {"serviceId": service_id, "serviceType": service_type, "data": dict(data), "eventTime": event_time}


def device_data_changed(device_id: str, gateway_id: str, request_id: str | None, service: Body) -> Body:
    """A device reported the data of one service (1.6.7.4)."""
    return {
        "notifyType": "deviceDataChanged",
        "requestId": request_id,
        "deviceId": device_id,
        "gatewayId": gateway_id,
        "service": service,
    }


def device_datas_changed(device_id: str, gateway_id: str, request_id: str | None, services: Sequence[Body]) -> Body:
    """A device reported the data of one or more services at once (1.6.7.5)."""
    return {
        "notifyType": "deviceDatasChanged",
        "requestId": request_id,
        "deviceId": device_id,
        "gatewayId": gateway_id,
        "services": list(services),
    }


def product_model(kind: str, app_id: str, model: Mapping[str, Any]) -> Body:
    """A product model was added, changed or deleted (1.6.7.6 to 1.6.7.8; 2.3.5.11 and 2.3.5.12).

    Args:
        kind: one of deviceCapabilitiesChanged, …Added, …Deleted, deviceModelAdded, deviceModelDeleted.
        app_id: the application the model belongs to.
        model: the model; its five identifying fields are used.
    """
    names = ("deviceType", "manufacturerName", "manufacturerId", "model", "protocolType")
    return {"notifyType": kind, "appId": app_id, **{name: model.get(name) for name in names}}


def service_info_changed(
    device_id: str, gateway_id: str, service_id: str, service_type: str, mute_commands: Sequence[str]
) -> Body:
    """A service's settings changed: which commands are muted (2.3.5.6)."""
    return {
        "notifyType": "serviceInfoChanged",
        "deviceId": device_id,
        "gatewayId": gateway_id,
        "serviceId": service_id,
        "serviceType": service_type,
        "serviceInfo": {"muteCmds": list(mute_commands)},
    }


def device_deleted(device_id: str, gateway_id: str) -> Body:
    """A device has been deleted (1.6.7.9)."""
    return {"notifyType": "deviceDeleted", "deviceId": device_id, "gatewayId": gateway_id}


def message_confirm(
    request_id: str, sender: str, recipient: str, status: str, timestamp: str, body: Mapping[str, Any]
) -> Body:
    """A device acknowledged a command of 1.7.7: "sent", "delivered" or "executed" (1.6.7.10)."""
    header = {"requestId": request_id, "from": sender, "to": recipient, "status": status, "timestamp": timestamp}
    return {"notifyType": "messageConfirm", "header": header, "body": dict(body)}


def command_rsp(
    request_id: str,
    sender: str,
    recipient: str,
    device_id: str,
    service_type: str,
    method: str,
    body: Mapping[str, Any],
) -> Body:
    """A device answered a command of 1.7.7 (1.6.7.11)."""
    header = {
        "requestId": request_id,
        "from": sender,
        "to": recipient,
        "deviceId": device_id,
        "serviceType": service_type,
        "method": method,
    }
    return {"notifyType": "commandRsp", "header": header, "body": dict(body)}


def command_status(device_id: str, command_id: str, code: str, detail: Mapping[str, Any] | None) -> Body:
    """A command's status changed (1.6.7.12). It goes to the command's own URL and has no notifyType."""
    result = {"resultCode": code, "resultDetail": None if detail is None else dict(detail)}
    return {"deviceId": device_id, "commandId": command_id, "result": result}


def device_event(
    device_id: str, service_type: str, event_type: str, sender: str, timestamp: str, event_time: str, body: Body
) -> Body:
    """A device sent an event message (2.3.5.10)."""
    header = {
        "eventType": event_type,
        "from": sender,
        "timestamp": timestamp,
        "eventTime": event_time,
        "deviceId": device_id,
        "serviceType": service_type,
    }
    return {"notifyType": "deviceEvent", "header": header, "body": dict(body)}


def rule_event(
    author: str,
    rule_id: str,
    rule_name: str,
    reasons: Sequence[Mapping[str, Any]],
    trigger_time: str,
    results: Sequence[Mapping[str, Any]],
    logic: str | None = None,
) -> Body:
    """A rule fired (1.6.7.13). Of an action's `exception` and `result` only the one that is given appears."""
    reason_names = ("satisfactionTime", "type", "id", "info", "transInfo")
    action_names = ("type", "id", "info", "transInfo")
    return {
        "notifyType": "ruleEvent",
        "author": author,
        "ruleId": rule_id,
        "ruleName": rule_name,
        "logic": logic,
        "reasons": [{name: reason.get(name) for name in reason_names} for reason in reasons],
        "triggerTime": trigger_time,
        "actionsResults": [
            {name: action.get(name) for name in action_names}
            | {name: action[name] for name in ("exception", "result") if name in action}
            for action in results
        ],
    }


def desired_status_changed(device_id: str, service_id: str, properties: Mapping[str, Any], status: str) -> Body:
    """A desired change reached the device ("DELIVERED") or failed ("FAILED") (1.6.7.14)."""
    return {
        "notifyType": "deviceDesiredPropertiesModifyStatusChanged",
        "deviceId": device_id,
        "serviceId": service_id,
        "properties": dict(properties),
        "status": status,
    }


_FIRMWARE_STEPS: Final = {"idle": "0", "downloading": "1", "downloaded": "2", "updating": "3"}


def upgrade_state(
    operate_type: str, device_id: str, app_id: str, operation_id: str, sub_operation_id: str, state: str
) -> Body:
    """An upgrade went one step further (1.6.7.15 for software, 1.6.7.17 for firmware).

    Args:
        operate_type: "software_upgrade" or "firmware_upgrade".
        device_id: the device.
        app_id: the device's application.
        operation_id: the task.
        sub_operation_id: the device's part of it.
        state: "downloading", "downloaded", "updating" or "idle".
    """
    ids = {"deviceId": device_id, "appId": app_id, "operationId": operation_id, "subOperationId": sub_operation_id}
    if operate_type == "software_upgrade":
        return {"notifyType": "swUpgradeStateChangeNotify", **ids, "swUpgradeState": state}
    return {"notifyType": "fwUpgradeStateChangeNotify", **ids, "step": _FIRMWARE_STEPS[state], "stepDesc": state}


def upgrade_result(
    operate_type: str,
    device_id: str,
    app_id: str,
    operation_id: str,
    sub_operation_id: str,
    *,
    current: str | None,
    target: str,
    source: str | None,
    ok: bool,
    upgrade_time: str,
    detail: str,
) -> Body:
    """A device's upgrade ended (1.6.7.16 for software, 1.6.7.18 for firmware).

    Args:
        operate_type: "software_upgrade" or "firmware_upgrade".
        device_id: the device.
        app_id: the device's application.
        operation_id: the task.
        sub_operation_id: the device's part of it.
        current: the version the device runs now.
        target: the version it should run.
        source: the version it ran before.
        ok: whether it succeeded.
        upgrade_time: how long it took, in seconds, as text.
        detail: what happened, in words.
    """
    result = "SUCCESS" if ok else "FAIL"
    body = {
        "deviceId": device_id,
        "appId": app_id,
        "operationId": operation_id,
        "subOperationId": sub_operation_id,
        "curVersion": current,
        "targetVersion": target,
        "sourceVersion": source,
    }
    if operate_type == "software_upgrade":
        return {
            "notifyType": "swUpgradeResultNotify",
            **body,
            "swUpgradeResult": result,
            "upgradeTime": upgrade_time,
            "resultDesc": detail,
            "errorCode": "0" if ok else "1",
            "description": "" if ok else detail,
        }
    return {
        "notifyType": "fwUpgradeResultNotify",
        **body,
        "status": result,
        "statusDesc": detail,
        "upgradeTime": upgrade_time,
    }
