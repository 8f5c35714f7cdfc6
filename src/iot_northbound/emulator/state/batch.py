"""Batch tasks: one command to many devices (reference 1.8.1 to 1.8.3).

A task has one subtask a device. Its numbers are the lengths of indexes over the subtasks, so they always add up:
total = complete + open, complete = success + fail + timeout + expired.
"""

from __future__ import annotations

import json
from typing import Final

from iot_northbound.emulator.state import auth, command_flow, commands, transitions
from iot_northbound.emulator.state.batch_selection import INPUT, SELECTORS, select
from iot_northbound.emulator.state.clock import time_text
from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import on, route, table, timer
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.subscriptions import callback_url, hint_apart
from iot_northbound.emulator.state.values import (
    Shape,
    array,
    integer,
    may,
    must,
    one_of,
    structure,
    text,
)

TASKS = table("batch_tasks", "created", "seq")
DETAILS = table("batch_details")
TAGS = table("batch_tags")

CHUNK: Final = 100
"""How many subtasks start or end in one step, so that a large task does not hold up other calls."""
_STATUS: Final = {
    "SUCCESSFUL": "Success",
    "FAILED": "Fail",
    "CANCELED": "Fail",
    "TIMEOUT": "Timeout",
    "EXPIRED": "Expired",
}
"""A command's last status as its subtask's outcome. Expired subtasks are shown as Timeout and counted on their own."""

_EVERYWHERE = {
    "100203": "appId names an application that does not exist (403); the caller's own was removed (500)",
    "100217": "appId names an application that has not authorised the caller",
    "1010005": "no token, an expired one, one ended by a newer login, or a foreign app_key",
    "1010009": "flow control switched on and its calls a minute used up",
}
CODES: dict[tuple[str, str], str] = {
    **{(f"1.8.{n}", code): how for n in (1, 2, 3) for code, how in _EVERYWHERE.items()},
    ("1.8.1", "101001"): "a listed device or group does not exist, or no device matches",
    ("1.8.1", "105001"): "ten tasks of the application are unfinished",
    ("1.8.1", "105002"): "the application has a task of this name",
    ("1.8.1", "105201"): "another task of the application has this tag",
    ("1.8.1", "105202"): "groupTag is no group's id or name",
    ("1.8.1", "50400"): "a value breaks its rule, or the selector lacks a field that its type needs",
    ("1.8.1", "100028"): "fault: users and their rights have no counterpart here",
    ("1.8.1", "50252"): "fault: an internal failure",
    ("1.8.2", "100019"): "unreachable: the one mandatory parameter stands in the path",
    ("1.8.2", "100022"): "select is neither tags nor tag",
    ("1.8.2", "105005"): "no such task in this application",
    ("1.8.3", "100022"): "taskId is missing, or a status or page is out of its range",
    ("1.8.3", "105005"): "no such task in this application",
    ("1.8.3", "50252"): "fault: an internal failure",
}

_PARAM = structure(
    must("type", one_of(*SELECTORS)),
    may("deviceList", array(text(1, 64))),
    *[may(name, text(1, 256)) for name in ("deviceType", "manufacturerId", "model", "groupTag")],
    may("deviceLocation", text(1, 1024)),
    may("groupList", array(text(1, 64))),
    must("command", commands.COMMAND),
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
    """Create a task with a subtask for each device its selector finds now."""
    given = CREATE.read(call.body)
    app_id = auth.permitted(platform, call, given["appId"])
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
    given = QUERY.read_query(call.query)
    row = _task(platform, call.app_id, call.ids[0])
    numbers = progress(platform, row["taskId"])
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
    given = DETAIL_QUERY.read_query(call.query)
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


def progress(platform: Platform, task_id: str) -> dict[str, int]:
    """Return a task's numbers."""
    details = platform.table(DETAILS)
    counts = {
        f"{name.lower()}Cnt": len(details.where(taskId=task_id, outcome=name))
        for name in ("Success", "Fail", "Timeout", "Expired")
    }
    return {"totalCnt": len(details.where(taskId=task_id)), **counts, "completeCnt": sum(counts.values())}


@timer("batch.start")
def _start(platform: Platform, task_id: str) -> None:
    task = platform.table(TASKS).get(task_id)
    if task is None or not task["open"]:
        return
    if task["status"] == "Pending":
        task = platform.table(TASKS).change(task_id, status="Running")
    for detail in platform.table(DETAILS).where(taskId=task_id, status="Pending").slice(0, CHUNK):
        _start_one(platform, task, detail)
    if platform.table(DETAILS).where(taskId=task_id, status="Pending"):
        platform.after(0.0, "batch.start", task_id=task_id)


def _start_one(platform: Platform, task: Row, detail: Row) -> None:
    param = task["param"]
    try:
        commands.check(platform, task["appId"], detail["deviceId"], param["command"], immediate=False)
    except Refusal as refusal:
        error = json.dumps({"error_code": refusal.code, "error_desc": refusal.desc})
        platform.table(DETAILS).change(str(detail["seq"]), status="Fail", outcome="Fail", error=error)
        _close_if_complete(platform, task["taskId"])
        return
    command = command_flow.create(
        platform,
        task["appId"],
        detail["deviceId"],
        {"paras": {}, **param["command"]},
        callback_url=param.get("callbackUrl"),
        expire_time=task["timeout"],
        max_retransmit=param.get("maxRetransmit"),
        detail_id=str(detail["seq"]),
    )
    command_id = command["commandId"]
    platform.table(DETAILS).change(
        str(detail["seq"]), status="WaitResult", commandId=command_id, output=_output(command_id, None)
    )  # fmt: skip


@on("command_ended")
def command_ended(platform: Platform, command: Row) -> None:
    """Bring a command's end into the subtask it belongs to."""
    detail = platform.table(DETAILS).get(command["detailId"] or "")
    if detail is None or detail["outcome"] is not None:
        return
    outcome = _STATUS[command["status"]]
    error = None
    if outcome == "Fail":
        error = json.dumps({"error_code": None, "error_desc": f"the command ended as {command['status']}"})
    platform.table(DETAILS).change(
        str(detail["seq"]),
        status="Timeout" if outcome == "Expired" else outcome,
        outcome=outcome,
        output=_output(command["commandId"], command["result"]["resultDetail"]),
        error=error,
    )
    _close_if_complete(platform, detail["taskId"])


@timer("batch.timeout")
def _timeout(platform: Platform, task_id: str) -> None:
    task = platform.table(TASKS).get(task_id)
    if task is None or not task["open"]:
        return
    platform.table(TASKS).change(task_id, status="Timeout", open=False, timer=None)
    _end_open(platform, task_id)


@timer("batch.end_open")
def _end_open(platform: Platform, task_id: str) -> None:
    """End the subtasks of a task whose time is up, some in each step."""
    for detail in platform.table(DETAILS).where(taskId=task_id, outcome=None).slice(0, CHUNK):
        if detail["commandId"] is None:
            platform.table(DETAILS).change(str(detail["seq"]), status="Timeout", outcome="Expired")
            continue
        command = command_flow.commands(platform)[detail["commandId"]]
        command_flow.end(platform, command, "EXPIRED" if command["status"] == "PENDING" else "TIMEOUT")
    if platform.table(DETAILS).where(taskId=task_id, outcome=None):
        platform.after(0.0, "batch.end_open", task_id=task_id)


def _close_if_complete(platform: Platform, task_id: str) -> None:
    task = platform.table(TASKS)[task_id]
    if task["open"] and not platform.table(DETAILS).where(taskId=task_id, outcome=None):
        platform.cancel(task["timer"])
        platform.table(TASKS).change(task_id, status="Complete", open=False, timer=None)


def _task(platform: Platform, app_id: str, task_id: str) -> Row:
    row = platform.table(TASKS).get(task_id)
    if row is None or row["appId"] != app_id:
        raise Refusal(404, "105005")
    return row


def _output(command_id: str, result: Row | None) -> str:
    return json.dumps({"requestId": command_id, "commandResult": result})
