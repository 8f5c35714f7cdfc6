"""What devices reported and what was wished of them, over time (reference 1.5.3, 1.5.4)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.state import devices
from iot_northbound.emulator.state.clock import time_text
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import codes, on, route, table
from iot_northbound.emulator.state.store import Row, Selection
from iot_northbound.emulator.state.values import Shape, end_of, integer_text, may, text, time_of

REPORTED = table("reported", "time", "seq")
DESIRED = table("desired", "time", "seq")
DAY = 86400.0

INVALID = (400, "100216")
_PAGE_NUMBER = may("pageNo", integer_text(0))
_COMMON = (may("deviceId", text()), may("gatewayId", text()), may("startTime", time_of), may("endTime", end_of))
REPORTED_PAGE = Shape(*_COMMON, _PAGE_NUMBER, may("pageSize", integer_text(1, 2000)), invalid=INVALID)
DESIRED_PAGE = Shape(
    *_COMMON,
    _PAGE_NUMBER,
    may("pageSize", integer_text(1, 250)),
    may("serviceId", text()),
    may("property", text()),
    invalid=INVALID,
)


@on("device_reported")
def keep_reported(platform: Platform, device: Row, service_id: str, data: Row, when: float) -> None:
    """Keep a report in the history."""
    _keep(platform, REPORTED, device, service_id, data, when)


@on("device_desired")
def keep_desired(platform: Platform, device: Row, service_id: str, desired: Row) -> None:
    """Keep a wish in the history."""
    _keep(platform, DESIRED, device, service_id, desired, platform.now())


def _keep(platform: Platform, name: str, device: Row, service_id: str, data: Row, when: float) -> None:
    days = _days(platform, device)
    if days == 0:
        return
    rows, device_id = platform.table(name), device["deviceId"]
    seq = platform.next_seq()
    row = {
        "deviceId": device_id,
        "gatewayId": device["gatewayId"],
        "appId": device["appId"],
        "serviceId": service_id,
        "data": data,
        "time": when,
        "seq": seq,
    }
    rows.put(str(seq), row)
    # Whoever adds also clears away, so that no history grows without bound and no timer has to walk over all.
    own = rows.where(deviceId=device_id)
    extra = len(own) - platform.settings.history_rows_a_device
    while (first := own.first()) is not None and (extra > 0 or first["time"] < platform.now() - days * DAY):
        rows.delete(str(first["seq"]))
        extra -= 1
        own = rows.where(deviceId=device_id)


def _days(platform: Platform, device: Row) -> int:
    days: int = device.get("dataAgingTime", platform.settings.history_days)
    return days


@on("device_deleted")
def forget(platform: Platform, device: Row) -> None:
    """Drop the history of a deleted device."""
    for name in (REPORTED, DESIRED):
        rows = platform.table(name)
        for row in rows.where(deviceId=device["deviceId"]):
            rows.delete(str(row["seq"]))


@route("1.5.3", "GET", "/iocm/app/data/v1.2.0/deviceDataHistory")
def query_reported(platform: Platform, call: Call) -> Answer:
    """Return a page of what a device, or the devices of a gateway, reported; the newest first."""
    given = REPORTED_PAGE.read_query(call.query)
    device = _device(platform, call, given)
    if device is None:
        raise Refusal(200, "100418")
    found = _select(platform, REPORTED, call, given, device)
    number, size = given.get("pageNo", 0), given.get("pageSize", 1)
    rows = found.slice(number * size, size, descending=True)
    return _page(len(found), number, size, "deviceDataHistoryDTOs", [_view(row, "data") for row in rows])


@route("1.5.4", "GET", "/iocm/app/shadow/v1.5.0/deviceDesiredHistory")
def query_desired(platform: Platform, call: Call) -> Answer:
    """Return a page of what was wished of a device, or of the devices of a gateway; the newest first."""
    given = DESIRED_PAGE.read_query(call.query)
    device = _device(platform, call, given)
    rows: list[Row] = []
    if device is not None:
        found = _select(platform, DESIRED, call, given, device)
        rows = found.slice(0, len(found), descending=True)
    if name := given.get("property"):
        rows = [row for row in rows if name in row["data"]]
    number, size = given.get("pageNo", 0), given.get("pageSize", 25)
    page = [_view(row, "desired") for row in rows[number * size : (number + 1) * size]]
    return _page(len(rows), number, size, "DeviceDesiredHistoryDTO", page)


def _device(platform: Platform, call: Call, given: dict[str, Any]) -> Row | None:
    device_id, gateway_id = given.get("deviceId"), given.get("gatewayId")
    if not device_id and not gateway_id:
        raise Refusal(400, "100419")
    device = devices.find(platform, device_id or gateway_id or "")
    if device is None or device["appId"] != call.app_id:
        return None
    return None if device_id and gateway_id and device["gatewayId"] != gateway_id else device


def _select(platform: Platform, name: str, call: Call, given: dict[str, Any], device: Row) -> Selection:
    which = {field: given[field] for field in ("deviceId", "gatewayId", "serviceId") if field in given}
    oldest = platform.now() - _days(platform, device) * DAY
    found = platform.table(name).where(appId=call.app_id, **which)
    return found.between(max(oldest, given.get("startTime", oldest)), given.get("endTime"))


def _view(row: Row, data: str) -> Row:
    names = ("serviceId", "deviceId", "gatewayId", "appId")
    return {**{name: row[name] for name in names}, data: row["data"], "timestamp": time_text(row["time"])}


def _page(total: int, number: int, size: int, name: str, page: list[Row]) -> Answer:
    # The real platform answers zeros where there is nothing at all.
    head = {"totalCount": total, "pageNo": number if total else 0, "pageSize": size if total else 0}
    return Answer(200, {**head, name: page})


_BOTH = {
    "100216": "a page, time or id has another form, or is out of range",
    "100419": "neither deviceId nor gatewayId",
}
CODES = {
    **codes("1.5.3", {**_BOTH, "100418": "the ids name no device of the application"}),
    **codes("1.5.4", _BOTH),
}
