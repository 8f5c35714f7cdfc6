"""Cancelling all cached commands of a device: 1.7.5 and 1.7.6."""

from __future__ import annotations

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.rules import devices
from tests.emulator.calling import Caller, code_of
from tests.emulator.scene import (
    CANCEL_TASKS,
    command,
    meter,
    response_fields,
    settle,
    status_of,
)


def create(app: Caller, device_id: str) -> str:
    answer = app.call("POST", CANCEL_TASKS, {"deviceId": device_id})
    assert answer.status == 201
    task_id: str = answer.body["taskId"]
    return task_id


def status(app: Caller, task_id: str) -> str:
    (row,) = app.call("GET", CANCEL_TASKS, taskId=task_id).body["data"]
    found: str = row["status"]
    return found


def test_a_task_waits_runs_and_revokes_what_was_pending(app: Caller) -> None:
    app.platform.settings.transitions = "timed"
    app.platform.settings.transition_delay = 5
    device_id = meter(app, "m")
    commands = [command(app, device_id) for _ in range(2)]
    answer = app.call("POST", CANCEL_TASKS, {"deviceId": device_id})
    assert answer.body.keys() == response_fields("1.7.5")
    assert (answer.body["status"], answer.body["totalCount"]) == ("WAITING", 2)
    assert [row["commandId"] for row in answer.body["deviceCommands"]] == commands
    seen = [answer.body["status"]]
    later = command(app, device_id)
    for _ in range(2):
        app.platform.advance(5)
        seen.append(status(app, answer.body["taskId"]))
    assert seen == ["WAITING", "RUNNING", "SUCCESS"]
    assert [status_of(app, each) for each in (*commands, later)] == ["CANCELED", "CANCELED", "PENDING"]


def test_a_task_that_comes_too_late_for_some_succeeds_in_part_and_for_all_fails(app: Caller) -> None:
    app.platform.settings.transitions = "manual"
    device_id = meter(app, "m")
    command(app, device_id)
    all_late = create(app, device_id)
    command(app, device_id)
    some_late = create(app, device_id)
    devices.set_online(app.platform, device_id)
    for _ in range(2):
        transitions.release(app.platform)
        settle(app.platform)
    assert (status(app, all_late), status(app, some_late)) == ("FAILED", "PART_SUCCESS")


def test_tasks_are_found_by_status_device_and_time(app: Caller, other: Caller) -> None:
    first, second = meter(app, "a"), meter(app, "b")
    early = create(app, first)
    settle(app.platform)
    app.platform.advance(100)
    middle = app.platform.now_text()
    late = create(app, second)
    body = app.call("GET", CANCEL_TASKS).body
    assert body.keys() == response_fields("1.7.6")
    assert [row["taskId"] for row in body["data"]] == [late, early]
    assert [row["taskId"] for row in app.call("GET", CANCEL_TASKS, deviceId=first).body["data"]] == [early]
    assert [row["taskId"] for row in app.call("GET", CANCEL_TASKS, startTime=middle).body["data"]] == [late]
    assert app.call("GET", CANCEL_TASKS, status="FAILED").body["pagination"]["totalSize"] == 0
    assert code_of(app.call("GET", CANCEL_TASKS, status="DONE")) == (400, "100022")
    assert code_of(app.call("GET", CANCEL_TASKS, deviceId="nobody")) == (200, "100418")
    assert other.call("GET", CANCEL_TASKS).body["data"] == []


def test_a_task_for_no_device_is_refused(app: Caller, other: Caller) -> None:
    assert code_of(app.call("POST", CANCEL_TASKS, {"deviceId": meter(other, "foreign")})) == (200, "100418")
    assert code_of(app.call("POST", CANCEL_TASKS, {})) == (400, "100022")
