"""Changing, deleting and querying devices (reference 1.4.4, 1.4.5, 1.5.1, 1.5.2)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import (
    Shape,
    anything,
    array,
    boolean,
    boolean_text,
    end_of,
    integer,
    may,
    must,
    one_of,
    refuse,
    structure,
    text,
    time_of,
)
from iot_northbound.emulator.rules import admission, binding, devices, models, registrations
from iot_northbound.emulator.rules.devices import DEVICES

MALFORMED = (400, "50400")
BAD_FIELD = (400, "100022")
BAD_QUERY = (400, "100405")
BAD_PAGE = (400, "100216")
SELECT = may("select", one_of("IMSI", fold=True))
STATUSES = one_of("ONLINE", "OFFLINE", "INACTIVE", "ABNORMAL")
FILTERS = ("gatewayId", "nodeType", "deviceType", "location", "name", "status")
ONE = Shape(SELECT, invalid=BAD_QUERY)
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
    invalid=BAD_QUERY,
)
_TAG = structure(must("tagName", text(1, 128)), must("tagValue", text(1, 1024)), may("tagType", integer()))
_CUSTOM = structure(may("fieldName", text()), may("fieldType", text()), may("fieldValue", anything))
MODIFY = Shape(
    may("customFields", array(_CUSTOM)),
    may("deviceConfig", structure(may("dataConfig", structure(may("dataAgingTime", integer(0, 90)))))),
    *[may(name, text(1)) for name in ("deviceType", "manufacturerId", "manufacturerName", "model", "protocolType")],
    *[may(name, text(1)) for name in ("endUser", "name", "organization", "region", "timezone")],
    may("location", text(1, 1024)),
    may("productId", text()),
    may("mute", boolean_text),
    may("imsi", text(0, 64)),
    may("ip", text(0, 128)),
    may("isSecure", boolean, (400, "100440")),
    may("psk", registrations.PSK),
    may("tags", array(_TAG)),
    invalid=BAD_FIELD,
    malformed=MALFORMED,
)
DELETE = Shape(may("cascade", boolean), invalid=MALFORMED)
DEVICE = "/iocm/app/dm/v1.4.0/devices/{deviceId}"


def of_call(platform: Platform, call: Call, *, missing: str = "100403", foreign: str = "100418") -> Row:
    """Return the device that a path names.

    Raises:
        Refusal: 404 with `missing` if it does not exist, with `foreign` if it belongs to another application.
    """
    row = devices.find(platform, call.ids[0])
    if row is None:
        raise Refusal(404, missing)
    if row["appId"] != call.app_id:
        raise Refusal(404, foreign)
    return row


def _room_for_frozen(platform: Platform, app_id: str) -> None:
    limit = platform.settings.frozen_device_limit
    if limit is not None and len(platform.table(DEVICES).where(appId=app_id, mute="TRUE")) >= limit:
        raise Refusal(403, "500004")


@route("1.4.4", "PUT", DEVICE)
def modify(platform: Platform, call: Call) -> Answer:
    """Change what is known about a device."""
    given: dict[str, Any] = MODIFY.read(call.body)
    row = of_call(platform, call)
    if (product := given.get("productId")) is not None and models.by_id(platform, call.app_id, product) is None:
        raise refuse(BAD_FIELD, models.unknown_id(platform, call.app_id, product))
    if row["isSecure"] and given.get("isSecure") is False:
        registrations.room_for_nonsecure(platform, call.app_id)
    if given.get("mute") == "TRUE" and row.get("mute") != "TRUE":
        _room_for_frozen(platform, call.app_id)
    aging = given.pop("deviceConfig", {}).get("dataConfig", {}).get("dataAgingTime")
    if aging is not None:
        given["dataAgingTime"] = aging
    if product is None and any(name in given for name in models.IDENTITY):
        # The new identity replaces the device's former product.
        given["productId"] = None
    joined = devices.with_model(platform, {**row, **given})
    devices.changed(platform, row["deviceId"], **joined)
    return Answer(204)


@route("1.4.5", "DELETE", DEVICE)
def delete(platform: Platform, call: Call) -> Answer:
    """Delete a device and those behind it; with cascade=false, those become directly connected."""
    cascade = DELETE.read_query(call.query).get("cascade", True)
    row = of_call(platform, call)
    if not cascade:
        for child in devices.sub_devices(platform, row["deviceId"]):
            devices.connect_directly(platform, child)
    binding.unbind(platform, row["deviceId"])
    return Answer(204)


@route("1.5.1", "GET", "/iocm/app/dm/v1.4.0/devices/{deviceId}")
def query_one(platform: Platform, call: Call) -> Answer:
    """Return one device."""
    given = ONE.read_query(call.query)
    return Answer(200, device_view(of_call(platform, call), imsi="select" in given))


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
    """Return a device as the queries answer it; its IMSI only if it was selected."""
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


_UNKNOWN = {"100403": "deviceId names no device", "100418": "deviceId names a device of another application"}
CODES = {
    **codes(("1.4.4", "1.4.5", "1.5.1", "1.5.2"), admission.GUARDED),
    **codes(
        "1.4.4",
        _UNKNOWN,
        {
            "100022": "a field breaks its length, range or form, or productId names no product",
            "100440": "isSecure is not a boolean",
            "100441": "isSecure becomes false and the application has nonsecure_device_limit such devices",
            "500004": "mute becomes TRUE and the application has frozen_device_limit such devices",
            "50400": "the body is not a JSON object",
        },
    ),
    **codes("1.4.5", _UNKNOWN),
    **codes("1.5.1", _UNKNOWN, {"100405": "select is not IMSI"}),
    **codes(
        "1.5.2",
        {
            "100216": "pageNo or pageSize is not a number, or is out of range",
            "100218": "neither gatewayId nor pageNo is given",
            "100405": "a filter, time, sort or select has another form or value",
        },
    ),
}
