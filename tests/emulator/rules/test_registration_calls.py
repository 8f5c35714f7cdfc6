from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices
from tests.emulator.calling import Caller, code_of

REGISTER = "/iocm/app/reg/v1.1.0/deviceCredentials"
WITH_SECRET = "/iocm/app/reg/v2.0.0/deviceCredentials"


def modify(app: Caller, device_id: str, **fields: Any) -> tuple[int, str | None]:
    return code_of(app.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{device_id}", fields))


def test_a_registration_returns_what_it_was_given(app: Caller) -> None:
    body = app.call("POST", REGISTER, {"nodeId": "n", "verifyCode": "v", "psk": "0aF0aF0aF0", "timeout": 7}).body
    assert set(body) == {"deviceId", "verifyCode", "psk", "timeout"}
    assert (body["verifyCode"], body["psk"], body["timeout"]) == ("v", "0aF0aF0aF0", 7)


def test_a_node_id_alone_is_enough_and_the_rest_is_made(app: Caller) -> None:
    body = app.call("POST", REGISTER, {"nodeId": "n"}).body
    assert len(body["psk"]) == 32
    assert body["verifyCode"]


def test_a_registration_in_password_mode_returns_its_secret(app: Caller) -> None:
    given = {"deviceInfo": {"nodeId": "m", "model": "x"}, "mqttConnect": True, "secret": "s3cret", "region": "north"}
    body = app.call("POST", WITH_SECRET, given).body
    assert set(body) == {"deviceId", "psk", "secret"}
    assert body["secret"] == "s3cret"
    made = app.call("POST", WITH_SECRET, {"deviceInfo": {"nodeId": "m2"}, "productId": "home-gateway-mqtt"}).body[
        "secret"
    ]
    assert len(made) == 20


@pytest.mark.parametrize("info", [{}, {"model": None}, {"model": ""}, {"manufacturerId": "NETZWERK"}])
def test_a_device_in_password_mode_says_its_product_or_its_model(app: Caller, info: dict[str, Any]) -> None:
    given = {"deviceInfo": {"nodeId": "m", **info}}
    assert code_of(app.call("POST", WITH_SECRET, given)) == (400, "50400")
    assert "model" in app.last.body["error_desc"]
    assert app.call("POST", WITH_SECRET, {**given, "productId": "home-gateway-mqtt"}).status == 200


def test_the_device_carries_what_it_was_registered_with(app: Caller) -> None:
    info = {"manufacturerId": "X", "manufacturerName": "Xs", "deviceType": "T", "model": "M", "protocolType": "CoAP"}
    device_id = app.register("n", deviceInfo={**info, "name": "cellar"}, imsi="4600", isSecure=True)
    seen = app.device(device_id, select="imsi").body
    assert {name: seen["deviceInfo"][name] for name in info} == info
    assert seen["deviceInfo"]["name"] == "cellar"
    assert seen["deviceInfo"]["imsi"] == "4600"
    assert seen["deviceInfo"]["isSecurity"] == "TRUE"
    assert app.device(device_id).body["deviceInfo"]["imsi"] is None
    assert seen["nodeType"] == "UNKNOWN"


def test_a_product_id_names_the_five_fields(app: Caller) -> None:
    device_id = app.register("n", productId="smoke-detector-nb")
    body = app.device(device_id).body
    assert body["deviceInfo"]["manufacturerName"] == "Rauchwacht Safety"
    assert body["nodeType"] == "ENDPOINT"


@pytest.mark.parametrize("path", [REGISTER, WITH_SECRET])
def test_a_node_id_is_registered_once_on_the_whole_platform(path: str, app: Caller, other: Caller) -> None:
    body = {"nodeId": "n", "deviceInfo": {"nodeId": "n", "model": "m"}}
    assert app.call("POST", path, body).status == 200
    assert code_of(other.call("POST", path, body)) == (400, "100426")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "100007"),
        ({"nodeId": ""}, "50400"),
        ({"nodeId": "n" * 257}, "50400"),
        ({"nodeId": 5}, "50400"),
        ({"nodeId": "n", "psk": "xyz12345"}, "50400"),
        ({"nodeId": "n", "psk": "abc"}, "50400"),
        ({"nodeId": "n", "timeout": -1}, "50400"),
        ({"nodeId": "n", "timeout": 2147483648}, "50400"),
        ({"nodeId": "n", "timeout": "3 minutes"}, "50400"),
        ({"nodeId": "n", "verifyCode": "a b"}, "100003"),
        ({"nodeId": "n", "verifyCode": ""}, "100003"),
        ({"nodeId": "n", "isSecure": "yes"}, "50400"),
        ({"nodeId": "n", "imsi": ""}, "50400"),
        ({"nodeId": "n", "deviceInfo": {"name": "no model"}}, "50400"),
        ({"nodeId": "n", "deviceInfo": {"model": 7}}, "50400"),
    ],
)
def test_a_registration_is_checked(app: Caller, body: Any, code: str) -> None:
    assert code_of(app.call("POST", REGISTER, body)) == (400, code)


def test_a_device_with_a_refreshed_key_has_to_connect_again(platform: Platform, app: Caller) -> None:
    device_id = app.register("old")
    devices.activate(platform, device_id)
    body = app.call("PUT", f"{REGISTER}/{device_id}", {"nodeId": "new", "verifyCode": "c", "timeout": 50}).body
    assert body == {"verifyCode": "c", "timeout": 50}
    assert app.call("GET", f"{REGISTER}/{device_id}").body["activated"] is False
    assert app.device(device_id).body["deviceInfo"]["nodeId"] == "new"
    assert app.register("old")
    platform.advance(50)
    assert code_of(app.device(device_id)) == (404, "100403")


def test_changes_are_stored_and_pushed(platform: Platform, app: Caller, told: list[Any]) -> None:
    device_id = app.register("n", timeout=0)
    told.clear()
    platform.advance(60)
    given = {"name": "roof", "location": "Oslo", "isSecure": True, "tags": [{"tagName": "t", "tagValue": "v"}]}
    assert modify(app, device_id, **given) == (204, None)
    body = app.device(device_id).body
    assert (body["deviceInfo"]["name"], body["deviceInfo"]["location"]) == ("roof", "Oslo")
    assert body["deviceInfo"]["isSecurity"] == "TRUE"
    assert (body["createTime"], body["lastModifiedTime"]) == ("20231114T221320Z", "20231114T221420Z")
    [(_, kind, pushed)] = told
    assert (kind, pushed["deviceInfo"]["name"]) == ("deviceInfoChanged", "roof")
    assert platform.table("devices")[device_id]["tags"] == given["tags"]


def test_a_device_with_a_new_identity_changes_its_product(app: Caller) -> None:
    device_id = app.register("n", productId="water-meter-nb")
    assert modify(app, device_id, manufacturerId="LUMENFELD", manufacturerName="Lumenfeld Lighting", model="LF-LED60",
                  deviceType="StreetLamp", protocolType="LWM2M") == (204, None)  # fmt: skip
    answer = app.call("GET", "/iocm/app/data/v1.1.0/deviceCapabilities", deviceId=device_id)
    services = answer.body["deviceCapabilities"][0]["serviceCapabilities"]
    assert services[0]["serviceId"] == "Lamp"
    assert modify(app, device_id, model="unheard-of") == (204, None)
    answer = app.call("GET", "/iocm/app/data/v1.1.0/deviceCapabilities", deviceId=device_id)
    assert answer.body["deviceCapabilities"][0]["serviceCapabilities"] == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": ""}, "100022"),
        ({"location": "x" * 1025}, "100022"),
        ({"mute": "maybe"}, "100022"),
        ({"isSecure": "no"}, "100440"),
        ({"tags": [{"tagName": "t", "tagValue": "v", "tagType": "one"}]}, "100022"),
        ({"deviceConfig": {"dataConfig": {"dataAgingTime": 91}}}, "100022"),
        ({"tags": [{"tagName": "t"}]}, "100022"),
        ({"psk": "nothex00"}, "100022"),
        ({"productId": "unheard-of"}, "100022"),
    ],
)
def test_a_change_is_checked_and_a_refused_one_changes_nothing(app: Caller, fields: Any, code: str) -> None:
    device_id = app.register("n")
    before = app.device(device_id).body
    assert modify(app, device_id, **{"name": "new", **fields}) == (400, code)
    assert app.device(device_id).body == before


def test_cascade_is_a_boolean_in_text(app: Caller) -> None:
    device_id = app.register("n")
    path = f"/iocm/app/dm/v1.4.0/devices/{device_id}"
    assert app.call("DELETE", path, cascade="yes").status == 400
    assert app.call("DELETE", path, cascade="true").status == 204
    assert code_of(app.call("DELETE", path)) == (404, "100403")
