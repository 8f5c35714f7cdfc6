"""Batch tasks: 1.8.1 to 1.8.3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iot_northbound.emulator.rules import batch_tasks, commands, devices, scripts
from tests.emulator.calling import Caller, code_of
from tests.emulator.scene import (
    CALLBACK,
    COMMANDS,
    DEVICES,
    OPEN_VALVE,
    TASK_DETAILS,
    TASKS,
    command,
    group,
    meter,
    pushed,
    response_fields,
    settle,
    subscribe,
)

METER = {"deviceType": "WaterMeter", "manufacturerId": "HYDRALIS", "model": "HM20"}


def body_of(app: Caller, name: str = "task", **param: Any) -> dict[str, Any]:
    return {
        "appId": app.app_id,
        "taskName": name,
        "taskType": "DeviceCmd",
        "timeout": 10,
        "param": {"type": "Broadcast", "command": OPEN_VALVE, **param},
    }


def create(app: Caller, name: str = "task", **param: Any) -> str:
    answer = app.call("POST", TASKS, body_of(app, name, **param))
    assert answer.status == 200, answer
    assert "taskID" in answer.body, answer
    settle(app.platform)
    task_id: str = answer.body["taskID"]
    return task_id


def task(app: Caller, task_id: str, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = app.call("GET", f"{TASKS}/{task_id}", **query).body
    assert found["completeCnt"] == sum(found[f"{name}Cnt"] for name in ("success", "fail", "timeout", "expired"))
    assert found["progress"] == found["completeCnt"] * 1000 // found["totalCnt"]
    return found


def details(app: Caller, task_id: str, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = app.call("GET", TASK_DETAILS, taskId=task_id, pageSize="250", **query).body[
        "taskDetails"
    ]
    return rows


def selected(app: Caller, task_id: str) -> list[str]:
    return [row["param"]["deviceId"] for row in details(app, task_id)]


def test_each_selector_finds_its_devices(app: Caller, other: Caller) -> None:
    a, b, c = (meter(app, name) for name in "abc")
    lamp = app.register("lamp", productId="street-lamp-nb")
    meter(other, "foreign")
    app.call("PUT", f"{DEVICES}/{b}", {"location": "Harbour"})
    north = group(app, "north", deviceIds=[a, c])
    group(app, "south", deviceIds=[c])
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"type": "DeviceList", "deviceList": [c, a, c]}, [c, a]),
        ({"type": "DeviceType", **METER}, [a, b, c]),
        (
            {"type": "DeviceType", "deviceType": "StreetLamp", "manufacturerId": "LUMENFELD", "model": "LF-LED60"},
            [lamp],
        ),
        ({"type": "DeviceArea", "deviceLocation": "Harbour"}, [b]),
        ({"type": "GroupList", "groupList": ["north", "south"]}, [a, c]),
        ({"type": "GroupIdList", "groupList": [north]}, [a, c]),
        ({"type": "Broadcast"}, [a, b, c, lamp]),
        ({"type": "Broadcast", "groupTag": "south"}, [c]),
    ]
    for number, (param, expected) in enumerate(cases):
        assert selected(app, create(app, f"t{number}", **param)) == expected, param


@pytest.mark.parametrize(
    ("param", "code"),
    [
        ({"type": "DeviceList", "deviceList": ["nobody"]}, (200, "101001")),
        ({"type": "DeviceList"}, (400, "50400")),
        ({"type": "DeviceType"}, (400, "50400")),
        ({"type": "DeviceType", **METER, "deviceType": "Toaster"}, (200, "101001")),
        *[({"type": "DeviceType", **METER, name: value}, (400, "50400")) for name in METER for value in (None, "")],
        ({"type": "DeviceArea"}, (400, "50400")),
        ({"type": "GroupList"}, (400, "50400")),
        ({"type": "GroupIdList", "groupList": []}, (400, "50400")),
        ({"type": "GroupList", "groupList": ["none"]}, (200, "101001")),
        ({"type": "GroupIdList", "groupList": ["none"]}, (200, "101001")),
        ({"groupTag": "none"}, (404, "105202")),
        ({"type": "Everything"}, (400, "50400")),
        ({"command": None}, (400, "50400")),
        ({"maxRetransmit": 4}, (400, "50400")),
    ],
)
def test_an_impossible_selection_is_refused(app: Caller, param: dict[str, Any], code: tuple[int, str]) -> None:
    meter(app, "m")
    assert code_of(app.call("POST", TASKS, body_of(app, **param))) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"appId": None}, (400, "50400")),
        ({"appId": "app-none"}, (403, "100203")),
        ({"appId": "app-two"}, (403, "100217")),
        ({"timeout": 9}, (400, "50400")),
        ({"timeout": 2881}, (400, "50400")),
        ({"taskType": "DeviceReboot"}, (400, "50400")),
        ({"taskName": "x" * 257}, (400, "50400")),
        ({"tags": [{"tagName": "only"}]}, (400, "50400")),
    ],
)
def test_an_impossible_task_is_refused(
    app: Caller, other: Caller, change: dict[str, Any], code: tuple[int, str]
) -> None:
    meter(app, "m")
    assert code_of(app.call("POST", TASKS, {**body_of(app), **change})) == code


def test_names_and_tags_are_taken_once_and_ten_tasks_may_be_open(app: Caller) -> None:
    meter(app, "m")
    tagged = {**body_of(app, "first"), "tags": [{"tagName": "site", "tagValue": "north"}]}
    task_id = app.call("POST", TASKS, tagged).body["taskID"]
    assert code_of(app.call("POST", TASKS, {**tagged, "taskName": "second"})) == (400, "105201")
    assert code_of(app.call("POST", TASKS, body_of(app, "first"))) == (200, "105002")
    assert task(app, task_id, select="tags")["tags"] == tagged["tags"]
    assert "tags" not in task(app, task_id)
    for number in range(9):
        create(app, f"more{number}")
    assert code_of(app.call("POST", TASKS, body_of(app, "eleventh"))) == (200, "105001")
    app.platform.advance(600)
    create(app, "eleventh")


def test_a_task_runs_until_each_device_has_answered(app: Caller) -> None:
    good, bad, silent = (meter(app, name) for name in ("good", "bad", "silent"))
    plain = app.register("plain")
    scripts.attach(app.platform, good, result={"valve": "OPEN"})
    scripts.attach(app.platform, bad, answer="fail")
    task_id = create(app, callbackUrl=CALLBACK, maxRetransmit=1)
    found = task(app, task_id)
    assert found.keys() == response_fields("1.8.2") - {"tags"}
    assert (found["status"], found["taskFrom"], found["timeout"]) == ("Running", "Northbound", 600)
    assert (found["totalCnt"], found["successCnt"], found["failCnt"], found["progress"]) == (4, 1, 2, 750)
    rows = {row["param"]["deviceId"]: row for row in details(app, task_id)}
    assert [rows[each]["status"] for each in (good, bad, silent, plain)] == ["Success", "Fail", "WaitResult", "Fail"]
    assert json.loads(rows[good]["output"])["commandResult"] == {"valve": "OPEN"}
    assert json.loads(rows[plain]["error"])["error_code"] == "100431"
    devices.set_online(app.platform, silent)
    commands.answered(app.platform, rows[silent]["param"]["commandId"], ok=True)
    found = task(app, task_id)
    assert (found["status"], found["progress"], found["successRate"]) == ("Complete", 1000, 500)
    told = [body for body in pushed(app.platform, None, CALLBACK) if body["deviceId"] == silent]
    assert [body["result"]["resultCode"] for body in told] == ["SENT", "DELIVERED", "SUCCESSFUL"]


def test_a_tasks_timeout_ends_open_subtasks_as_expired_or_timed_out(app: Caller) -> None:
    app.platform.settings.command_ack_timeout = 10_000
    asleep, sent, done = (meter(app, name) for name in ("asleep", "sent", "done"))
    scripts.attach(app.platform, done)
    task_id = create(app)
    devices.set_online(app.platform, sent)
    app.platform.advance(599)
    assert task(app, task_id)["status"] == "Running"
    app.platform.advance(1)
    found = task(app, task_id)
    assert found["status"] == "Timeout"
    assert [found[f"{name}Cnt"] for name in ("success", "timeout", "expired", "complete")] == [1, 1, 1, 3]
    timed_out = details(app, task_id, status="Timeout")
    assert {row["param"]["deviceId"] for row in timed_out} == {asleep, sent}
    statuses = {row["deviceId"]: row["status"] for row in app.call("GET", COMMANDS).body["data"]}
    assert statuses == {asleep: "EXPIRED", sent: "TIMEOUT", done: "SUCCESSFUL"}


def test_a_large_task_times_out_in_steps_and_its_numbers_add_up_between(app: Caller) -> None:
    for number in range(250):
        meter(app, f"m{number}")
    # Its commands are created later than the task, so they would expire by themselves only after it.
    app.platform.settings.transitions = "timed"
    app.platform.settings.transition_delay = 10.0
    task_id = create(app)
    app.platform.advance(10)
    app.platform.clock.move_to(app.platform.now() + 591)
    seen = []
    while not seen or seen[-1] < 250:
        app.platform.run_due()
        numbers = batch_tasks.progress(app.platform, task_id)
        assert (numbers["totalCnt"], numbers["completeCnt"]) == (250, numbers["expiredCnt"])
        seen.append(numbers["expiredCnt"])
        assert len(seen) < 10
    assert seen == [100, 200, 250]
    assert task(app, task_id)["status"] == "Timeout"


def test_devices_that_take_no_command_and_deleted_ones_count_as_failed(app: Caller) -> None:
    full, gone = meter(app, "full"), meter(app, "gone")
    for _ in range(20):
        command(app, full)
    task_id = create(app)
    app.call("DELETE", f"{DEVICES}/{gone}")
    found = task(app, task_id)
    assert (found["status"], found["failCnt"]) == ("Complete", 2)
    errors = {row["param"]["deviceId"]: json.loads(row["error"])["error_code"] for row in details(app, task_id)}
    assert errors == {full: "100223", gone: None}


def test_subtasks_come_in_pages_and_by_filters(app: Caller, other: Caller) -> None:
    ids = [meter(app, f"m{number}") for number in range(30)]
    task_id = create(app)
    body = app.call("GET", TASK_DETAILS, taskId=task_id, pageNo="1").body
    assert body.keys() == response_fields("1.8.3")
    assert (body["totalCount"], body["pageSize"], len(body["taskDetails"])) == (30, 25, 5)
    assert body["taskDetails"][0].keys() == response_fields("1.8.3", "QueryTaskDetailDTOcloud2NA")
    (one,) = details(app, task_id, deviceId=ids[7])
    assert details(app, task_id, commandId=one["param"]["commandId"]) == [one]
    assert details(app, task_id, status="Success") == []
    assert code_of(app.call("GET", TASK_DETAILS)) == (400, "100022")
    assert code_of(app.call("GET", TASK_DETAILS, taskId=task_id, status="Gone")) == (400, "100022")
    assert code_of(app.call("GET", TASK_DETAILS, taskId=task_id, pageSize="251")) == (400, "100022")
    assert code_of(other.call("GET", TASK_DETAILS, taskId=task_id)) == (404, "105005")
    assert code_of(other.call("GET", f"{TASKS}/{task_id}")) == (404, "105005")
    assert code_of(app.call("GET", f"{TASKS}/{task_id}", select="all")) == (400, "100022")


def test_a_large_task_starts_in_steps_and_its_numbers_add_up_between(app: Caller) -> None:
    for number in range(450):
        meter(app, f"m{number}")
    task_id = app.call("POST", TASKS, body_of(app)).body["taskID"]
    seen = []
    while not seen or seen[-1]:
        seen.append(app.call("GET", TASK_DETAILS, taskId=task_id, status="Pending").body["totalCount"])
        task(app, task_id)
        app.platform.run_due()
        assert len(seen) < 20
    assert seen[0] == 350
    assert task(app, task_id)["totalCnt"] == 450


def test_a_refused_selector_names_all_the_fields_its_type_needs(app: Caller) -> None:
    answer = app.call("POST", TASKS, body_of(app, type="DeviceType", deviceType="WaterMeter"))
    assert "param.manufacturerId is missing" in answer.body["error_desc"]
    assert "deviceType, manufacturerId, model" in answer.body["error_desc"]


def test_a_callback_url_at_another_place_is_warned_of(app: Caller, caplog: pytest.LogCaptureFixture) -> None:
    meter(app, "m")
    subscribe(app, "deviceAdded", "https://na.example/in")
    create(app, callbackUrl="https://na.example:9443/c")
    assert "na.example:443 and na.example:9443" in caplog.text
