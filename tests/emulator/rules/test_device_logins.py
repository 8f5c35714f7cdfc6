from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.rules import applications, binding, device_logins, devices
from tests.emulator.calling import Caller

INFO = {"manufacturerId": "Acme", "deviceType": "Gateway", "model": "GW1", "protocolType": "MQTT"}


@pytest.fixture
def settings() -> Settings:
    return Settings(token_lifetime=600, refresh_token_lifetime=6_000)


@pytest.fixture
def gateway(platform: Platform, app: Caller) -> dict[str, Any]:
    app.register("gw-1", verifyCode="gw-1")
    return binding.bind(platform, "gw-1", "gw-1", INFO)


def login(platform: Platform, gateway: dict[str, Any], **other: str) -> dict[str, Any]:
    given = {"app_id": "app-one", "device_id": gateway["deviceId"], "secret": gateway["secret"], **other}
    return device_logins.login(platform, **given)


def test_a_token_stands_for_its_device_as_long_as_it_lives(platform: Platform, gateway: dict[str, Any]) -> None:
    token = login(platform, gateway)["accessToken"]
    assert device_logins.authenticated(platform, token)["deviceId"] == gateway["deviceId"]
    platform.advance(601)
    with pytest.raises(Refusal, match="1010005"):
        device_logins.authenticated(platform, token)


@pytest.mark.parametrize("token", [None, "", "unknown"])
def test_no_token_and_an_unknown_one_are_refused(platform: Platform, token: str | None) -> None:
    with pytest.raises(Refusal, match="1010005"):
        device_logins.authenticated(platform, token)


@pytest.mark.parametrize("other", [{"secret": "wrong"}, {"secret": "wörng"}, {"app_id": "app-two"}, {"secret": ""}])
def test_what_does_not_fit_together_is_refused(
    platform: Platform, gateway: dict[str, Any], other: dict[str, str]
) -> None:
    with pytest.raises(Refusal, match="100208"):
        login(platform, gateway, **other)


def test_a_device_without_a_secret_cannot_log_in(platform: Platform, app: Caller) -> None:
    device_id = app.register("plain")
    with pytest.raises(Refusal, match="100208"):
        device_logins.login(platform, "app-one", device_id, "")


def test_an_unknown_device_and_one_behind_a_gateway_do_not_exist(platform: Platform, gateway: dict[str, Any]) -> None:
    child = devices.add_sub_device(platform, gateway["deviceId"], "child")
    for device_id in ("unknown", child["deviceId"]):
        with pytest.raises(Refusal, match="404 100403"):
            login(platform, gateway, device_id=device_id)


def test_a_device_of_a_removed_application_cannot_log_in(platform: Platform, gateway: dict[str, Any]) -> None:
    applications.remove_application(platform, "app-one")
    with pytest.raises(Refusal, match="100208"):
        login(platform, gateway)


def test_a_refresh_token_is_good_once(platform: Platform, gateway: dict[str, Any]) -> None:
    first = login(platform, gateway)
    platform.advance(1_000)
    second = device_logins.renew(platform, first["refreshToken"])
    assert second["mqttClientId"] == first["mqttClientId"]
    assert device_logins.authenticated(platform, second["accessToken"])
    with pytest.raises(Refusal, match="100208"):
        device_logins.renew(platform, first["refreshToken"])
    platform.advance(6_001)
    with pytest.raises(Refusal, match="100208"):
        device_logins.renew(platform, second["refreshToken"])


def test_a_new_login_ends_the_one_before(platform: Platform, gateway: dict[str, Any]) -> None:
    first, second = login(platform, gateway), login(platform, gateway)
    assert device_logins.has_mqtt_client(platform, gateway["deviceId"], second["mqttClientId"])
    assert not device_logins.has_mqtt_client(platform, gateway["deviceId"], "another")
    with pytest.raises(Refusal, match="1010005"):
        device_logins.authenticated(platform, first["accessToken"])


def test_the_login_of_a_deleted_device_ends(platform: Platform, gateway: dict[str, Any]) -> None:
    granted = login(platform, gateway)
    devices.delete(platform, gateway)
    with pytest.raises(Refusal, match="1010005"):
        device_logins.authenticated(platform, granted["accessToken"])
    with pytest.raises(Refusal, match="404 100403"):
        login(platform, gateway)
