"""Devices: registered, activated, online, silent, deleted.

Everything that happens to real and scripted devices enters here (`activate`, `report`, `set_online`, `set_offline`, …)
and leaves as events and notifications.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypedDict, Unpack

from iot_northbound.emulator.kernel.clock import named_time, time_text
from iot_northbound.emulator.kernel.limits import Length
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import table
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import intake, models
from iot_northbound.emulator.rules import notification_bodies as bodies

DEVICES = table("devices", "created", "seq")

INFO_FIELDS = (
    "nodeId", "name", "description", "manufacturerId", "manufacturerName", "mac", "location", "deviceType", "model",
    "swVersion", "fwVersion", "hwVersion", "imsi", "protocolType", "radiusIp", "bridgeId", "status", "statusDetail",
    "signalStrength", "sigVersion", "serialNumber", "batteryLevel",
)  # fmt: skip

CREDENTIALS = frozenset(("nodeId", "secret", "verifyCode"))
"""What a device identifies itself with: when one of them changes, its present session ends."""

Text = Annotated[str, Length(1, 256)]


class ReportedInfo(TypedDict, total=False):
    """What the platform learns of a device from the device itself, or from the network that it is in."""

    bridgeId: Text
    description: Text
    mac: Text
    radiusIp: Text
    swVersion: Text
    fwVersion: Text
    hwVersion: Text
    signalStrength: Text
    sigVersion: Text
    serialNumber: Text
    batteryLevel: Text


ONLINE_DETAILS = ("NONE", "CONFIGURATION_PENDING", "UE_REACHABILITY", "AVAILABILITY_AFTER_DDN_FAILURE")
OFFLINE_DETAILS = (
    "NONE", "COMMUNICATION_ERROR", "CONFIGURATION_ERROR", "BRIDGE_OFFLINE", "FIRMWARE_UPDATING", "DUTY_CYCLE",
    "NOT_ACTIVE", "LOSS_OF_CONNECTIVITY", "TIME_OUT",
)  # fmt: skip
"""The documented values of statusDetail, by status."""


def find(platform: Platform, device_id: str) -> Row | None:
    """Return a device's row, or None."""
    return platform.table(DEVICES).rows.get(device_id)


def need(platform: Platform, device_id: str) -> Row:
    """Return a device's row.

    Raises:
        LookupError: There is no such device.
    """
    row = find(platform, device_id)
    if row is None:
        raise LookupError(f"there is no device {device_id!r}")
    return row


def info_of(row: Row) -> Row:
    """Return a device's information as answers and notifications have it; unset fields are null."""
    get = row.get
    info = {name: get(name) for name in INFO_FIELDS}
    info["mute"] = get("mute", "FALSE")
    info["supportedSecurity"] = info["isSecurity"] = "TRUE" if get("isSecure") else "FALSE"
    return info


def is_online(row: Row) -> bool:
    """Return whether a device is connected."""
    return bool(row["status"] == "ONLINE")


def same_node(platform: Platform, node_id: str) -> Row | None:
    """Return the directly connected device of this node id, which is unique on the whole platform."""
    return platform.table(DEVICES).where(nodeId=node_id, parent=None).first()


def create(platform: Platform, app_id: str, node_id: str, parent: Row | None = None, **fields: Any) -> Row:
    """Add a device and notify the subscribers (deviceAdded); fields without a value are left out.

    Raises:
        LookupError: The parent no longer exists.
    """
    device_id, now = platform.ids.uuid(), platform.now()
    row = {
        "deviceId": device_id,
        "appId": app_id,
        "gatewayId": parent["deviceId"] if parent else device_id,
        # A table is searched by its fields only, and a direct device's gatewayId is its own id.
        "parent": parent["deviceId"] if parent else None,
        "nodeId": node_id,
        "nodeType": "UNKNOWN",
        "created": now,
        "modified": now,
        "seq": platform.next_seq(),
        "status": "INACTIVE",
        "statusDetail": "NOT_ACTIVE",
        "activated": False,
        "isSecure": False,
        **{name: value for name, value in fields.items() if value is not None},
    }
    row = platform.table(DEVICES).put(device_id, with_model(platform, row))
    body = bodies.device_added(device_id, row["gatewayId"], row["nodeType"], info_of(row))
    platform.notify(app_id, "deviceAdded", body)
    platform.emit("device_added", row)
    return row


def with_model(platform: Platform, row: Row) -> Row:
    """Return the row joined to its product model, by productId or else by the identifying fields."""
    app_id = row["appId"]
    model = models.by_id(platform, app_id, row.get("productId")) or models.match(platform, app_id, row)
    if model is None:
        models.hint_nearest(platform, row)
        return row
    identity = {name: model[name] for name in models.IDENTITY}
    return {**row, **identity, "productId": model["productId"], "nodeType": model["nodeType"]}


def add_sub_device(platform: Platform, gateway_id: str, node_id: str, **info: Any) -> Row:
    """Add a device behind a gateway, as the gateway reports it: activated and online; return its row.

    Raises:
        LookupError: There is no such gateway.
        ValueError: The gateway already has a device of this node id, or is one itself behind a gateway.
    """
    gateway = need(platform, gateway_id)
    if gateway["parent"] is not None:
        raise ValueError(f"{gateway_id} is itself connected through a gateway")
    if sub_device(platform, gateway_id, node_id) is not None:
        raise ValueError(f"gateway {gateway_id} already has a device with node id {node_id!r}")
    set_online(platform, gateway_id)
    row = create(platform, gateway["appId"], node_id, gateway, **info)
    set_online(platform, row["deviceId"])
    return need(platform, row["deviceId"])


def remove_sub_device(platform: Platform, gateway_id: str, device_id: str) -> None:
    """Remove a device behind a gateway, as the gateway reports it, and notify the subscribers (deviceDeleted).

    Raises:
        LookupError: There is no such gateway, or it has no such device.
    """
    need(platform, gateway_id)
    row = find(platform, device_id)
    if row is None or row["parent"] != gateway_id:
        raise LookupError(f"gateway {gateway_id!r} has no device {device_id!r}")
    set_online(platform, gateway_id)
    delete(platform, row)


def changed(platform: Platform, device_id: str, **fields: Any) -> Row:
    """Change a device's information and notify the subscribers (deviceInfoChanged); return its row.

    Every change of a device's information comes through here. Values that are the same as before change nothing.
    """
    row = need(platform, device_id)
    fields = {name: value for name, value in fields.items() if row.get(name) != value}
    if not fields:
        return row
    row = platform.table(DEVICES).change(device_id, modified=platform.now(), **fields)
    _notify_change(platform, row)
    if not CREDENTIALS.isdisjoint(fields):
        platform.emit("credentials_changed", row)
        row = need(platform, device_id)
    return row


def _notify_change(platform: Platform, row: Row) -> None:
    body = bodies.device_info_changed(row["deviceId"], row["gatewayId"], info_of(row))
    platform.notify(row["appId"], "deviceInfoChanged", body)
    platform.emit("device_modified", row)


def delete(platform: Platform, row: Row) -> None:
    """Remove a device, and notify the subscribers and the other rules."""
    platform.table(DEVICES).delete(row["deviceId"])
    platform.notify(row["appId"], "deviceDeleted", bodies.device_deleted(row["deviceId"], row["gatewayId"]))
    platform.emit("device_deleted", row)


def sub_device(platform: Platform, gateway_id: str, node_id: str) -> Row | None:
    """Return the device of this node id behind a gateway, or None."""
    return platform.table(DEVICES).where(parent=gateway_id, nodeId=node_id).first()


def sub_devices(platform: Platform, gateway_id: str) -> list[Row]:
    """Return the devices behind a gateway."""
    return list(platform.table(DEVICES).where(parent=gateway_id))


def connect_directly(platform: Platform, row: Row) -> Row:
    """Let a device that was behind a gateway be connected directly, and notify the subscribers (deviceInfoChanged)."""
    row = changed(platform, row["deviceId"], parent=None, gatewayId=row["deviceId"])
    platform.emit("device_regrouped", row)
    return row


# --- presence ---


def activate(platform: Platform, device_id: str) -> None:
    """Let a device connect for the first time and disconnect; one that was connected before stays as it is.

    Raises:
        LookupError: There is no such device.
    """
    if not need(platform, device_id)["activated"]:
        set_online(platform, device_id)
        set_offline(platform, device_id)


def set_online(platform: Platform, device_id: str, detail: str | None = None) -> None:
    """Let a device connect, or give a sign of life; the first time activates it.

    Args:
        platform: the platform.
        device_id: the device.
        detail: its statusDetail; by default NONE, or the former one if it was online before.

    Raises:
        LookupError: There is no such device.
    """
    _connect(platform, device_id, detail)
    platform.emit("device_heard", platform.table(DEVICES).change(device_id, heard=platform.now()))


def heard(platform: Platform, device_id: str) -> None:
    """Take a sign of life (for example an acknowledgement) of a device, if it still exists."""
    if find(platform, device_id) is not None:
        set_online(platform, device_id)


def _connect(platform: Platform, device_id: str, detail: str | None = None) -> Row:
    """Let a device be activated and online; the caller notes when it was heard."""
    row = need(platform, device_id)
    if row["parent"] is not None:
        heard(platform, row["parent"])  # it speaks through its gateway
    if row["status"] == "ONLINE" and detail is None:
        return row
    online = {"status": "ONLINE", "statusDetail": detail or "NONE"}
    if not row["activated"]:
        row = platform.table(DEVICES).change(device_id, **online, activated=True, modified=platform.now())
        platform.notify(row["appId"], "bindDevice", bodies.bind_device(device_id, "succeeded", info_of(row)))
        platform.emit("device_activated", row)
        _notify_change(platform, row)
        platform.emit("device_online", row)
    elif row["status"] != "ONLINE":
        platform.emit("device_online", changed(platform, device_id, **online))
    else:
        changed(platform, device_id, statusDetail=detail)
    return need(platform, device_id)


def set_offline(platform: Platform, device_id: str, detail: str | None = None, status: str = "OFFLINE") -> None:
    """Let a device lose its connection.

    Args:
        platform: the platform.
        device_id: the device; if it was never connected, nothing changes.
        detail: its statusDetail; by default NONE if the status changes, otherwise the former one.
        status: OFFLINE or ABNORMAL.

    Raises:
        LookupError: There is no such device.
    """
    row = need(platform, device_id)
    if row["status"] not in ("INACTIVE", status):
        row = changed(platform, device_id, status=status, statusDetail=detail or "NONE")
        platform.emit("device_offline", row)
    elif row["status"] == status and detail is not None:
        changed(platform, device_id, statusDetail=detail)


# --- data ---


def report(
    platform: Platform,
    device_id: str,
    service_id: str,
    data: Mapping[str, Any],
    event_time: str | None = None,
    request_id: str | None = None,
) -> None:
    """Take a device's data of one service. See `report_services`."""
    service = {"serviceId": service_id, "data": dict(data), "eventTime": event_time}
    report_services(platform, device_id, [service], request_id)


def report_services(
    platform: Platform, device_id: str, services: Iterable[Mapping[str, Any]], request_id: str | None = None
) -> None:
    """Take one report of a device: it is then activated and online, and its shadow shows the data.

    Subscribers get deviceDataChanged for each service, and deviceDatasChanged once with all services of the report. So
    subscribers of either kind hear of every report.

    Data that the product model does not know or allow are taken too, with a warning in the log: real devices send such
    data.

    Args:
        platform: the platform.
        device_id: the device. While it is frozen (mute), it is heard, and its data are dropped.
        services: at least one {serviceId, data, eventTime or None (now)}. Values that are older than what the shadow
            has, by event time, are pushed and kept in the history, but do not replace it.
        request_id: what the pushes say as requestId.

    Raises:
        LookupError: There is no such device.
        ValueError: No service is given, the product model has no such service, or an event time has another form.
    """
    given = [
        {**each, "time": named_time("event_time", text) if (text := each.get("eventTime")) else None}
        for each in services
    ]
    row = need(platform, device_id)
    model = models.of_device(platform, row)
    if not given:
        raise ValueError("a report needs at least one service")
    if model is not None:
        for each in given:
            service = models.find_service(model, each["serviceId"])
            if service is None:
                raise ValueError(f"product model {model['productId']!r} has no service {each['serviceId']!r}")
            models.hint_misfits(platform, model, service, each["data"])
    take_report(platform, device_id, model, given, request_id)


def take_report(
    platform: Platform, device_id: str, model: Row | None, given: list[Row], request_id: str | None
) -> None:
    """Take a report that was checked: {serviceId, data, time or None} for each service. See `report_services`."""
    row = _connect(platform, device_id)
    if not given or row.get("mute") == "TRUE":
        row = platform.table(DEVICES).change(device_id, heard=platform.now())
    else:
        services, told = intake.merged(platform, row, model, given)
        row = platform.table(DEVICES).change(device_id, heard=platform.now(), services=services)
        intake.tell(platform, row, told, request_id)
    platform.emit("device_heard", row)


def report_info(platform: Platform, device_id: str, **fields: Unpack[ReportedInfo]) -> Row:
    """Take what a device says about itself; return its row.

    Raises:
        LookupError: There is no such device.
    """
    set_online(platform, device_id)
    return changed(platform, device_id, **fields)


def report_alarm(
    platform: Platform, device_id: str, severity: str, *, on: bool = True, alarm_time: str | None = None
) -> Row:
    """Take a device's alarm, which replaces the one before (alarmInfo of 1.5.1 and 1.5.2); return its row.

    Args:
        platform: the platform.
        device_id: the device.
        severity: how severe it is, in the device's own words.
        on: whether the alarm is on, or over.
        alarm_time: a time text; now by default.

    Raises:
        LookupError: There is no such device.
        ValueError: The time has another form.
    """
    when = platform.now() if alarm_time is None else named_time("alarm_time", alarm_time)
    set_online(platform, device_id)
    alarm = {"alarmSeverity": severity, "alarmStatus": on, "alarmTime": time_text(when)}
    return changed(platform, device_id, alarmInfo=alarm)
