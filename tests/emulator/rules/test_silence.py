from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import commands, devices, events, invocations, upgrades
from tests.emulator.calling import Caller
from tests.emulator.scene import OPERATIONS, command, package, settle


def status(app: Caller, device_id: str) -> tuple[str, str]:
    info = app.device(device_id).body["deviceInfo"]
    return info["status"], info["statusDetail"]


def test_silence_makes_a_device_abnormal_then_offline(platform: Platform, app: Caller) -> None:
    device_id = app.register("n")
    devices.set_online(platform, device_id)
    platform.advance(24 * 3600)
    devices.report(platform, device_id, "A", {})
    platform.advance(24 * 3600 + 3599)
    assert status(app.login(), device_id)[0] == "ONLINE"
    platform.advance(1)
    assert status(app, device_id) == ("ABNORMAL", "NONE")
    platform.advance(24 * 3600)
    assert status(app.login(), device_id) == ("OFFLINE", "TIME_OUT")
    assert platform.next_due() is None


def test_a_device_heard_again_is_watched_from_then_on(platform: Platform, app: Caller) -> None:
    platform.settings.abnormal_after, platform.settings.offline_after = 10, 100
    device_id = app.register("n", timeout=0)
    devices.set_online(platform, device_id)
    platform.advance(11)
    devices.report(platform, device_id, "A", {})
    assert status(app, device_id)[0] == "ONLINE"
    platform.advance(10)
    assert status(app, device_id)[0] == "ABNORMAL"


def test_a_device_that_disconnected_stays_offline(platform: Platform, app: Caller) -> None:
    device_id = app.register("n", timeout=0)
    devices.set_online(platform, device_id)
    devices.set_offline(platform, device_id)
    platform.advance(26 * 3600)
    assert status(app.login(), device_id) == ("OFFLINE", "NONE")


def test_silence_can_be_left_unwatched(platform: Platform, app: Caller) -> None:
    platform.settings.abnormal_after = platform.settings.offline_after = None
    devices.set_online(platform, app.register("n", timeout=0))
    assert platform.next_due() is None


def issued(platform: Platform, app: Caller) -> tuple[str, str]:
    """A meter with a command that has been sent to it."""
    device_id = app.register("m", productId="water-meter-nb", timeout=0)
    devices.set_online(platform, device_id)
    command_id = command(app, device_id)
    devices.report(platform, device_id, "Battery", {"batteryLevel": 50})
    return device_id, command_id


def acknowledge(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id, command_id = issued(platform, app)
    return device_id, lambda: commands.delivered(platform, command_id)


def answer(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id, command_id = issued(platform, app)
    return device_id, lambda: commands.answered(platform, command_id, ok=True)


def called(platform: Platform, app: Caller) -> tuple[str, str]:
    platform.settings.command_answer_timeout = 1e6
    device_id = app.register("g", productId="home-gateway-mqtt", timeout=0)
    devices.set_online(platform, device_id)
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Gateway/sendCommand"
    assert app.call("POST", path, {"header": {"mode": "ACK", "method": "RESTART"}}).status == 202
    return device_id, next(iter(platform.table(invocations.INVOCATIONS).rows))


def acknowledge_call(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id, invocation_id = called(platform, app)
    return device_id, lambda: invocations.delivered(platform, invocation_id)


def answer_call(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id, invocation_id = called(platform, app)
    return device_id, lambda: invocations.answered(platform, invocation_id, {})


def upgrade_step(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    platform.settings.upgrade_timeout = 1e6
    device_id = app.register("m", productId="water-meter-nb", timeout=0)
    devices.set_online(platform, device_id)
    body = {"fileId": package(app), "targets": {"devices": [device_id]}}
    assert app.call("POST", f"{OPERATIONS}/firmwareUpgrade", body).status == 200
    settle(platform)
    sub = next(iter(platform.table(upgrades.SUB_OPERATIONS).rows))
    return device_id, lambda: upgrades.report_state(platform, sub, "downloading")


def event(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id = app.register("n", timeout=0)
    devices.set_online(platform, device_id)
    return device_id, lambda: events.device_event(platform, device_id, "A", "fell", {})


def alarm(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id = app.register("n", timeout=0)
    devices.set_online(platform, device_id)
    return device_id, lambda: devices.report_alarm(platform, device_id, "major")


def add_child(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id = app.register("n", timeout=0)
    devices.set_online(platform, device_id)
    return device_id, lambda: devices.add_sub_device(platform, device_id, "child")


def remove_child(platform: Platform, app: Caller) -> tuple[str, Callable[[], Any]]:
    device_id = app.register("n", timeout=0)
    child = devices.add_sub_device(platform, device_id, "child")["deviceId"]
    return device_id, lambda: devices.remove_sub_device(platform, device_id, child)


SIGNS = [
    acknowledge, answer, acknowledge_call, answer_call, upgrade_step, event, alarm, add_child, remove_child,
]  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(("hours", "was"), [(24, "ONLINE"), (26, "ABNORMAL"), (50, "OFFLINE")])
def test_everything_that_a_device_says_is_a_sign_of_life(
    platform: Platform, app: Caller, sign: Callable[[Platform, Caller], Any], hours: int, was: str
) -> None:
    device_id, act = sign(platform, app)
    platform.advance(hours * 3600)
    assert status(app.login(), device_id)[0] == was
    act()
    assert status(app, device_id) == ("ONLINE", "NONE")
    platform.advance(25 * 3600 - 1)
    assert status(app.login(), device_id)[0] == "ONLINE"
    platform.advance(1)
    assert status(app.login(), device_id)[0] == "ABNORMAL"


def test_a_command_that_was_never_sent_cannot_be_acknowledged(platform: Platform, app: Caller) -> None:
    device_id = app.register("m", productId="water-meter-nb", timeout=0)
    command_id = command(app, device_id)
    commands.answered(platform, command_id, ok=True)
    assert status(app, device_id)[0] == "INACTIVE"


def test_a_message_of_a_deleted_device_changes_nothing(platform: Platform, app: Caller) -> None:
    device_id, command_id = issued(platform, app)
    app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
    commands.answered(platform, command_id, ok=True)
    assert devices.find(platform, device_id) is None


def test_a_silent_device_stays_abnormal_if_no_time_for_offline_is_set(platform: Platform, app: Caller) -> None:
    platform.settings.abnormal_after, platform.settings.offline_after = 10, None
    device_id = app.register("n", timeout=0)
    devices.set_online(platform, device_id)
    platform.advance(11)
    assert status(app, device_id)[0] == "ABNORMAL"
    assert platform.next_due() is None


def test_a_deleted_device_is_not_watched(platform: Platform, app: Caller) -> None:
    device_id = app.register("n", timeout=0)
    devices.set_online(platform, device_id)
    app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
    platform.advance(72 * 3600)
    assert devices.find(platform, device_id) is None
