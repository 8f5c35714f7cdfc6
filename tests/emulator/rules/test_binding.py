from __future__ import annotations

import logging
from typing import Any

import pytest

from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import binding, device_logins, devices
from tests.emulator.calling import Caller, code_of

INFO = {"manufacturerId": "Acme", "deviceType": "Gateway", "model": "GW1", "protocolType": "MQTT"}
WITH_SECRET = "/iocm/app/reg/v2.0.0/deviceCredentials"


def refused(platform: Platform, code: str, node_id: str = "gw-1") -> str:
    with pytest.raises(Refusal) as caught:
        binding.bind(platform, code, node_id, INFO)
    return caught.value.code


def bound(platform: Platform, app: Caller, node_id: str = "gw-1") -> dict[str, Any]:
    app.register(node_id, verifyCode=node_id)
    return binding.bind(platform, node_id, node_id, INFO)


def test_a_device_that_binds_gets_a_secret_and_is_activated(
    platform: Platform, app: Caller, told: list[tuple[str, str, dict[str, Any]]]
) -> None:
    device_id = app.register("gw-1", verifyCode="gw-1")
    assert "secret" not in devices.need(platform, device_id)
    told.clear()
    row = binding.bind(platform, "gw-1", "gw-1", {**INFO, "swVersion": "1.2"})
    assert row["deviceId"] == device_id
    assert len(row["secret"]) == 20
    assert row["activated"]
    assert row["status"] == "OFFLINE"
    assert row["swVersion"] == "1.2"
    assert [(kind, body["resultCode"]) for _, kind, body in told if kind == "bindDevice"] == [
        ("bindDevice", "succeeded")
    ]
    platform.advance(10_000)
    assert devices.find(platform, device_id) is not None, "a bound device does not expire"


def test_a_device_may_bind_again_until_it_has_logged_in(platform: Platform, app: Caller) -> None:
    row = bound(platform, app)
    again = binding.bind(platform, "gw-1", "gw-1", INFO)
    assert (again["deviceId"], again["secret"]) == (row["deviceId"], row["secret"])
    device_logins.login(platform, "app-one", row["deviceId"], row["secret"])
    assert refused(platform, "gw-1") == "100416"


def test_a_device_may_bind_again_until_it_has_connected(platform: Platform, app: Caller) -> None:
    row = bound(platform, app)
    devices.set_online(platform, row["deviceId"])
    assert refused(platform, "gw-1") == "100416"


def test_a_code_that_no_registration_has_is_refused(
    platform: Platform, app: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    assert refused(platform, "gw-1") == "100410"
    app.register("gw-1", verifyCode="right-code")
    assert refused(platform, "wrong-code") == "100410"
    assert refused(platform, "right-code", "gw-2") == "100410"
    with caplog.at_level(logging.WARNING):
        assert refused(platform, "gw-1") == "100410"
    assert "binds with its nodeId" in caplog.text
    assert "right-code" not in caplog.text


def test_an_expired_code_is_refused_as_expired_until_the_device_is_registered_again(
    platform: Platform, app: Caller
) -> None:
    app.register("gw-1", verifyCode="gw-1", timeout=60)
    platform.advance(61)
    assert refused(platform, "gw-1") == "100411"
    assert refused(platform, "another") == "100410"
    app.register("gw-1", verifyCode="gw-1", timeout=60)
    assert binding.bind(platform, "gw-1", "gw-1", INFO)["secret"]


def test_an_expired_code_is_forgotten_after_a_while(platform: Platform, app: Caller) -> None:
    for _ in range(2):
        app.login().register("gw-1", verifyCode="gw-1", timeout=60)
        platform.advance(binding.EXPIRED_KEPT - 100)
        assert refused(platform, "gw-1") == "100411"
    platform.advance(161)
    assert refused(platform, "gw-1") == "100410"
    assert len(platform.table(binding.EXPIRED)) == 0


def test_registration_for_mqtt_without_a_direct_connection_returns_a_code_to_bind_with(
    platform: Platform, app: Caller
) -> None:
    info = {"nodeId": "gw-1", "model": "GW1"}
    answer = app.call("POST", WITH_SECRET, {"deviceInfo": info, "mqttConnect": False})
    assert set(answer.body) == {"deviceId", "psk", "secret", "verifyCode"}
    given = answer.body
    assert devices.need(platform, given["deviceId"])["mustBind"]
    with pytest.raises(Refusal, match="100410"):
        device_logins.login(platform, "app-one", given["deviceId"], given["secret"])
    row = binding.bind(platform, given["verifyCode"], "gw-1", INFO)
    assert row["secret"] == given["secret"]
    assert not row["mustBind"]
    assert device_logins.login(platform, "app-one", given["deviceId"], given["secret"])


@pytest.mark.parametrize("connect", [{}, {"mqttConnect": True}])
def test_registration_for_mqtt_otherwise_returns_no_code(
    platform: Platform, app: Caller, connect: dict[str, bool]
) -> None:
    answer = app.call("POST", WITH_SECRET, {"deviceInfo": {"nodeId": "d", "model": "m"}, **connect})
    assert set(answer.body) == {"deviceId", "psk", "secret"}
    assert not devices.need(platform, answer.body["deviceId"]).get("mustBind")


def test_after_a_new_key_the_device_has_to_bind_again_and_gets_another_secret(platform: Platform, app: Caller) -> None:
    row = bound(platform, app)
    granted = device_logins.login(platform, "app-one", row["deviceId"], row["secret"])
    answer = app.call("PUT", f"/iocm/app/reg/v1.1.0/deviceCredentials/{row['deviceId']}", {"verifyCode": "new"})
    assert code_of(answer) == (200, None)
    with pytest.raises(Refusal, match="1010005"):
        device_logins.authenticated(platform, granted["accessToken"])
    with pytest.raises(Refusal, match="100208"):
        device_logins.login(platform, "app-one", row["deviceId"], row["secret"])
    assert refused(platform, "gw-1") == "100410"
    again = binding.bind(platform, "new", "gw-1", INFO)
    assert again["secret"] != row["secret"]


def test_what_the_application_said_about_a_device_stays(platform: Platform, app: Caller) -> None:
    app.register("gw-1", verifyCode="gw-1", productId="home-gateway-mqtt", deviceInfo={"name": "the hall"})
    before = devices.same_node(platform, "gw-1")
    assert before is not None
    row = binding.bind(platform, "gw-1", "gw-1", {**INFO, "name": "gw", "mac": "00-11"})
    assert (row["name"], row["mac"], row["model"]) == ("the hall", "00-11", before["model"])
    assert row["productId"] == "home-gateway-mqtt"


def test_a_binding_device_fills_the_gaps_of_its_registration_and_so_finds_its_model(
    platform: Platform, app: Caller
) -> None:
    model = devices.need(platform, app.register("known", productId="home-gateway-mqtt"))
    app.register("gw-1", verifyCode="gw-1")
    info = {name: model[name] for name in ("manufacturerId", "deviceType", "model", "protocolType")}
    assert binding.bind(platform, "gw-1", "gw-1", info)["productId"] == "home-gateway-mqtt"
