"""Tasks that cancel all cached commands of a device."""

from __future__ import annotations

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import table, timer
from iot_northbound.emulator.rules import commands

CANCEL_TASKS = table("cancel_tasks", "created", "seq")


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
        command = platform.table(commands.COMMANDS)[command_id]
        if command["status"] == "PENDING":
            commands.end(platform, command, "CANCELED")
            cancelled += 1
    status = "PART_SUCCESS" if cancelled else "FAILED"
    if cancelled == len(row["commandIds"]):
        status = "SUCCESS"
    platform.table(CANCEL_TASKS).change(task_id, status=status)
