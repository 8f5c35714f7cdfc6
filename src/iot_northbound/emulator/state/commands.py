"""Commands to devices: creating, querying and cancelling them (reference 1.7.1 to 1.7.3); their life: command_flow."""

from __future__ import annotations

from typing import Any, Final

from iot_northbound.emulator.state import command_flow, devices, models, protocols
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import on, route
from iot_northbound.emulator.state.store import Row, Selection
from iot_northbound.emulator.state.subscriptions import callback_url, hint_apart
from iot_northbound.emulator.state.values import (
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

INPUT = (400, "100022")
PAGE_LIMIT = 1000
_APPLICATION: Final[dict[str, Any]] = {"app_status": 200, "removed_app": (200, "100203")}
"""With which status 1.7.1 to 1.7.3 refuse another application."""

EVERYWHERE = {
    "100203": "appId names an application that does not exist",
    "100217": "appId names an application that has not authorised the caller",
    "100001": "fault: an internal failure",
    "100220": "fault: the gateway turns a call without app_key away before it gets here",
    "100501": "fault: congestion of the network towards the devices",
    "1010005": "no token, an expired one, one ended by a newer login, or a foreign app_key",
    "1010009": "flow control switched on and its calls a minute used up",
}
"""What holds for every endpoint of the command service, 1.7.5 and 1.7.6 included."""
_INSIDE = {
    "100023": "fault: a database inside the platform",
    "101016": "fault: an address service inside the platform",
    "101017": "fault: an object store inside the platform",
}
_STORED = "unreachable: what is asked for is a stored command, whose device and service were checked at its creation"
CODES: dict[tuple[str, str], str] = {
    **{(f"1.7.{n}", code): how for n in (1, 2, 3) for code, how in (EVERYWHERE | _INSIDE).items()},
    ("1.7.1", "100022"): "a value breaks its rule, or the model has no such command or parameter",
    ("1.7.1", "100223"): "the device has 20 commands in status PENDING",
    ("1.7.1", "100418"): "no such device in this application",
    ("1.7.1", "100428"): "immediate delivery to a device that is not online",
    ("1.7.1", "100431"): "the device has no product model, or the model has no such service",
    ("1.7.1", "100612"): "the device has been silent for more than seven days",
    ("1.7.2", "100022"): "a page or time is out of its range, or endTime before startTime",
    ("1.7.2", "100418"): "deviceId names no device of this application",
    ("1.7.2", "100428"): _STORED,
    ("1.7.2", "100431"): _STORED,
    ("1.7.3", "100022"): "status is missing or not CANCELED",
    ("1.7.3", "100418"): _STORED,
    ("1.7.3", "100428"): _STORED,
    ("1.7.3", "100431"): _STORED,
    ("1.7.3", "100434"): "no such command in this application",
    ("1.7.3", "100435"): "the command is no longer PENDING",
}

COMMAND = structure(must("serviceId", text(1, 64)), must("method", text(1, 128)), may("paras", json_object))
"""The CommandDTO structure. `paras` may be absent: there are commands without parameters."""
CREATE = Shape(
    must("deviceId", text(1, 64)),
    must("command", COMMAND),
    may("callbackUrl", callback_url),
    may("expireTime", integer(0, 2**31 - 1)),
    may("maxRetransmit", integer(0, 3)),
    invalid=INPUT,
)
QUERY = Shape(
    may("pageNo", integer(0)),
    may("pageSize", integer(1, PAGE_LIMIT)),
    may("deviceId", text(1, 64)),
    may("startTime", time_of),
    may("endTime", time_of),
    invalid=INPUT,
)
UPDATE = Shape(must("status", one_of("CANCELED")), invalid=INPUT)

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


def own_device(platform: Platform, app_id: str, device_id: str) -> Row:
    """Return an application's device.

    Raises:
        Refusal: 200 100418, there is none.
    """
    device = devices.find(platform, device_id)
    if device is None or device["appId"] != app_id:
        raise Refusal(200, "100418")
    return device


def check(platform: Platform, app_id: str, device_id: str, command: Row, *, immediate: bool) -> Row:
    """Return the device of a command that may be created.

    Raises:
        Refusal: With the code of 1.7.1 that says what stands against it.
    """
    device = own_device(platform, app_id, device_id)
    model = models.of_device(platform, device)
    if model is None or models.find_service(model, command["serviceId"]) is None:
        raise Refusal(200, "100431")
    known = models.find_command(model, command["serviceId"], command["method"])
    if known is None:
        names = models.command_names(model, command["serviceId"])
        raise refuse(
            INPUT,
            f"service {command['serviceId']} has no command {command['method']}; it has {', '.join(names) or 'none'}",
        )
    fault = next(models.faults_in(known.get("paras", []), command.get("paras", {})), None)
    if fault is not None:
        raise refuse(INPUT, f"paras: {fault}")
    # A device that has never been heard may still be on its way to its place: commands wait for it.
    if platform.now() - device.get("heard", platform.now()) > platform.settings.zombie_after:
        raise Refusal(403, "100612")
    if immediate and not devices.is_online(device):
        raise Refusal(200, "100428")
    if not immediate and command_flow.pending_count(platform, device_id) >= platform.settings.pending_commands_a_device:
        raise Refusal(400, "100223")
    protocols.hint(platform, device, "1.7.1")
    return device


@route("1.7.1", "POST", "/iocm/app/cmd/v1.4.0/deviceCommands", **_APPLICATION)
def create(platform: Platform, call: Call) -> Answer:
    """Create a command, for immediate or for cached delivery."""
    given = CREATE.read(call.body)
    expire_time = given.get("expireTime")
    check(platform, call.app_id, given["deviceId"], given["command"], immediate=expire_time == 0)
    row = command_flow.create(
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
        own_device(platform, call.app_id, given["deviceId"])
        equal["deviceId"] = given["deviceId"]
    found = in_window(command_flow.commands(platform).where(**equal), given)
    return Answer(200, page(found, given, public))


@route("1.7.3", "PUT", "/iocm/app/cmd/v1.4.0/deviceCommands/{deviceCommandId}", **_APPLICATION)
def update(platform: Platform, call: Call) -> Answer:
    """Cancel a command that is still PENDING."""
    UPDATE.read(call.body)
    row = command_flow.commands(platform).get(call.ids[0])
    if row is None or row["appId"] != call.app_id:
        raise Refusal(200, "100434")
    if row["status"] != "PENDING":
        raise Refusal(200, "100435")
    return Answer(200, public(command_flow.end(platform, row, "CANCELED")))


def in_window(found: Selection, given: Row) -> Selection:
    """Return the part of a selection that was created from startTime to endTime.

    Raises:
        Refusal: endTime is before startTime.
    """
    start, end = given.get("startTime"), given.get("endTime")
    if start is not None and end is not None and end < start:
        raise refuse(INPUT, "endTime is before startTime")
    # Times in answers are whole seconds, so the last second belongs to the window as a whole.
    return found.between(start, None if end is None else end + 0.999999)


def page(found: Selection, given: Row, shown: Any) -> Row:
    """Return a page, newest first, in the form of 1.7.2 and 1.7.6."""
    page_no, page_size = given.get("pageNo", 0), given.get("pageSize", PAGE_LIMIT)
    rows = found.slice(page_no * page_size, page_size, descending=True)
    return {
        "pagination": {"pageNo": page_no, "pageSize": page_size, "totalSize": len(found)},
        "data": [shown(row) for row in rows],
    }


@on("device_heard")
def send_waiting(platform: Platform, device: Row) -> None:
    """Send what waits for a device that has said something: even one that sleeps listens now."""
    command_flow.pump(platform, device["deviceId"])


@on("device_deleted")
def end_open(platform: Platform, device: Row) -> None:
    """End the open commands of a deleted device."""
    command_flow.end_all(platform, device["deviceId"])
