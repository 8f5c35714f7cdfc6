"""Creating, querying and cancelling commands (reference 1.7.1 to 1.7.3)."""

from __future__ import annotations

from typing import Any, Final

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, on, route
from iot_northbound.emulator.kernel.store import Row, Selection
from iot_northbound.emulator.kernel.values import (
    Shape,
    integer,
    json_object,
    may,
    must,
    one_of,
    refuse,
    structure,
    text,
    time_of,
)
from iot_northbound.emulator.rules import admission, commands
from iot_northbound.emulator.rules.subscriptions import callback_url, hint_apart

PAGE_LIMIT = 1000
_APPLICATION: Final[dict[str, Any]] = {"app_status": 200, "removed_app": (200, "100203")}
"""How 1.7.1 to 1.7.3 refuse another application."""


COMMAND = structure(must("serviceId", text(1, 64)), must("method", text(1, 128)), may("paras", json_object))
"""The CommandDTO structure. `paras` may be absent: some commands have no parameters."""
CREATE = Shape(
    must("deviceId", text(1, 64)),
    must("command", COMMAND),
    may("callbackUrl", callback_url),
    may("expireTime", integer(0, 2**31 - 1)),
    may("maxRetransmit", integer(0, 3)),
    invalid=commands.INPUT,
)
QUERY = Shape(
    may("pageNo", integer(0)),
    may("pageSize", integer(1, PAGE_LIMIT)),
    may("deviceId", text(1, 64)),
    may("startTime", time_of),
    may("endTime", time_of),
    invalid=commands.INPUT,
)
UPDATE = Shape(must("status", one_of("CANCELED")), invalid=commands.INPUT)

_PUBLIC = (
    "commandId",
    "appId",
    "deviceId",
    "command",
    "callbackUrl",
    "expireTime",
    "status",
    "result",
    "creationTime",
    "executeTime",
    "platformIssuedTime",
    "deliveredTime",
    "issuedTimes",
    "maxRetransmit",
)


def public(row: Row) -> Row:
    """Return a command as the platform answers it (DeviceCommandResp)."""
    return {name: row[name] for name in _PUBLIC}


@route("1.7.1", "POST", "/iocm/app/cmd/v1.4.0/deviceCommands", **_APPLICATION)
def create(platform: Platform, call: Call) -> Answer:
    """Create a command, for immediate or for cached delivery."""
    given = CREATE.read(call.body)
    expire_time = given.get("expireTime")
    commands.check(platform, call.app_id, given["deviceId"], given["command"], immediate=expire_time == 0)
    row = commands.create(
        platform,
        call.app_id,
        given["deviceId"],
        {"paras": {}, **given["command"]},
        callback_url=given.get("callbackUrl"),
        expire_time=expire_time,
        max_retransmit=given.get("maxRetransmit"),
    )
    if row["callbackUrl"]:
        hint_apart(platform, call.app_id, row["callbackUrl"])
    answer = public(row)
    del answer["result"]
    return Answer(201, answer)


@route("1.7.2", "GET", "/iocm/app/cmd/v1.4.0/deviceCommands", **_APPLICATION)
def query(platform: Platform, call: Call) -> Answer:
    """Return a page of commands, newest first, of an application or one of its devices."""
    given = QUERY.read_query(call.query)
    equal = {"appId": call.app_id}
    if "deviceId" in given:
        commands.own_device(platform, call.app_id, given["deviceId"])
        equal["deviceId"] = given["deviceId"]
    found = in_window(platform.table(commands.COMMANDS).where(**equal), given)
    return Answer(200, page(found, given, public))


@route("1.7.3", "PUT", "/iocm/app/cmd/v1.4.0/deviceCommands/{deviceCommandId}", **_APPLICATION)
def update(platform: Platform, call: Call) -> Answer:
    """Cancel a command that is still PENDING."""
    UPDATE.read(call.body)
    row = platform.table(commands.COMMANDS).get(call.ids[0])
    if row is None or row["appId"] != call.app_id:
        raise Refusal(200, "100434")
    if row["status"] != "PENDING":
        raise Refusal(200, "100435")
    return Answer(200, public(commands.end(platform, row, "CANCELED")))


def in_window(found: Selection, given: Row) -> Selection:
    """Return the part of a selection that was created from startTime to endTime.

    Raises:
        Refusal: endTime is before startTime.
    """
    start, end = given.get("startTime"), given.get("endTime")
    if start is not None and end is not None and end < start:
        raise refuse(commands.INPUT, "endTime is before startTime")
    # Times in answers are whole seconds, so the window includes its last second.
    return found.between(start, None if end is None else end + 0.999999)


def page(found: Selection, given: Row, shown: Any) -> Row:
    """Return a page, newest first, in the form of 1.7.2 and 1.7.6."""
    page_no, page_size = given.get("pageNo", 0), given.get("pageSize", PAGE_LIMIT)
    rows = found.slice(page_no * page_size, page_size, descending=True)
    return {
        "pagination": {"pageNo": page_no, "pageSize": page_size, "totalSize": len(found)},
        "data": [shown(row) for row in rows],
    }


@on("device_listens")
@on("device_heard")
def send_waiting(platform: Platform, device: Row) -> None:
    """Send the commands that wait for a device that has just sent something: even a sleeping device listens now.

    A real device listens once it has subscribed.
    """
    commands.pump(platform, device["deviceId"])


@on("device_deleted")
def end_open(platform: Platform, device: Row) -> None:
    """End the open commands of a deleted device."""
    commands.end_all(platform, device["deviceId"])


COMMON_CODES = {
    **admission.TOKEN,
    **admission.APPLICATION,
    "100001": "fault: an internal failure",
    "100220": "fault: the gateway refuses a call without app_key before it gets here",
    "100501": "fault: the network towards the devices is congested",
}
"""How the codes of all endpoints of the command service are reached, those of 1.7.5 and 1.7.6 included."""
_NO_DEVICE = {"100418": "no such device in this application"}
_STORED = "unreachable: the call is about a stored command, whose device and service were checked at its creation"
CODES = {
    **codes(
        ("1.7.1", "1.7.2", "1.7.3"),
        COMMON_CODES,
        {
            "100023": "fault: a database inside the platform",
            "101016": "fault: an address service inside the platform",
            "101017": "fault: an object store inside the platform",
        },
    ),
    **codes(
        "1.7.1",
        _NO_DEVICE,
        {
            "100022": "a value breaks its rule, or the model has no such command or parameter",
            "100223": "the device has 20 commands in status PENDING",
            "100428": "immediate delivery to a device that is not online",
            "100431": "the device has no product model, or the model has no such service",
            "100612": "the device has been silent for more than seven days",
        },
    ),
    **codes(
        "1.7.2",
        _NO_DEVICE,
        {
            "100022": "a page or time is out of its range, or endTime is before startTime",
            "100428": _STORED,
            "100431": _STORED,
        },
    ),
    **codes(
        "1.7.3",
        {
            "100022": "status is missing or not CANCELED",
            "100418": _STORED,
            "100428": _STORED,
            "100431": _STORED,
            "100434": "no such command in this application",
            "100435": "the command is no longer PENDING",
        },
    ),
}
