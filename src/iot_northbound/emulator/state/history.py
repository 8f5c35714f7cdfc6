"""What devices reported and what was wished of them, over time (reference 1.5.3, 1.5.4)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.state import devices
from iot_northbound.emulator.state.clock import time_text
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import codes, on, route, table
from iot_northbound.emulator.state.store import Row, Selection
from iot_northbound.emulator.state.values import Shape, end_of, integer, may, text, time_of

REPORTED = table("reported", "time", "seq")
DESIRED = table("desired", "time", "seq")
DAY = 86400.0

INVALID = (400, "100216")
MOST_REPORTED, MOST_DESIRED = 2000, 250
"""How many records a page holds at most."""


def _page_of(most: int) -> Shape:
    return Shape(
        may("deviceId", text()),
        may("gatewayId", text()),
        # Chapter 1 lists these two for 1.5.4 alone; the chapters of the SDKs (2.3.8.3) for both.
        may("serviceId", text()),
        may("property", text()),
        may("startTime", time_of),
        may("endTime", end_of),
        may("pageNo", integer(0)),
        may("pageSize", integer(1, most)),
        invalid=INVALID,
    )


REPORTED_PAGE, DESIRED_PAGE = _page_of(MOST_REPORTED), _page_of(MOST_DESIRED)


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


@on("device_regrouped")
def follow(platform: Platform, device: Row) -> None:
    """Let the history of a device that has another gateway now, or none, be found under that one."""
    for name in (REPORTED, DESIRED):
        rows = platform.table(name)
        for row in list(rows.where(deviceId=device["deviceId"])):
            rows.change(str(row["seq"]), gatewayId=device["gatewayId"])


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
    given = {"pageSize": 1, **REPORTED_PAGE.read_query(call.query)}
    device = _device(platform, call, given)
    if device is None:
        raise Refusal(200, "100418")
    return _page(platform, call, given, REPORTED, device, ("deviceDataHistoryDTOs", "data"))


@route("1.5.4", "GET", "/iocm/app/shadow/v1.5.0/deviceDesiredHistory")
def query_desired(platform: Platform, call: Call) -> Answer:
    """Return a page of what was desired of a device, or of the devices of a gateway; the newest first."""
    given = {"pageSize": 25, **DESIRED_PAGE.read_query(call.query)}
    device = _device(platform, call, given)
    return _page(platform, call, given, DESIRED, device, ("DeviceDesiredHistoryDTO", "desired"))


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


def _page(
    platform: Platform, call: Call, given: dict[str, Any], table_name: str, device: Row | None, names: tuple[str, str]
) -> Answer:
    number, size = given.get("pageNo", 0), given["pageSize"]
    rows: list[Row] = []
    total = 0
    if device is not None:
        found = _select(platform, table_name, call, given, device)
        if name := given.get("property"):
            having = [row for row in found.slice(0, len(found), descending=True) if name in row["data"]]
            total, rows = len(having), having[number * size : (number + 1) * size]
        else:
            total, rows = len(found), found.slice(number * size, size, descending=True)
    records, data = names
    # The real platform answers zeros where there is nothing at all.
    head = {"totalCount": total, "pageNo": number if total else 0, "pageSize": size if total else 0}
    return Answer(200, {**head, records: [_view(row, data) for row in rows]})


def _view(row: Row, data: str) -> Row:
    names = ("serviceId", "deviceId", "gatewayId", "appId")
    return {**{name: row[name] for name in names}, data: row["data"], "timestamp": time_text(row["time"])}


_BOTH = {
    "100216": "a page, time or id has another form, or is out of range",
    "100419": "neither deviceId nor gatewayId",
}
CODES = {
    **codes("1.5.3", {**_BOTH, "100418": "the ids name no device of the application"}),
    **codes("1.5.4", _BOTH),
}
