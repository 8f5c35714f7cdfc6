"""Creating and querying batch tasks (reference 1.8.1 to 1.8.3)."""

from __future__ import annotations

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import (
    Shape,
    array,
    integer,
    may,
    must,
    one_of,
    structure,
    text,
)
from iot_northbound.emulator.rules import admission, applications, batch_tasks, command_calls, commands
from iot_northbound.emulator.rules.batch_selection import INPUT, SELECTORS, select
from iot_northbound.emulator.rules.batch_tasks import DETAILS, TAGS, TASKS
from iot_northbound.emulator.rules.subscriptions import callback_url, hint_apart

_PARAM = structure(
    must("type", one_of(*SELECTORS)),
    may("deviceList", array(text(1, 64))),
    *[may(name, text(1, 256)) for name in ("deviceType", "manufacturerId", "model", "groupTag")],
    may("deviceLocation", text(1, 1024)),
    may("groupList", array(text(1, 64))),
    must("command", command_calls.COMMAND),
    may("callbackUrl", callback_url),
    may("maxRetransmit", integer(0, 3)),
)

CREATE = Shape(
    must("appId", text(1, 64)),
    must("taskName", text(1, 256)),
    must("taskType", one_of("DeviceCmd")),
    must("timeout", integer(10, 2880)),
    must("param", _PARAM),
    may("tags", array(structure(must("tagName", text(1, 128)), must("tagValue", text(1, 1024))))),
    invalid=INPUT,
)

QUERY = Shape(may("select", one_of("tags", "tag")), invalid=commands.INPUT)

DETAIL_QUERY = Shape(
    must("taskId", text(1, 64)),
    may("status", one_of("Pending", "WaitResult", "Success", "Fail", "Timeout")),
    may("deviceId", text(1, 64)),
    may("commandId", text(1, 64)),
    may("pageNo", integer(0)),
    may("pageSize", integer(1, 250)),
    invalid=commands.INPUT,
)


@route("1.8.1", "POST", "/iocm/app/batchtask/v1.1.0/tasks")
def create(platform: Platform, call: Call) -> Answer:
    """Create a task with a subtask for each device that its selector finds now."""
    given = CREATE.read(call.body)
    app_id = applications.permitted(platform, call, given["appId"])
    tasks = platform.table(TASKS)
    if len(tasks.where(appId=app_id, open=True)) >= platform.settings.unfinished_batch_tasks:
        raise Refusal(200, "105001")
    if tasks.where(appId=app_id, taskName=given["taskName"]):
        raise Refusal(200, "105002")
    tags = given.get("tags", [])
    for tag in tags:
        if platform.table(TAGS).where(appId=app_id, **tag):
            raise Refusal(400, "105201")
    device_ids = select(platform, app_id, given["param"])
    task_id = platform.ids.hex(24)
    for tag in tags:
        seq = platform.next_seq()
        platform.table(TAGS).put(str(seq), {"appId": app_id, "taskId": task_id, "seq": seq, **tag})
    tasks.put(
        task_id,
        {
            "taskId": task_id,
            "appId": app_id,
            "taskName": given["taskName"],
            "taskType": given["taskType"],
            "operator": call.caller,
            "status": "Pending",
            "open": True,
            "timeout": given["timeout"] * 60,
            "param": given["param"],
            "tags": tags,
            "created": platform.now(),
            "seq": platform.next_seq(),
            "timer": platform.after(given["timeout"] * 60.0, "batch.timeout", task_id=task_id),
        },
    )
    for device_id in device_ids:
        seq = platform.next_seq()
        detail: Row = {
            "taskId": task_id,
            "deviceId": device_id,
            "commandId": None,
            "status": "Pending",
            "outcome": None,
            "output": None,
            "error": None,
            "seq": seq,
        }
        platform.table(DETAILS).put(str(seq), detail)
    transitions.later(platform, platform.settings.transition_delay, "batch.start", task_id=task_id)
    if (url := given["param"].get("callbackUrl")) is not None:
        hint_apart(platform, app_id, url)
    return Answer(200, {"taskID": task_id})


@route("1.8.2", "GET", "/iocm/app/batchtask/v1.1.0/tasks/{taskId}")
def query(platform: Platform, call: Call) -> Answer:
    """Return a task with its progress."""
    given = QUERY.read(call.query)
    row = _task(platform, call.app_id, call.ids[0])
    numbers = batch_tasks.progress(platform, row["taskId"])
    total, complete = numbers["totalCnt"], numbers["completeCnt"]
    names = ("taskId", "taskName", "appId", "operator", "taskType", "status", "timeout", "param")
    answer = {
        **{name: row[name] for name in names},
        "taskFrom": "Northbound",
        "startTime": time_text(row["created"]),
        "progress": complete * 1000 // total,
        "successRate": numbers["successCnt"] * 1000 // total,
        **numbers,
    }
    return Answer(200, answer | ({"tags": row["tags"]} if "select" in given else {}))


@route("1.8.3", "GET", "/iocm/app/batchtask/v1.1.0/taskDetails")
def query_details(platform: Platform, call: Call) -> Answer:
    """Return a page of a task's subtasks, in the order of the selection."""
    given = DETAIL_QUERY.read(call.query)
    _task(platform, call.app_id, given["taskId"])
    equal = {name: given[name] for name in ("status", "deviceId", "commandId") if name in given}
    found = platform.table(DETAILS).where(taskId=given["taskId"], **equal)
    page_no, page_size = given.get("pageNo", 0), given.get("pageSize", 25)
    details = [
        {
            "status": row["status"],
            "output": row["output"],
            "error": row["error"],
            "param": {"deviceId": row["deviceId"], "commandId": row["commandId"]},
        }
        for row in found.slice(page_no * page_size, page_size)
    ]
    return Answer(
        200, {"pageNo": page_no, "pageSize": page_size, "totalCount": len(found), "taskDetails": details}
    )  # fmt: skip


def _task(platform: Platform, app_id: str, task_id: str) -> Row:
    row = platform.table(TASKS).get(task_id)
    if row is None or row["appId"] != app_id:
        raise Refusal(404, "105005")
    return row


_NO_TASK = {"105005": "no such task in this application"}
CODES = {
    **codes(("1.8.1", "1.8.2", "1.8.3"), admission.TOKEN, admission.APPLICATION),
    **codes(("1.8.1", "1.8.3"), admission.INTERNAL),
    **codes(
        "1.8.1",
        {
            "100028": "fault: the emulator has no users and no rights of users",
            "101001": "a listed device or group does not exist, or no device matches",
            "105001": "ten tasks of the application are unfinished",
            "105002": "the application has a task of this name",
            "105201": "another task of the application has this tag",
            "105202": "groupTag is not the id or name of a group",
            "50400": "a value breaks its rule, or the selector lacks a field that its type needs",
        },
    ),
    **codes(
        "1.8.2",
        _NO_TASK,
        {
            "100019": "unreachable: the one mandatory parameter is part of the path",
            "100022": "select is neither tags nor tag",
        },
    ),
    **codes("1.8.3", _NO_TASK, {"100022": "taskId is missing, or a status or page is out of its range"}),
}
