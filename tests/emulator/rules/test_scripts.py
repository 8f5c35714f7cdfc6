"""Scripted devices follow the same rules as real ones."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, scripts
from tests.emulator.calling import Caller
from tests.emulator.scene import (
    COMMANDS,
    DEVICES,
    OPERATIONS,
    command,
    meter,
    package,
    pushed,
    settle,
    status_of,
    subscribe,
)


def test_a_device_that_answers_at_once_works_its_queue_off_in_order(app: Caller) -> None:
    device_id = meter(app, "m")
    commands = [command(app, device_id, callbackUrl="https://na.example/c") for _ in range(3)]
    scripts.attach(app.platform, device_id, result={"valve": "OPEN"})
    settle(app.platform)
    assert [status_of(app, each) for each in commands] == ["SUCCESSFUL"] * 3
    sent = [body["commandId"] for body in pushed(app.platform, None) if body["result"]["resultCode"] == "SENT"]
    assert sent == commands
    assert app.call("GET", COMMANDS).body["data"][0]["result"]["resultDetail"] == {"valve": "OPEN"}


def test_a_script_takes_up_what_waited_for_a_device_that_is_online_already(app: Caller) -> None:
    device_id = meter(app, "m", online=True)
    commands = [command(app, device_id) for _ in range(2)]
    body = {"fileId": package(app), "targets": {"devices": [device_id]}}
    operation_id = app.call("POST", f"{OPERATIONS}/firmwareUpgrade", body).body["operationId"]
    settle(app.platform)
    assert status_of(app, commands[0]) == "PENDING"
    scripts.attach(app.platform, device_id)
    settle(app.platform)
    assert [status_of(app, each) for each in commands] == ["SUCCESSFUL"] * 2
    assert app.call("GET", f"{OPERATIONS}/{operation_id}").body["status"] == "success"


def test_an_awake_device_takes_a_command_without_having_to_report(app: Caller) -> None:
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id, answer="fail")
    command_id = command(app, device_id)
    settle(app.platform)
    assert status_of(app, command_id) == "FAILED"


def test_a_late_device_goes_through_the_statuses_in_its_time(app: Caller) -> None:
    app.platform.settings.transitions = "timed"
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id, after=30, acknowledge_after=5)
    command_id = command(app, device_id)
    seen = []
    for seconds in (0, 4, 1, 29, 1):
        app.platform.advance(seconds)
        seen.append(status_of(app, command_id))
    assert seen == ["SENT", "SENT", "DELIVERED", "DELIVERED", "SUCCESSFUL"]


def test_a_device_that_answers_too_late_is_timed_out(app: Caller) -> None:
    app.platform.settings.transitions = "timed"
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id, after=10_000)
    command_id = command(app, device_id)
    app.platform.advance(11_000)
    app.login()
    assert status_of(app, command_id) == "TIMEOUT"


@pytest.mark.parametrize(("acknowledge", "before"), [(True, "DELIVERED"), (False, "SENT")])
def test_a_device_that_never_answers_lets_commands_time_out(app: Caller, acknowledge: bool, before: str) -> None:
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id, answer="never", acknowledge=acknowledge)
    first = command(app, device_id)
    settle(app.platform)
    assert status_of(app, first) == before
    second = command(app, device_id)
    app.platform.advance(1000)
    assert (status_of(app, first), status_of(app, second)) == ("TIMEOUT", "TIMEOUT")


def test_a_sleeping_device_gets_cached_commands_after_its_report_and_misses_immediate_ones(app: Caller) -> None:
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id, asleep=True)
    app.platform.advance(60)
    cached, immediate = command(app, device_id), command(app, device_id, expireTime=0)
    app.platform.advance(60)
    assert (status_of(app, cached), status_of(app, immediate)) == ("PENDING", "TIMEOUT")
    devices.report(app.platform, device_id, "Battery", {"batteryLevel": 50})
    settle(app.platform)
    assert status_of(app, cached) == "SUCCESSFUL"


def test_a_device_reports_at_its_interval_with_growing_values(app: Caller) -> None:
    device_id = meter(app, "m")
    subscribe(app, "deviceDataChanged")
    report: dict[str, Any] = {
        "service_id": "WaterMeter", "data": {"totalVolume": 10}, "increments": {"totalVolume": 2}
    }  # fmt: skip
    scripts.attach(app.platform, device_id, report_every=600, report=report)
    app.platform.advance(1799)
    assert [body["service"]["data"]["totalVolume"] for body in pushed(app.platform)] == [10, 12]
    app.platform.advance(1)
    assert [body["service"]["eventTime"] for body in pushed(app.platform)][-1] == app.platform.now_text()
    scripts.detach(app.platform, device_id)
    app.platform.advance(6000)
    assert len(pushed(app.platform)) == 3


def test_a_report_may_carry_several_services_each_with_its_growing_values(app: Caller) -> None:
    device_id = meter(app, "m")
    subscribe(app, "deviceDatasChanged")
    report: list[dict[str, Any]] = [
        {"service_id": "WaterMeter", "data": {"totalVolume": 10}, "increments": {"totalVolume": 2}},
        {"service_id": "Battery", "data": {"batteryLevel": 90}, "increments": {"batteryLevel": -1}},
    ]
    row = scripts.attach(app.platform, device_id, report_every=600, report=report)
    assert row["report"] == report
    app.platform.advance(1200)
    assert [[service["data"] for service in body["services"]] for body in pushed(app.platform)] == [
        [{"totalVolume": 10}, {"batteryLevel": 90}],
        [{"totalVolume": 12}, {"batteryLevel": 89}],
    ]


def test_a_script_of_several_services_goes_on_reporting_what_was_desired(app: Caller) -> None:
    device_id = meter(app, "m")
    report = [
        {"service_id": "Battery", "data": {"batteryLevel": 90}},
        {"service_id": "WaterMeter", "data": {"reportInterval": 300}},
    ]
    scripts.attach(app.platform, device_id, report_every=600, report=report)
    desired = {"serviceDesireds": [{"serviceId": "WaterMeter", "desired": {"reportInterval": 900}}]}
    assert app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{device_id}", desired).status == 200
    app.platform.advance(600)
    services = devices.need(app.platform, device_id)["services"]
    assert (services["Battery"]["data"], services["WaterMeter"]["data"]) == (
        {"batteryLevel": 90},
        {"reportInterval": 900},
    )


def test_manual_steps_wait_until_they_are_released(app: Caller) -> None:
    app.platform.settings.transitions = "manual"
    device_id = meter(app, "m")
    scripts.attach(app.platform, device_id)
    command_id = command(app, device_id)
    app.platform.advance(30)
    assert status_of(app, command_id) == "SENT"
    assert transitions.release(app.platform, kind="script.answer") == []
    for expected in ("DELIVERED", "SUCCESSFUL"):
        assert len(transitions.release(app.platform, 1)) == 1
        settle(app.platform)
        assert status_of(app, command_id) == expected


def test_scripts_survive_a_restart(app: Caller) -> None:
    device_id = meter(app, "m")
    report = {"service_id": "Battery", "data": {"batteryLevel": 50}}
    scripts.attach(app.platform, device_id, report_every=60, report=report)
    rows = [(table, key, row) for table, key, row in app.platform.take_changes() if row is not None]
    clock = Clock()
    clock.freeze(app.platform.now())
    again = Platform(clock=clock, ids=Ids("again"))
    again.load(rows)
    again.advance(60)
    assert devices.need(again, device_id)["services"]["Battery"]["data"] == {"batteryLevel": 50}


def test_a_deleted_devices_script_is_deleted_too(app: Caller) -> None:
    device_id = meter(app, "m")
    report = {"service_id": "Battery", "data": {"batteryLevel": 50}}
    scripts.attach(app.platform, device_id, report_every=60, report=report)
    app.call("DELETE", f"{DEVICES}/{device_id}")
    assert len(app.platform.table(scripts.SCRIPTS)) == 0
    app.platform.advance(1000)


@pytest.mark.parametrize(
    ("report", "named"),
    [
        ({"report_every": 5}, "needs a report"),
        ({"report": {"service_id": "Battery", "data": {}}}, "give the seconds"),
        ({"report_every": 5, "report": {"service_id": "Oven", "data": {}}}, "must be a service"),
        (
            {"report_every": 5, "report": {"service_id": "Battery", "data": {"a": "x"}, "increments": {"a": 1}}},
            r"increments\.a must be a number",
        ),
        (
            {"report_every": 5, "report": [{"service_id": "Battery", "data": {}}, {"service_id": "Oven", "data": {}}]},
            "must be a service",
        ),
    ],
)
def test_an_impossible_report_is_refused(app: Caller, report: dict[str, Any], named: str) -> None:
    device_id = meter(app, "m")
    with pytest.raises(ValueError, match=named):
        scripts.attach(app.platform, device_id, **report)


def test_a_device_that_is_unknown_gets_no_script(app: Caller) -> None:
    with pytest.raises(LookupError):
        scripts.attach(app.platform, "nobody")
