"""Tasks that revoke all cached commands of a device (reference 1.7.5 and 1.7.6)."""

from __future__ import annotations

from iot_northbound.emulator.state import command_flow, commands, transitions
from iot_northbound.emulator.state.kernel import Answer, Call, Platform
from iot_northbound.emulator.state.routing import route, table, timer
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.values import Shape, integer, may, must, one_of, text, time_of

CANCEL_TASKS = table("cancel_tasks", "created", "seq")
STATUSES = ("WAITING", "RUNNING", "SUCCESS", "FAILED", "PART_SUCCESS")

CODES: dict[tuple[str, str], str] = {
    **{(section, code): how for section in ("1.7.5", "1.7.6") for code, how in commands.EVERYWHERE.items()},
    ("1.7.5", "100022"): "deviceId missing or too long",
    ("1.7.5", "100418"): "no such device in this application",
    ("1.7.6", "100022"): "a page, status or time is out of its range, or endTime before startTime",
    ("1.7.6", "100418"): "deviceId names no device of this application",
}

CREATE = Shape(must("deviceId", text(1, 64)), invalid=commands.INPUT)
QUERY = Shape(
    may("pageNo", integer(0)),
    may("pageSize", integer(1, commands.PAGE_LIMIT)),
    may("taskId", text(1, 64)),
    may("deviceId", text(1, 64)),
    may("status", one_of(*STATUSES)),
    may("startTime", time_of),
    may("endTime", time_of),
    invalid=commands.INPUT,
)


@route("1.7.5", "POST", "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks", removed_app=(403, "100203"))
def create(platform: Platform, call: Call) -> Answer:
    """Create a task for the commands that are PENDING now; it runs as the setting `transitions` says."""
    device_id = CREATE.read(call.body)["deviceId"]
    commands.own_device(platform, call.app_id, device_id)
    waiting = command_flow.commands(platform).where(deviceId=device_id, status="PENDING")
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
    """Return a page of revocation tasks, newest first."""
    given = QUERY.read_query(call.query)
    if "deviceId" in given:
        commands.own_device(platform, call.app_id, given["deviceId"])
    equal = {name: given[name] for name in ("taskId", "deviceId", "status") if name in given}
    found = commands.in_window(platform.table(CANCEL_TASKS).where(appId=call.app_id, **equal), given)
    return Answer(200, commands.page(found, given, lambda row: public(platform, row)))


def public(platform: Platform, row: Row) -> Row:
    """Return a task as the platform answers it, with its commands as they are now."""
    known = command_flow.commands(platform)
    return {
        **{name: row[name] for name in ("taskId", "appId", "deviceId", "status")},
        "totalCount": len(row["commandIds"]),
        "deviceCommands": [commands.public(known[command_id]) for command_id in row["commandIds"]],
    }


@timer("cancel_task.start")
def _start(platform: Platform, task_id: str) -> None:
    if task_id in platform.table(CANCEL_TASKS):
        platform.table(CANCEL_TASKS).change(task_id, status="RUNNING")
        transitions.later(platform, platform.settings.transition_delay, "cancel_task.run", task_id=task_id)


@timer("cancel_task.run")
def _run(platform: Platform, task_id: str) -> None:
    row = platform.table(CANCEL_TASKS).get(task_id)
    if row is None:
        return
    cancelled = 0
    for command_id in row["commandIds"]:
        command = command_flow.commands(platform)[command_id]
        if command["status"] == "PENDING":
            command_flow.end(platform, command, "CANCELED")
            cancelled += 1
    status = "PART_SUCCESS" if cancelled else "FAILED"
    if cancelled == len(row["commandIds"]):
        status = "SUCCESS"
    platform.table(CANCEL_TASKS).change(task_id, status=status)
