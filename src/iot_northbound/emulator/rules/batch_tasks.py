"""Batch tasks: one command to many devices.

A task has one subtask per device. Its numbers are the lengths of indexes over the subtasks, so they always add up:
total = complete + open, complete = success + fail + timeout + expired.
"""

from __future__ import annotations

import json
from typing import Final

from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on, table, timer
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import commands

TASKS = table("batch_tasks", "created", "seq")
DETAILS = table("batch_details")
TAGS = table("batch_tags")

CHUNK: Final = 100
"""How many subtasks start or end in one step, so that a large task does not delay other calls."""
_STATUS: Final = {
    "SUCCESSFUL": "Success",
    "FAILED": "Fail",
    "CANCELED": "Fail",
    "TIMEOUT": "Timeout",
    "EXPIRED": "Expired",
}
"""The outcome of a subtask by its command's last status. Expired ones are shown as Timeout and counted separately."""


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
    command = commands.create(
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
    """Note a command's end in its subtask."""
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
        command = platform.table(commands.COMMANDS)[detail["commandId"]]
        commands.end(platform, command, "EXPIRED" if command["status"] == "PENDING" else "TIMEOUT")
    if platform.table(DETAILS).where(taskId=task_id, outcome=None):
        platform.after(0.0, "batch.end_open", task_id=task_id)


def _close_if_complete(platform: Platform, task_id: str) -> None:
    task = platform.table(TASKS)[task_id]
    if task["open"] and not platform.table(DETAILS).where(taskId=task_id, outcome=None):
        platform.cancel(task["timer"])
        platform.table(TASKS).change(task_id, status="Complete", open=False, timer=None)


def _output(command_id: str, result: Row | None) -> str:
    return json.dumps({"requestId": command_id, "commandResult": result})
