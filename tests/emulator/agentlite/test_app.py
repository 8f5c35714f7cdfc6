from __future__ import annotations

import json
import re
from typing import Any

import pytest

from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire

from .conftest import BIND, DEVICES, INFO, LOGIN, REFRESH, Device

REGISTRATION = "/iocm/app/reg/v1.1.0/deviceCredentials"
CHILD = {"nodeId": "sensor-1", "manufacturerId": "Acme", "deviceType": "Sensor", "model": "S1", "protocolType": "MQTT"}


def register(wire: Wire, node_id: str = "gw-1") -> str:
    status, answer = wire.call("POST", REGISTRATION, {"nodeId": node_id, "verifyCode": node_id})
    assert status == 200, answer
    return str(answer["deviceId"])


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error_code"]


def children(wire: Wire, gateway_id: str) -> dict[str, dict[str, Any]]:
    status, answer = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices?gatewayId={gateway_id}")
    assert status == 200, answer
    return {each["deviceId"]: each for each in answer["devices"] if each["deviceId"] != gateway_id}


def test_a_device_binds_and_logs_in_without_a_client_certificate(device: Device, wire: Wire) -> None:
    device_id = register(wire)
    bound = device.bind()
    assert bound == {
        "deviceId": device_id, "appId": wire.emulator.app_id, "secret": bound["secret"],
        "addrHAServer": "localhost", "addrLVSServer": "localhost", "mqttPort": None,
    }  # fmt: skip
    granted = device.login(bound)
    assert granted["tokenType"] == "bearer"
    assert granted["timeout"] == "3600"
    assert wire.call("GET", f"{REGISTRATION}/{device_id}")[1]["activated"]


def test_codes_that_are_unknown_used_or_expired_are_refused(device: Device, wire: Wire) -> None:
    body = {"verifyCode": "gw-1", "deviceInfo": INFO}
    assert code_of(device.call("POST", BIND, body)) == (400, "100410")
    wire.call("POST", REGISTRATION, {"nodeId": "gw-1", "verifyCode": "gw-1", "timeout": 30})
    wire.emulator.control.advance(31)
    assert code_of(device.call("POST", BIND, body)) == (400, "100411")
    register(wire)
    device.login(device.bind())
    assert code_of(device.call("POST", BIND, body)) == (400, "100416")


def test_every_answer_says_that_it_comes_from_an_emulator(device: Device, gateway: Device) -> None:
    for method, path in (("GET", BIND), ("POST", BIND), ("POST", "/nowhere"), ("POST", DEVICES), ("DELETE", LOGIN)):
        device.call(method, path)
        assert device.last.headers["X-Iot-Northbound-Emulator"] == "1", (method, path)


def test_a_slash_at_the_end_of_a_path_makes_no_difference(device: Device, wire: Wire) -> None:
    for path in (BIND, LOGIN, DEVICES, f"{DEVICES}/some-id"):
        method = "PUT" if path.endswith("some-id") else "POST"
        assert device.call(method, f"{path}/", {}) == device.call(method, path, {})


def test_paths_and_methods_that_do_not_exist_are_refused(device: Device) -> None:
    for path in ("/", "/iocm/app/sec/v1.1.0/login", f"{DEVICES}/a/b", f"{DEVICES}//", f"{BIND}//"):
        assert code_of(device.call("POST", path, {})) == (404, "50404")
    assert code_of(device.call("GET", LOGIN)) == (405, "50405")
    assert device.last.headers["Allow"] == "POST"
    assert code_of(device.call("POST", f"{DEVICES}/some-id", {})) == (405, "50405")
    assert device.last.headers["Allow"] == "DELETE, PUT"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (BIND, b"{", "not valid JSON"),
        (BIND, b"[]", "JSON object"),
        (BIND, b"", "verifyCode is missing"),
        (BIND, b'{"verifyCode":"a"}', "deviceInfo is missing"),
        (BIND, b'{"verifyCode":"a","deviceInfo":{"nodeId":"a"}}', "manufacturerId is missing"),
        (BIND, b'{"verifyCode":1,"deviceInfo":{}}', "verifyCode must be a string"),
        (LOGIN, b'{"appId":"a","deviceId":"b"}', "secret is missing"),
        (REFRESH, b"{}", "refreshToken is missing"),
    ],
)
def test_a_body_with_a_mistake_is_refused_with_a_text_that_names_it(
    device: Device, path: str, body: bytes, said: str
) -> None:
    status, answer = device.raw("POST", path, body)
    assert status == 400
    assert said in answer["error_desc"]


def test_web_pages_may_not_call(device: Device, wire: Wire) -> None:
    register(wire)
    body = json.dumps({"verifyCode": "gw-1", "deviceInfo": INFO}).encode()
    assert device.raw("POST", BIND, body, Origin="https://evil.example")[0] == 403
    assert device.raw("POST", BIND, body, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert device.bind()


def test_a_body_beyond_the_limit_is_refused(device: Device, emulator: Emulator) -> None:
    status, _ = device.raw("POST", BIND, None, **{"Content-Length": "100000000"})
    assert status == 413
    device.close()
    assert code_of(device.call("GET", LOGIN)) == (405, "50405")


def test_a_gateway_adds_updates_and_removes_a_device(gateway: Device, wire: Wire, emulator: Emulator) -> None:
    status, added = gateway.call("POST", DEVICES, {"deviceInfo": {**CHILD, "name": "hall", "swVersion": "1"}})
    assert (status, added["result"]) == (200, 0)
    gateway_id = children_of = wire.devices()[-1]
    seen = children(wire, children_of)[added["deviceId"]]
    assert seen["gatewayId"] == gateway_id
    assert (seen["deviceInfo"]["name"], seen["deviceInfo"]["status"]) == ("hall", "ONLINE")
    path = f"{DEVICES}/{added['deviceId']}"
    body = {"status": "OFFLINE", "statusDetail": "BRIDGE_OFFLINE"}
    assert gateway.call("PUT", path, body) == (200, {"deviceId": added["deviceId"]})
    info = children(wire, gateway_id)[added["deviceId"]]["deviceInfo"]
    assert (info["status"], info["statusDetail"]) == ("OFFLINE", "BRIDGE_OFFLINE")
    assert gateway.call("PUT", path, {"status": "ONLINE", "statusDetail": "None"})[0] == 200
    assert children(wire, gateway_id)[added["deviceId"]]["deviceInfo"]["statusDetail"] == "NONE"
    assert gateway.call("DELETE", path) == (204, None)
    assert children(wire, gateway_id) == {}
    for method, given in (("PUT", body), ("DELETE", None)):
        assert code_of(gateway.call(method, path, given)) == (404, "100403")


def test_a_device_that_the_gateway_has_already_is_described_anew_and_keeps_its_id(
    gateway: Device, wire: Wire, emulator: Emulator
) -> None:
    first = gateway.call("POST", DEVICES, {"deviceInfo": CHILD})[1]
    again = {**CHILD, "swVersion": "2", "status": "OFFLINE", "statusDetail": "NOT_ACTIVE"}
    assert gateway.call("POST", DEVICES, {"deviceInfo": again}) == (200, {"deviceId": first["deviceId"], "result": 1})
    _, answer = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{first['deviceId']}")
    assert (answer["deviceInfo"]["swVersion"], answer["deviceInfo"]["status"]) == ("2", "OFFLINE")


def test_several_devices_are_added_all_or_none(gateway: Device, wire: Wire) -> None:
    bad = [CHILD, {**CHILD, "nodeId": "sensor-2", "model": None}]
    assert code_of(gateway.call("POST", f"{DEVICES}/sync", {"deviceInfos": bad})) == (400, "100022")
    assert len(wire.devices()) == 1
    gateway.call("POST", DEVICES, {"deviceInfo": CHILD})
    good = [CHILD, {**CHILD, "nodeId": "sensor-2"}]
    status, answer = gateway.call("POST", f"{DEVICES}/sync", {"deviceInfos": good})
    assert status == 200
    assert [(each["nodeId"], each["result"]) for each in answer["devices"]] == [("sensor-1", 1), ("sensor-2", 0)]
    assert len(wire.devices()) == 3


def test_a_gateway_reaches_only_its_own_devices(gateway: Device, wire: Wire, emulator: Emulator) -> None:
    register(wire, "gw-2")
    other = Device(emulator)
    other.login(other.bind("gw-2", nodeId="gw-2"))
    child = gateway.call("POST", DEVICES, {"deviceInfo": CHILD})[1]["deviceId"]
    body = {"status": "OFFLINE", "statusDetail": "NONE"}
    assert code_of(other.call("PUT", f"{DEVICES}/{child}", body)) == (404, "100403")
    assert code_of(other.call("DELETE", f"{DEVICES}/{child}")) == (404, "100403")
    own = next(each for each in wire.devices() if each != child)
    assert code_of(gateway.call("PUT", f"{DEVICES}/{own}", body)) == (404, "100403")
    other.close()


def test_calls_about_children_need_a_token_that_lives(gateway: Device, emulator: Emulator) -> None:
    for token in ("", "Bearer ", "Bearer wrong", "Basic eDp5"):
        gateway_headers = {"Authorization": token}
        assert code_of(gateway.raw("POST", DEVICES, b"{}", **gateway_headers)) == (403, "1010005")
    emulator.control.advance(3_601)
    assert code_of(gateway.call("POST", DEVICES, {"deviceInfo": CHILD})) == (403, "1010005")


def test_a_refresh_token_gets_new_tokens_once(device: Device, wire: Wire, emulator: Emulator) -> None:
    register(wire)
    granted = device.login(device.bind())
    status, renewed = device.call("POST", REFRESH, {"refreshToken": granted["refreshToken"]})
    assert status == 200
    assert renewed["mqttClientId"] == granted["mqttClientId"]
    assert code_of(device.call("POST", REFRESH, {"refreshToken": granted["refreshToken"]})) == (401, "100208")
    assert code_of(device.call("POST", DEVICES, {"deviceInfo": CHILD})) == (403, "1010005")
    device.headers["Authorization"] = f"Bearer {renewed['accessToken']}"
    assert device.call("POST", DEVICES, {"deviceInfo": CHILD})[0] == 200


def test_a_deleted_gateway_does_not_exist_for_the_login(device: Device, wire: Wire) -> None:
    device_id = register(wire)
    bound = device.bind()
    device.login(bound)
    assert wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device_id}")[0] == 204
    body = {name: bound[name] for name in ("appId", "deviceId", "secret")}
    assert code_of(device.call("POST", LOGIN, body)) == (404, "100403")


def test_the_journal_names_the_calls_and_no_secret(
    device: Device, wire: Wire, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.control.clear_journal(bodies=True)
    wire.call("POST", REGISTRATION, {"nodeId": "gw-1", "verifyCode": "code-7531"})
    bound = device.bind("code-7531")
    granted = device.login(bound)
    device.call("POST", DEVICES, {"deviceInfo": CHILD})
    device.call("POST", REFRESH, {"refreshToken": granted["refreshToken"]})
    entries = emulator.control.journal(kind="agentlite")
    assert [(each["endpoint"], each["status"]) for each in entries] == [
        (f"POST {BIND}", 200), (f"POST {LOGIN}", 200), (f"POST {DEVICES}", 200), (f"POST {REFRESH}", 200),
    ]  # fmt: skip
    assert {each["deviceId"] for each in entries} == {bound["deviceId"]}
    kept = json.dumps(emulator.control.journal()) + caplog.text
    for secret in ("code-7531", bound["secret"], granted["accessToken"], granted["refreshToken"]):
        assert not re.search(re.escape(secret), kept)
