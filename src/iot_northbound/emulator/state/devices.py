"""A device's life on the platform: registered, bound, heard, silent, deleted. Endpoints stand in device_rules.py.

What happens to real and scripted devices comes in here (`activate`, `report`, `set_online`, `set_offline`, …) and goes
out as events and notifications.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iot_northbound.emulator.state import models
from iot_northbound.emulator.state import notification_bodies as bodies
from iot_northbound.emulator.state.clock import parse_time, time_text
from iot_northbound.emulator.state.kernel import Call, Platform, Refusal
from iot_northbound.emulator.state.routing import table, timer
from iot_northbound.emulator.state.store import Row

DEVICES = table("devices", "created", "seq")

INFO_FIELDS = (
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
    "imsi",
    "protocolType",
    "radiusIp",
    "bridgeId",
    "status",
    "statusDetail",
    "signalStrength",
    "sigVersion",
    "serialNumber",
    "batteryLevel",
)
REPORTABLE = frozenset(
    ("mac", "swVersion", "fwVersion", "hwVersion", "signalStrength", "sigVersion", "serialNumber", "batteryLevel")
)
"""What a device may tell about itself."""


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


def of_call(platform: Platform, call: Call, *, missing: str = "100403", foreign: str = "100418") -> Row:
    """Return the device that a path names.

    Raises:
        Refusal: 404 with `missing` when there is none, with `foreign` when it belongs to another application.
    """
    row = find(platform, call.ids[0])
    if row is None:
        raise Refusal(404, missing)
    if row["appId"] != call.app_id:
        raise Refusal(404, foreign)
    return row


def info_of(row: Row) -> Row:
    """Return a device's information as answers and notifications carry it, unset fields null."""
    get = row.get
    info = {name: get(name) for name in INFO_FIELDS}
    info["mute"] = get("mute", "FALSE")
    info["supportedSecurity"] = info["isSecurity"] = "TRUE" if get("isSecure") else "FALSE"
    return info


def is_online(row: Row) -> bool:
    """Tell whether a device is connected."""
    return bool(row["status"] == "ONLINE")


def same_node(platform: Platform, node_id: str) -> Row | None:
    """Return the directly connected device of this node id: it is unique on the whole platform."""
    return platform.table(DEVICES).where(nodeId=node_id, parent=None).first()


def create(platform: Platform, app_id: str, node_id: str, parent: Row | None = None, **fields: Any) -> Row:
    """Add a device and tell the subscribers (deviceAdded); fields without a value are left out.

    Raises:
        LookupError: parent is no gateway any more.
    """
    device_id, now = platform.ids.uuid(), platform.now()
    row = {
        "deviceId": device_id,
        "appId": app_id,
        "gatewayId": parent["deviceId"] if parent else device_id,
        # What a table is searched by has to be a field of its own; a direct device's gatewayId is its own id.
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
    info = info_of(row)
    platform.notify(
        app_id, "deviceAdded", bodies.device_added(device_id, row["gatewayId"], row["nodeType"], info)
    )  # fmt: skip
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
    if len(platform.table(DEVICES).where(parent=gateway_id, nodeId=node_id)):
        raise ValueError(f"gateway {gateway_id} already has a device with node id {node_id!r}")
    row = create(platform, gateway["appId"], node_id, gateway, **info)
    set_online(platform, row["deviceId"])
    return need(platform, row["deviceId"])


def changed(platform: Platform, device_id: str, **fields: Any) -> Row:
    """Change a device's information and tell the subscribers (deviceInfoChanged)."""
    row = platform.table(DEVICES).change(device_id, modified=platform.now(), **fields)
    body = bodies.device_info_changed(device_id, row["gatewayId"], info_of(row))
    platform.notify(row["appId"], "deviceInfoChanged", body)
    platform.emit("device_modified", row)
    return row


def delete(platform: Platform, row: Row) -> None:
    """Remove a device with its timers, and tell the subscribers and the other rules."""
    platform.cancel(row.get("expiryTimer"))
    platform.cancel(row.get("watchTimer"))
    platform.table(DEVICES).delete(row["deviceId"])
    platform.notify(row["appId"], "deviceDeleted", bodies.device_deleted(row["deviceId"], row["gatewayId"]))
    platform.emit("device_deleted", row)


def sub_devices(platform: Platform, gateway_id: str) -> list[Row]:
    """Return the devices behind a gateway."""
    return list(platform.table(DEVICES).where(parent=gateway_id))


def connect_directly(platform: Platform, row: Row) -> Row:
    """Let a device that was behind a gateway be connected directly, and tell the subscribers (deviceInfoChanged)."""
    row = changed(platform, row["deviceId"], parent=None, gatewayId=row["deviceId"])
    platform.emit("device_regrouped", row)
    return row


# --- binding ---


def await_binding(platform: Platform, row: Row, timeout: int) -> Row:
    """Give a registered device so many seconds to connect for the first time; 0 is no limit."""
    platform.cancel(row.get("expiryTimer"))
    expiry = platform.after(timeout, "registration_expired", device_id=row["deviceId"]) if timeout else None
    return platform.table(DEVICES).change(row["deviceId"], timeout=timeout, expiryTimer=expiry)


@timer("registration_expired")
def registration_expired(platform: Platform, device_id: str) -> None:
    """Delete a device that was not activated in time."""
    row = find(platform, device_id)
    if row is not None and not row["activated"]:
        platform.notify(row["appId"], "bindDevice", bodies.bind_device(device_id, "expired", info_of(row)))
        delete(platform, {**row, "expiryTimer": None})


def activate(platform: Platform, device_id: str) -> None:
    """Let a device be known as connected for the first time (bindDevice); again is no error.

    Raises:
        LookupError: There is no such device.
    """
    row = need(platform, device_id)
    if row["activated"]:
        return
    platform.cancel(row.get("expiryTimer"))
    offline = {"status": "OFFLINE", "statusDetail": "NONE"} if row["status"] == "INACTIVE" else {}
    row = platform.table(DEVICES).change(device_id, activated=True, expiryTimer=None, **offline)
    platform.notify(row["appId"], "bindDevice", bodies.bind_device(device_id, "succeeded", info_of(row)))
    platform.emit("device_activated", row)


# --- presence ---


def set_online(platform: Platform, device_id: str, detail: str = "NONE") -> None:
    """Let a device connect, or be heard again; the first time activates it.

    Raises:
        LookupError: There is no such device.
    """
    activate(platform, device_id)
    row = _heard(platform, need(platform, device_id))
    if row["status"] != "ONLINE":
        row = changed(platform, device_id, status="ONLINE", statusDetail=detail)
        platform.emit("device_online", row)


def set_offline(platform: Platform, device_id: str, detail: str = "NONE", status: str = "OFFLINE") -> None:
    """Let a device lose its connection; status may also be ABNORMAL.

    Raises:
        LookupError: There is no such device.
    """
    row = need(platform, device_id)
    if row["status"] not in ("INACTIVE", status):
        row = changed(platform, device_id, status=status, statusDetail=detail)
        platform.emit("device_offline", row)


def _heard(platform: Platform, row: Row, **fields: Any) -> Row:
    """Note that a device was heard. One timer watches its silence, and looks only when it is due."""
    if row["status"] != "ONLINE":
        # The timer may be set for a later step of silence than the first.
        platform.cancel(row.get("watchTimer"))
        row = {**row, "watchTimer": None}
    if row.get("watchTimer") is None and (silence := _silence(platform)) is not None:
        fields["watchTimer"] = platform.after(silence[0], "device_silent", device_id=row["deviceId"])
    return platform.table(DEVICES).change(row["deviceId"], heard=platform.now(), **fields)


def _silence(platform: Platform) -> tuple[float, str] | None:
    """Return after how many seconds without a word a device's status changes first, and to what."""
    if (abnormal := platform.settings.abnormal_after) is not None:
        return abnormal, "ABNORMAL"
    offline = platform.settings.offline_after
    return None if offline is None else (offline, "OFFLINE")


@timer("device_silent")
def device_silent(platform: Platform, device_id: str) -> None:
    """Call a silent device ABNORMAL, later OFFLINE; wait on for one that was heard meanwhile."""
    row = find(platform, device_id)
    if row is None:
        return
    first, last = _silence(platform), platform.settings.offline_after
    silent = platform.now() - row["heard"]
    due: float | None = None
    if first is not None:
        if silent < first[0]:
            due = first[0]
        elif last is not None and silent < last:
            # Who said goodbye is OFFLINE already, and stays so.
            if is_online(row):
                set_offline(platform, device_id, status=first[1])
            due = last
        elif last is not None:
            set_offline(platform, device_id, "TIME_OUT")
        elif is_online(row):
            set_offline(platform, device_id, status=first[1])
    timer_id = None if due is None else platform.at(row["heard"] + due, "device_silent", device_id=device_id)
    platform.table(DEVICES).change(device_id, watchTimer=timer_id)


# --- data ---


def report(
    platform: Platform, device_id: str, service_id: str, data: Mapping[str, Any], event_time: str | None = None
) -> None:
    """Take a device's data of one service. See `report_services`."""
    report_services(platform, device_id, [{"serviceId": service_id, "data": dict(data), "eventTime": event_time}])


def report_services(platform: Platform, device_id: str, services: Iterable[Mapping[str, Any]]) -> None:
    """Take a device's data: it is then activated and online, its shadow shows them, its subscribers hear of them.

    Data that its product model does not know or allow are taken too, as real devices send such, with a warning in the
    log.

    Each service is {serviceId, data, eventTime or None (now)}. A frozen device (mute) is heard, its data are dropped.

    Raises:
        LookupError: There is no such device.
        ValueError: Its product model has no such service, or an event time has another form.
    """
    given = list(services)
    row = need(platform, device_id)
    model = models.of_device(platform, row)
    for each in given:
        if model is not None and models.find_service(model, each["serviceId"]) is None:
            raise ValueError(f"product model {model['productId']!r} has no service {each['serviceId']!r}")
        if model is not None:
            models.hint_misfits(platform, model, each["serviceId"], each["data"])
    set_online(platform, device_id)
    row = need(platform, device_id)
    if row.get("mute") == "TRUE":
        return
    kept = dict(row.get("services", ()))
    told = []
    for each in given:
        service_id, data = each["serviceId"], each["data"]
        when = parse_time(each["eventTime"]) if each.get("eventTime") else platform.now()
        before = kept.get(service_id, {})
        kind = before.get("type") or service_type(model, service_id)
        kept[service_id] = {**before, "type": kind, "data": {**before.get("data", {}), **data}, "time": when}
        told.append((when, bodies.service_data(service_id, kind, data, time_text(when))))
    row = platform.table(DEVICES).change(device_id, services=kept)
    app_id, gateway_id = row["appId"], row["gatewayId"]
    for when, service in told:
        platform.notify(app_id, "deviceDataChanged", bodies.device_data_changed(device_id, gateway_id, None, service))
        platform.emit("device_reported", row, service["serviceId"], service["data"], when)
    everything = [service for _, service in told]
    platform.notify(app_id, "deviceDatasChanged", bodies.device_datas_changed(device_id, gateway_id, None, everything))


def service_type(model: Row | None, service_id: str) -> str:
    """Return the type of a service: its model's, or its id."""
    service = None if model is None else models.find_service(model, service_id)
    found: str = service_id if service is None else service.get("serviceType", service_id)
    return found


def report_info(platform: Platform, device_id: str, **fields: Any) -> Row:
    """Take what a device tells about itself (REPORTABLE); return its row.

    Raises:
        LookupError: There is no such device.
        ValueError: A field is none that devices tell.
    """
    if unknown := fields.keys() - REPORTABLE:
        raise ValueError(
            f"a device cannot tell {', '.join(sorted(unknown))}; known are {', '.join(sorted(REPORTABLE))}"
        )
    set_online(platform, device_id)
    return changed(platform, device_id, **fields)
