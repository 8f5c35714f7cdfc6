"""Querying the history of devices (reference 1.5.3, 1.5.4)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row, Selection
from iot_northbound.emulator.kernel.values import Shape, end_of, integer, may, text, time_of
from iot_northbound.emulator.rules import admission, devices, history
from iot_northbound.emulator.rules.history import DAY, DESIRED, REPORTED

INVALID = (400, "100216")

MOST_REPORTED, MOST_DESIRED = 2000, 250
"""How many records a page has at most."""


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
    oldest = platform.now() - history.days_kept(platform, device) * DAY
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
    # The real platform answers zeros if it finds no record.
    head = {"totalCount": total, "pageNo": number if total else 0, "pageSize": size if total else 0}
    return Answer(200, {**head, records: [_view(row, data) for row in rows]})


def _view(row: Row, data: str) -> Row:
    names = ("serviceId", "deviceId", "gatewayId", "appId")
    return {**{name: row[name] for name in names}, data: row["data"], "timestamp": time_text(row["time"])}


CODES = {
    **codes(
        ("1.5.3", "1.5.4"),
        admission.GUARDED,
        {
            "100216": "a page, time or id has another form, or is out of range",
            "100419": "neither deviceId nor gatewayId",
        },
    ),
    **codes("1.5.3", {"100418": "the ids name no device of the application"}),
}
