"""Commands: 1.7.1 to 1.7.3, and their life."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications, commands, devices
from tests.emulator.calling import Caller, code_of
from tests.emulator.scene import (
    CALLBACK,
    COMMANDS,
    DEVICES,
    OPEN_VALVE,
    command,
    meter,
    pushed,
    response_fields,
    settle,
    status_of,
)


def cancel(app: Caller, command_id: str) -> tuple[int, str | None]:
    return code_of(app.call("PUT", f"{COMMANDS}/{command_id}", {"status": "CANCELED"}))


def told(app: Caller, command_id: str) -> list[str]:
    return [body["result"]["resultCode"] for body in pushed(app.platform, None) if body["commandId"] == command_id]


def test_a_cached_command_is_answered_as_pending(app: Caller) -> None:
    device_id = meter(app, "m")
    body = {"deviceId": device_id, "command": OPEN_VALVE, "callbackUrl": CALLBACK, "maxRetransmit": 2}
    answer = app.call("POST", COMMANDS, body)
    assert answer.status == 201
    assert answer.body.keys() == response_fields("1.7.1")
    assert answer.body["status"] == "PENDING"
    assert answer.body["command"] == OPEN_VALVE
    assert answer.body["expireTime"] is None
    settle(app.platform)
    assert status_of(app, answer.body["commandId"]) == "PENDING"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"deviceId": "nobody"}, (200, "100418")),
        ({"deviceId": None}, (400, "100022")),
        ({"command": None}, (400, "100022")),
        ({"command": {**OPEN_VALVE, "serviceId": "Oven"}}, (200, "100431")),
        ({"command": {**OPEN_VALVE, "method": "EXPLODE"}}, (400, "100022")),
        ({"command": {**OPEN_VALVE, "paras": {"state": "AJAR"}}}, (400, "100022")),
        ({"command": {**OPEN_VALVE, "paras": {}}}, (400, "100022")),
        ({"command": {**OPEN_VALVE, "paras": [1]}}, (400, "100022")),
        ({"expireTime": -1}, (400, "100022")),
        ({"maxRetransmit": 4}, (400, "100022")),
        ({"callbackUrl": "nowhere"}, (400, "100022")),
        ({"expireTime": 0}, (200, "100428")),
    ],
)
def test_an_impossible_command_is_refused(app: Caller, change: dict[str, Any], code: tuple[int, str]) -> None:
    body = {"deviceId": meter(app, "m"), "command": OPEN_VALVE, **change}
    assert code_of(app.call("POST", COMMANDS, body)) == code
    assert app.call("GET", COMMANDS).body["pagination"]["totalSize"] == 0


def test_a_device_without_a_model_takes_no_commands(app: Caller) -> None:
    device_id = app.register("plain")
    assert code_of(app.call("POST", COMMANDS, {"deviceId": device_id, "command": OPEN_VALVE})) == (200, "100431")


def test_twenty_commands_may_be_pending_and_each_end_makes_room(app: Caller) -> None:
    device_id = meter(app, "m")
    first, *_ = [command(app, device_id) for _ in range(20)]
    body = {"deviceId": device_id, "command": OPEN_VALVE}
    assert code_of(app.call("POST", COMMANDS, body)) == (400, "100223")
    assert cancel(app, first) == (200, None)
    command(app, device_id)
    command(app, meter(app, "other"))


def test_a_device_that_has_been_silent_for_a_week_takes_no_commands(app: Caller) -> None:
    device_id = meter(app, "m", online=True)
    app.platform.advance(7 * 86400 + 1)
    app.login()
    body = {"deviceId": device_id, "command": OPEN_VALVE}
    assert code_of(app.call("POST", COMMANDS, body)) == (403, "100612")
    devices.set_online(app.platform, device_id)
    command(app, device_id)


def test_cached_commands_go_out_one_at_a_time_in_order_when_the_device_is_heard(app: Caller) -> None:
    device_id = meter(app, "m")
    first, second = command(app, device_id), command(app, device_id)
    devices.report(app.platform, device_id, "Battery", {"batteryLevel": 80})
    assert (status_of(app, first), status_of(app, second)) == ("SENT", "PENDING")
    devices.report(app.platform, device_id, "Battery", {"batteryLevel": 79})
    assert status_of(app, second) == "PENDING"
    commands.delivered(app.platform, first)
    assert (status_of(app, first), status_of(app, second)) == ("DELIVERED", "SENT")
    commands.answered(app.platform, second, ok=False, detail={"reason": "stuck"})
    commands.answered(app.platform, first, ok=True)
    assert (status_of(app, first), status_of(app, second)) == ("SUCCESSFUL", "FAILED")


def test_an_immediate_command_is_sent_at_once_and_beside_others(app: Caller) -> None:
    device_id = meter(app, "m", online=True)
    answer = app.call("POST", COMMANDS, {"deviceId": device_id, "command": OPEN_VALVE, "expireTime": 0})
    assert answer.body["status"] == "DEFAULT"
    second = command(app, device_id, expireTime=0)
    settle(app.platform)
    assert (status_of(app, answer.body["commandId"]), status_of(app, second)) == ("SENT", "SENT")


def test_each_status_and_the_answer_are_pushed_to_the_command_url(app: Caller) -> None:
    device_id = meter(app, "m")
    command_id = command(app, device_id, callbackUrl=CALLBACK)
    silent = command(app, device_id)
    devices.set_online(app.platform, device_id)
    commands.answered(app.platform, command_id, ok=True, detail={"valve": "OPEN"})
    assert told(app, command_id) == ["SENT", "DELIVERED", "SUCCESSFUL"]
    assert told(app, silent) == []
    sent, *_, last = pushed(app.platform, None, CALLBACK)
    assert sent == {
        "deviceId": device_id,
        "commandId": command_id,
        "result": {"resultCode": "SENT", "resultDetail": None},
    }
    assert last["result"]["resultDetail"] == {"valve": "OPEN"}
    row = app.call("GET", COMMANDS).body["data"][1]
    assert row["result"] == last["result"]
    assert row["platformIssuedTime"] == row["deliveredTime"] == row["executeTime"] == app.platform.now_text()
    assert row["issuedTimes"] == 1


@pytest.mark.parametrize(("expire_time", "lifetime"), [(None, 172_800), (90, 90)])
def test_a_cached_command_expires(app: Caller, expire_time: int | None, lifetime: int) -> None:
    app.platform.settings.token_lifetime = 10**6
    app.login()
    fields = {} if expire_time is None else {"expireTime": expire_time}
    command_id = command(app, meter(app, "m"), callbackUrl=CALLBACK, **fields)
    app.platform.advance(lifetime - 1)
    assert status_of(app, command_id) == "PENDING"
    app.platform.advance(1)
    assert status_of(app, command_id) == "EXPIRED"
    assert told(app, command_id) == ["EXPIRED"]
    assert cancel(app, command_id) == (200, "100435")


def test_a_sent_command_does_not_expire(app: Caller) -> None:
    app.platform.settings.command_ack_timeout = 1000
    device_id = meter(app, "m")
    command_id = command(app, device_id, expireTime=10)
    devices.set_online(app.platform, device_id)
    app.platform.advance(11)
    assert status_of(app, command_id) == "SENT"


@pytest.mark.parametrize("retransmit", [0, 2])
def test_an_unacknowledged_command_is_sent_again_and_then_times_out(app: Caller, retransmit: int) -> None:
    device_id = meter(app, "m")
    command_id = command(app, device_id, maxRetransmit=retransmit, callbackUrl=CALLBACK)
    devices.set_online(app.platform, device_id)
    pause = app.platform.settings.command_ack_timeout
    for _ in range(retransmit):
        app.platform.advance(pause)
        assert status_of(app, command_id) == "SENT"
    app.platform.advance(pause)
    row = app.call("GET", COMMANDS).body["data"][0]
    assert (row["status"], row["issuedTimes"]) == ("TIMEOUT", retransmit + 1)
    assert told(app, command_id) == ["SENT", "TIMEOUT"]


def test_an_acknowledged_command_without_an_answer_times_out_and_a_later_answer_is_ignored(app: Caller) -> None:
    device_id = meter(app, "m")
    command_id = command(app, device_id)
    devices.set_online(app.platform, device_id)
    commands.delivered(app.platform, command_id)
    app.platform.advance(app.platform.settings.command_answer_timeout)
    commands.answered(app.platform, command_id, ok=True)
    assert status_of(app, command_id) == "TIMEOUT"


def test_only_a_pending_command_can_be_cancelled(app: Caller, other: Caller) -> None:
    device_id = meter(app, "m")
    first, second = command(app, device_id, callbackUrl=CALLBACK), command(app, device_id)
    assert cancel(other, first) == (200, "100434")
    assert code_of(app.call("PUT", f"{COMMANDS}/{first}", {"status": "PENDING"})) == (400, "100022")
    answer = app.call("PUT", f"{COMMANDS}/{first}", {"status": "CANCELED"})
    assert answer.body.keys() == response_fields("1.7.3")
    assert answer.body["status"] == "CANCELED"
    assert told(app, first) == ["CANCELED"]
    assert cancel(app, first) == (200, "100435")
    devices.set_online(app.platform, device_id)
    assert cancel(app, second) == (200, "100435")


def test_commands_come_newest_first_in_pages_and_windows(app: Caller, other: Caller) -> None:
    device_id, second_device = meter(app, "a"), meter(app, "b")
    made = []
    for _ in range(3):
        made.append(command(app, device_id))
        app.platform.advance(10)
    elsewhere = command(app, second_device)
    body = app.call("GET", COMMANDS, deviceId=device_id, pageSize="2").body
    assert body["pagination"] == {"pageNo": 0, "pageSize": 2, "totalSize": 3}
    assert body["data"][0].keys() == response_fields("1.7.2", "DeviceCommandResp")
    assert [row["commandId"] for row in body["data"]] == made[:0:-1]
    assert app.call("GET", COMMANDS).body["data"][0]["commandId"] == elsewhere
    times = [row["creationTime"] for row in app.call("GET", COMMANDS, deviceId=device_id).body["data"]]
    windowed = app.call("GET", COMMANDS, deviceId=device_id, startTime=times[1], endTime=times[0]).body["data"]
    assert [row["commandId"] for row in windowed] == made[:0:-1]
    assert other.call("GET", COMMANDS).body["data"] == []
    assert code_of(app.call("GET", COMMANDS, startTime=times[0], endTime=times[1])) == (400, "100022")
    assert code_of(app.call("GET", COMMANDS, pageSize="1001")) == (400, "100022")
    assert code_of(app.call("GET", COMMANDS, deviceId="nobody")) == (200, "100418")


def test_a_deleted_device_ends_its_open_commands(app: Caller) -> None:
    device_id = meter(app, "m")
    sent, waiting = (command(app, device_id, callbackUrl=CALLBACK) for _ in range(2))
    devices.set_online(app.platform, device_id)
    app.call("DELETE", f"{DEVICES}/{device_id}")
    assert (status_of(app, sent), status_of(app, waiting)) == ("FAILED", "CANCELED")
    assert (told(app, sent), told(app, waiting)) == (["SENT", "FAILED"], ["CANCELED"])
    app.platform.advance(200_000)
    app.login()
    assert (status_of(app, sent), status_of(app, waiting)) == ("FAILED", "CANCELED")


def test_a_restart_keeps_a_commands_timers(app: Caller) -> None:
    command_id = command(app, meter(app, "m"), expireTime=60)
    rows = [(table, key, row) for table, key, row in app.platform.take_changes() if row is not None]
    clock = Clock()
    clock.freeze(app.platform.now())
    again = Platform(clock=clock, ids=Ids("again"))
    again.load(rows)
    again.advance(60)
    assert again.table(commands.COMMANDS)[command_id]["status"] == "EXPIRED"


class CommandsAgainstAModel(RuleBasedStateMachine):
    """One device's queue is a list; at most one command at a time is sent; ends are final."""

    def __init__(self) -> None:
        super().__init__()
        clock = Clock()
        clock.freeze(1_700_000_000.0)
        self.platform = Platform(clock=clock, ids=Ids("model"))
        applications.add_application(self.platform, "app-one", "secret-one")
        self.platform.settings.token_lifetime = 10**9
        self.app = Caller(self.platform).login()
        self.device_id = meter(self.app, "m", online=True)
        self.queue: list[str] = []
        self.sent: str | None = None
        self.delivered: list[str] = []
        self.ended: dict[str, str] = {}

    def _next(self) -> None:
        self.sent = self.queue.pop(0) if self.queue else None

    @precondition(lambda self: len(self.queue) < 20)
    @rule()
    def create(self) -> None:
        self.queue.append(command(self.app, self.device_id, expireTime=10**8))
        settle(self.platform)

    @rule()
    def report(self) -> None:
        devices.report(self.platform, self.device_id, "Battery", {"batteryLevel": 50})
        if self.sent is None:
            self._next()

    @precondition(lambda self: self.sent is not None)
    @rule()
    def acknowledge(self) -> None:
        assert self.sent is not None
        commands.delivered(self.platform, self.sent)
        self.delivered.append(self.sent)
        self._next()

    @precondition(lambda self: self.sent is not None)
    @rule()
    def never_acknowledge(self) -> None:
        assert self.sent is not None
        self.platform.advance(self.platform.settings.command_ack_timeout)
        self.ended[self.sent] = "TIMEOUT"
        self.sent = None
        # The others are older: those without an answer may have timed out, too.
        for command_id in list(self.delivered):
            if self.platform.table(commands.COMMANDS)[command_id]["status"] == "TIMEOUT":
                self.delivered.remove(command_id)
                self.ended[command_id] = "TIMEOUT"

    @precondition(lambda self: self.delivered)
    @rule(data=st.data(), ok=st.booleans())
    def answer(self, data: st.DataObject, ok: bool) -> None:
        command_id = data.draw(st.sampled_from(self.delivered))
        commands.answered(self.platform, command_id, ok=ok)
        self.delivered.remove(command_id)
        self.ended[command_id] = "SUCCESSFUL" if ok else "FAILED"

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        command_id = data.draw(st.sampled_from(self.queue))
        assert cancel(self.app, command_id) == (200, None)
        self.queue.remove(command_id)
        self.ended[command_id] = "CANCELED"

    @invariant()
    def statuses_are_the_models(self) -> None:
        expected = {
            **dict.fromkeys(self.queue, "PENDING"),
            **dict.fromkeys(self.delivered, "DELIVERED"),
            **self.ended,
            **({self.sent: "SENT"} if self.sent else {}),
        }
        rows = self.app.call("GET", COMMANDS).body["data"]
        assert {row["commandId"]: row["status"] for row in rows} == expected


TestCommandsAgainstAModel = CommandsAgainstAModel.TestCase
TestCommandsAgainstAModel.settings = hypothesis_settings(max_examples=25, stateful_step_count=30, deadline=None)
