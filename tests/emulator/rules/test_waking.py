"""What waits for a device goes out at any sign of life: one rule for commands, desired changes and upgrades."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import commands, devices, events, invocations, models, scripts, upgrades
from tests.emulator.calling import Caller
from tests.emulator.scene import COMMANDS, OPERATIONS, package, settle

LAMP = "street-lamp-nb"
SWITCH = {"serviceId": "Lamp", "method": "SWITCH", "paras": {"state": "ON"}}
DESIRED = "deviceDesiredPropertiesModifyStatusChanged"


class Lamp:
    """A lamp that sleeps, and what was asked of it long ago and has ended."""

    def __init__(self, app: Caller) -> None:
        self.app, self.platform = app, app.platform
        model = models.by_id(self.platform, app.app_id, LAMP)
        assert model is not None
        names = ("deviceType", "model", "manufacturerName")
        package(app, fileId="lamp-2", **{name: model[name] for name in names})
        self.id = app.register("lamp", productId=LAMP, timeout=0)
        devices.set_online(self.platform, self.id)
        self.old_command = self.command(expireTime=0)
        path = f"/iocm/app/signaltrans/v1.1.0/devices/{self.id}/services/Lamp/sendCommand"
        header = {"mode": "ACK", "method": "SWITCH"}
        assert app.call("POST", path, {"header": header, "body": {"state": "ON"}}).status == 202
        self.old_call = next(iter(self.platform.table(invocations.INVOCATIONS).rows))
        old_upgrade = self.upgrade("now")
        settle(self.platform)
        self.old_part = self.part(old_upgrade)["subOperationId"]
        upgrades.stop(self.platform, old_upgrade)
        self.platform.advance(1000)  # no answer came: command and call have timed out
        scripts.attach(self.platform, self.id, asleep=True)
        settle(self.platform)
        self.platform.advance(scripts.AWAKE_SECONDS + 1)

    def command(self, **fields: Any) -> str:
        answer = self.app.call("POST", COMMANDS, {"deviceId": self.id, "command": SWITCH, **fields})
        assert answer.status == 201, answer
        return str(answer.body["commandId"])

    def desire(self) -> None:
        body = {"serviceDesireds": [{"serviceId": "Lamp", "desired": {"brightness": 40}}]}
        assert self.app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{self.id}", body).status == 200

    def upgrade(self, execute: str) -> str:
        body = {"fileId": "lamp-2", "targets": {"devices": [self.id]}, "policy": {"executeType": execute}}
        answer = self.app.call("POST", f"{OPERATIONS}/firmwareUpgrade", body)
        assert answer.status == 200, answer
        return str(answer.body["operationId"])

    def part(self, operation_id: str) -> dict[str, Any]:
        (found,) = self.platform.table(upgrades.SUB_OPERATIONS).where(operationId=operation_id)
        return found


SIGNS: dict[str, Callable[[Platform, Lamp], Any]] = {
    "a report": lambda platform, lamp: devices.report(platform, lamp.id, "Lamp", {}),
    "a report while it is frozen": lambda platform, lamp: (
        devices.changed(platform, lamp.id, mute="TRUE"),
        devices.report(platform, lamp.id, "Lamp", {}),
    ),
    "its version": lambda platform, lamp: devices.report_info(platform, lamp.id, swVersion="2"),
    "an alarm": lambda platform, lamp: devices.report_alarm(platform, lamp.id, "major"),
    "an event": lambda platform, lamp: events.device_event(platform, lamp.id, "Lamp", "fell", {}),
    "a connection": lambda platform, lamp: devices.set_online(platform, lamp.id),
    "a child": lambda platform, lamp: devices.add_sub_device(platform, lamp.id, "child"),
    "a late acknowledgement": lambda platform, lamp: commands.delivered(platform, lamp.old_command),
    "a late answer": lambda platform, lamp: commands.answered(platform, lamp.old_command, ok=True),
    "a late acknowledgement of a call": lambda platform, lamp: invocations.delivered(platform, lamp.old_call),
    "a late answer to a call": lambda platform, lamp: invocations.answered(platform, lamp.old_call, {}),
    "a late step": lambda platform, lamp: upgrades.report_state(platform, lamp.old_part, "updating"),
    "a late result": lambda platform, lamp: upgrades.finish(platform, lamp.old_part, ok=True),
}


@pytest.fixture
def lamp(app: Caller) -> Lamp:
    return Lamp(app)


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("sign", SIGNS)
class TestAnySignOfLife:
    def wake(self, lamp: Lamp, sign: str, *, connected: bool) -> None:
        if not connected:
            devices.set_offline(lamp.platform, lamp.id)
        SIGNS[sign](lamp.platform, lamp)
        settle(lamp.platform)

    def test_sends_a_cached_command(self, lamp: Lamp, sign: str, connected: bool) -> None:
        command_id = lamp.command()
        settle(lamp.platform)
        assert lamp.platform.table(commands.COMMANDS)[command_id]["status"] == "PENDING"
        self.wake(lamp, sign, connected=connected)
        assert lamp.platform.table(commands.COMMANDS)[command_id]["status"] == "SUCCESSFUL"

    def test_sends_a_desired_change(self, lamp: Lamp, told: list[Any], sign: str, connected: bool) -> None:
        lamp.desire()
        settle(lamp.platform)
        assert DESIRED not in [kind for _, kind, _ in told]
        self.wake(lamp, sign, connected=connected)
        assert [body["status"] for _, kind, body in told if kind == DESIRED] == ["DELIVERED"]

    def test_starts_an_upgrade(self, lamp: Lamp, sign: str, connected: bool) -> None:
        if not connected:
            devices.set_offline(lamp.platform, lamp.id)
        operation_id = lamp.upgrade("device_online")
        settle(lamp.platform)
        assert lamp.part(operation_id)["step"] is None
        self.wake(lamp, sign, connected=True)
        assert lamp.part(operation_id)["outcome"] == "success"


@pytest.mark.parametrize("sign", SIGNS)
def test_a_cached_command_for_a_device_without_a_script_goes_too(lamp: Lamp, sign: str) -> None:
    scripts.detach(lamp.platform, lamp.id)
    command_id = lamp.command()
    settle(lamp.platform)
    SIGNS[sign](lamp.platform, lamp)
    assert lamp.platform.table(commands.COMMANDS)[command_id]["status"] == "SENT"


def test_a_device_that_is_heard_often_takes_the_first_step_of_an_upgrade_once(lamp: Lamp) -> None:
    lamp.platform.settings.transitions = "manual"
    lamp.upgrade("now")
    transitions.release(lamp.platform)
    settle(lamp.platform)
    for sign in SIGNS.values():
        sign(lamp.platform, lamp)
    assert [step["kind"] for step in transitions.held(lamp.platform).where()].count("upgrade.step") == 1


def test_a_new_script_takes_up_the_step_that_the_one_before_left(lamp: Lamp) -> None:
    lamp.platform.settings.transitions = "manual"
    operation_id = lamp.upgrade("now")
    transitions.release(lamp.platform)
    settle(lamp.platform)
    devices.set_online(lamp.platform, lamp.id)
    scripts.detach(lamp.platform, lamp.id)
    transitions.release(lamp.platform)
    settle(lamp.platform)
    assert lamp.part(operation_id)["step"] is None
    lamp.platform.settings.transitions = "immediate"
    scripts.attach(lamp.platform, lamp.id)
    settle(lamp.platform)
    assert lamp.part(operation_id)["outcome"] == "success"


# --- what ended is a sign of life and no more ---

LATE = [sign for sign in SIGNS if "late" in sign]


@pytest.mark.parametrize("sign", LATE)
def test_what_comes_late_is_a_sign_of_life_and_changes_nothing_else(lamp: Lamp, told: list[Any], sign: str) -> None:
    platform = lamp.platform
    scripts.detach(platform, lamp.id)
    devices.set_offline(platform, lamp.id)
    told.clear()
    tables = (commands.COMMANDS, invocations.INVOCATIONS, upgrades.SUB_OPERATIONS)
    before = [dict(platform.table(name).rows) for name in tables]
    SIGNS[sign](platform, lamp)
    device = devices.need(platform, lamp.id)
    assert (device["status"], device["statusDetail"], device["heard"]) == ("ONLINE", "NONE", platform.now())
    assert [dict(platform.table(name).rows) for name in tables] == before
    assert {kind for _, kind, _ in told} == {"deviceInfoChanged"}


@pytest.mark.parametrize("sign", LATE)
def test_what_comes_late_for_a_deleted_device_is_passed_over(lamp: Lamp, sign: str) -> None:
    lamp.app.login().call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{lamp.id}")
    SIGNS[sign](lamp.platform, lamp)
    assert devices.find(lamp.platform, lamp.id) is None


# --- behind a gateway ---


@pytest.fixture
def gateway(app: Caller) -> str:
    device_id = app.register("gateway", productId="home-gateway-mqtt", timeout=0)
    devices.set_online(app.platform, device_id)
    return device_id


@pytest.fixture
def child(app: Caller, gateway: str, lamp: Lamp) -> Lamp:
    """The lamp, moved behind the gateway."""
    lamp.platform.table(devices.DEVICES).change(lamp.id, parent=gateway, gatewayId=gateway)
    return lamp


@pytest.mark.parametrize("status", ["OFFLINE", "ABNORMAL"])
@pytest.mark.parametrize("sign", [sign for sign in SIGNS if sign != "a child"])
def test_what_a_child_says_is_a_sign_of_life_of_its_gateway(
    app: Caller, gateway: str, child: Lamp, sign: str, status: str
) -> None:
    devices.set_offline(app.platform, gateway, status=status)
    SIGNS[sign](app.platform, child)
    row = devices.need(app.platform, gateway)
    assert (row["status"], row["heard"]) == ("ONLINE", app.platform.now())


def test_what_waits_for_a_gateway_goes_when_a_child_says_something(app: Caller, gateway: str, child: Lamp) -> None:
    command = {"serviceId": "Gateway", "method": "RESTART"}
    app.login()
    command_id = app.call("POST", COMMANDS, {"deviceId": gateway, "command": command}).body["commandId"]
    settle(app.platform)
    assert app.platform.table(commands.COMMANDS)[command_id]["status"] == "PENDING"
    devices.report(app.platform, child.id, "Lamp", {})
    assert app.platform.table(commands.COMMANDS)[command_id]["status"] == "SENT"


def test_a_childs_reports_keep_its_gateway_online(app: Caller, gateway: str, child: Lamp) -> None:
    for _ in range(5):
        app.platform.advance(24 * 3600)
        devices.report(app.platform, child.id, "Lamp", {})
    assert devices.need(app.platform, gateway)["status"] == "ONLINE"
    app.platform.advance(25 * 3600)
    assert devices.need(app.platform, gateway)["status"] == "ABNORMAL"


def test_a_child_that_no_longer_has_a_gateway_speaks_for_itself(app: Caller, gateway: str, child: Lamp) -> None:
    app.login().call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{gateway}", cascade="false")
    devices.report(app.platform, child.id, "Lamp", {})
    assert devices.need(app.platform, child.id)["status"] == "ONLINE"
