"""Every change of a device is pushed as deviceInfoChanged, and a first connection as bindDevice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, scripts
from tests.emulator.calling import Caller

Told = list[tuple[str, str, dict[str, Any]]]


def kinds(told: Told) -> list[str]:
    return [kind for _, kind, _ in told]


def status(app: Caller, device_id: str) -> tuple[str, str]:
    info = app.device(device_id).body["deviceInfo"]
    return info["status"], info["statusDetail"]


def refresh(platform: Platform, app: Caller, device_id: str) -> None:
    body = {"nodeId": "another", "verifyCode": "another"}
    assert app.call("PUT", f"/iocm/app/reg/v1.1.0/deviceCredentials/{device_id}", body).status == 200


def modified(**fields: Any) -> Callable[[Platform, Caller, str], None]:
    def act(platform: Platform, app: Caller, device_id: str) -> None:
        assert app.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{device_id}", fields).status == 204

    return act


CHANGES: dict[str, Callable[[Platform, Caller, str], Any]] = {
    "refreshed key": refresh,
    "name": modified(name="attic"),
    "location": modified(location="Oslo"),
    "mute": modified(mute="TRUE"),
    "security": modified(isSecure=True),
    "tags": modified(tags=[{"tagName": "t", "tagValue": "v"}]),
    "organization": modified(organization="north"),
    "product": modified(productId="street-lamp-nb"),
    "what it says of itself": lambda platform, _, device_id: devices.report_info(platform, device_id, fwVersion="2"),
    "alarm": lambda platform, _, device_id: devices.report_alarm(platform, device_id, "minor"),
    "online": lambda platform, _, device_id: devices.set_online(platform, device_id),
    "abnormal": lambda platform, _, device_id: devices.set_offline(platform, device_id, status="ABNORMAL"),
    "detail": lambda platform, _, device_id: devices.set_offline(platform, device_id, "DUTY_CYCLE"),
    "detail online": lambda platform, _, device_id: devices.set_online(platform, device_id, "UE_REACHABILITY"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_device_is_pushed_with_the_new_values(
    platform: Platform, app: Caller, told: Told, change: str
) -> None:
    device_id = app.register("n", productId="water-meter-nb", timeout=0)
    devices.activate(platform, device_id)
    told.clear()
    CHANGES[change](platform, app, device_id)
    [pushed] = [body for _, kind, body in told if kind == "deviceInfoChanged"][-1:]
    seen = app.device(device_id).body
    assert {name: seen["deviceInfo"][name] for name in pushed["deviceInfo"]} == pushed["deviceInfo"]
    assert (pushed["deviceId"], pushed["gatewayId"]) == (device_id, seen["gatewayId"])


def test_a_change_to_the_same_values_is_not_pushed(platform: Platform, app: Caller, told: Told) -> None:
    device_id = app.register("n", productId="water-meter-nb", timeout=0)
    devices.set_online(platform, device_id)
    for _ in range(2):
        modified(name="attic", location="Oslo")(platform, app, device_id)
        devices.report_info(platform, device_id, fwVersion="2")
        devices.set_online(platform, device_id)
    assert kinds(told).count("deviceInfoChanged") == 3  # online, modified, its version


@pytest.mark.parametrize(
    "connect",
    [
        lambda platform, device_id: devices.set_online(platform, device_id),
        lambda platform, device_id: devices.report(platform, device_id, "Battery", {"batteryLevel": 5}),
        lambda platform, device_id: devices.report_info(platform, device_id, mac="0"),
        lambda platform, device_id: devices.activate(platform, device_id),
        lambda platform, device_id: scripts.attach(platform, device_id),
    ],
)
@pytest.mark.parametrize("anew", [False, True])
def test_a_device_that_has_just_connected_is_bound_as_online(
    platform: Platform, app: Caller, told: Told, connect: Any, anew: bool
) -> None:
    device_id = app.register("n", productId="water-meter-nb")
    if anew:
        devices.activate(platform, device_id)
        refresh(platform, app, device_id)
        assert status(app, device_id) == ("INACTIVE", "NOT_ACTIVE")
        told.clear()
    connect(platform, device_id)
    [bound] = [body for _, kind, body in told if kind == "bindDevice"]
    assert (bound["resultCode"], bound["deviceInfo"]["status"]) == ("succeeded", "ONLINE")
    platform.advance(1000)
    assert app.device(device_id).status == 200
