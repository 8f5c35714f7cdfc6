"""Creating and querying tasks that cancel commands (reference 1.7.5, 1.7.6)."""

from __future__ import annotations

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.calls import Answer, Call
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Shape, integer, may, must, one_of, text, time_of
from iot_northbound.emulator.rules import command_calls, commands
from iot_northbound.emulator.rules.cancel_tasks import CANCEL_TASKS

STATUSES = ("WAITING", "RUNNING", "SUCCESS", "FAILED", "PART_SUCCESS")


CREATE = Shape(must("deviceId", text(1, 64)), invalid=commands.INPUT)

QUERY = Shape(
    may("pageNo", integer(0)),
    may("pageSize", integer(1, command_calls.PAGE_LIMIT)),
    may("taskId", text(1, 64)),
    may("deviceId", text(1, 64)),
    may("status", one_of(*STATUSES)),
    may("startTime", time_of),
    may("endTime", time_of),
    invalid=commands.INPUT,
)


@route("1.7.5", "POST", "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks", removed_app=(403, "100203"))
def create(platform: Platform, call: Call) -> Answer:
    """Create a task for the commands that are PENDING now; it runs when the setting `transitions` says."""
    device_id = CREATE.read(call.body)["deviceId"]
    commands.own_device(platform, call.app_id, device_id)
    waiting = platform.table(commands.COMMANDS).where(deviceId=device_id, status="PENDING")
    task_id = platform.ids.hex(32)
    row: Row = {
        "taskId": task_id,
        "appId": call.app_id,
        "deviceId": device_id,
        "status": "WAITING",
        "commandIds": waiting.keys(),
        "created": platform.now(),
        "seq": platform.next_seq(),
    }
    platform.table(CANCEL_TASKS).put(task_id, row)
    transitions.later(platform, platform.settings.transition_delay, "cancel_task.start", task_id=task_id)
    return Answer(201, public(platform, row))


@route("1.7.6", "GET", "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks", removed_app=(403, "100203"))
def query(platform: Platform, call: Call) -> Answer:
    """Return a page of these tasks, newest first."""
    given = QUERY.read(call.query)
    if "deviceId" in given:
        commands.own_device(platform, call.app_id, given["deviceId"])
    equal = {name: given[name] for name in ("taskId", "deviceId", "status") if name in given}
    found = command_calls.in_window(platform.table(CANCEL_TASKS).where(appId=call.app_id, **equal), given)
    return Answer(200, command_calls.page(found, given, lambda row: public(platform, row)))


def public(platform: Platform, row: Row) -> Row:
    """Return a task as the platform answers it, with its commands as they are now."""
    known = platform.table(commands.COMMANDS)
    return {
        **{name: row[name] for name in ("taskId", "appId", "deviceId", "status")},
        "totalCount": len(row["commandIds"]),
        "deviceCommands": [command_calls.public(known[command_id]) for command_id in row["commandIds"]],
    }


CODES = {
    **codes(("1.7.5", "1.7.6"), command_calls.COMMON_CODES, {"100418": "no such device in this application"}),
    **codes("1.7.5", {"100022": "deviceId is missing or too long"}),
    **codes("1.7.6", {"100022": "a page, status or time is out of its range, or endTime is before startTime"}),
}
