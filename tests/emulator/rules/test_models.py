from __future__ import annotations

import copy
from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, models
from tests.emulator.calling import Caller, code_of
from tests.emulator.scene import COMMANDS, meter

OWN: dict[str, Any] = {
    "productId": "door-1",
    "manufacturerId": "M",
    "manufacturerName": "Maker",
    "deviceType": "Door",
    "model": "D1",
    "protocolType": "CoAP",
    "services": [
        {
            "serviceId": "Lock",
            "commands": [{"commandName": "OPEN", "paras": [{"paraName": "seconds", "dataType": "int", "max": 9}]}],
            "properties": [{"propertyName": "open", "dataType": "boolean", "method": "R"}],
        }
    ],
}


def test_the_shipped_models_cover_the_usual_devices() -> None:
    kinds = {model["deviceType"]: model.get("nodeType") for model in models.shipped()}
    assert {"WaterMeter", "StreetLamp", "SmokeDetector", "Gateway"} <= set(kinds)
    assert kinds["Gateway"] == "GATEWAY"
    for model in models.shipped():
        assert any(service.get("commands") for service in model["services"])
        assert any(service.get("properties") for service in model["services"])


def test_a_device_answers_its_models_capabilities_complete(app: Caller) -> None:
    device_id = app.register("n", productId="street-lamp-nb")
    answer = app.call("GET", "/iocm/app/data/v1.1.0/deviceCapabilities", deviceId=device_id)
    [device] = answer.body["deviceCapabilities"]
    assert device["deviceId"] == device_id
    lamp = device["serviceCapabilities"][0]
    assert set(lamp) == {"serviceId", "serviceType", "option", "description", "commands", "properties"}
    brightness = next(each for each in lamp["properties"] if each["propertyName"] == "brightness")
    assert brightness == {
        "propertyName": "brightness", "dataType": "int", "required": True, "min": "0", "max": "100", "step": None,
        "maxLength": None, "method": "RWE", "unit": "%", "enumList": None,
    }  # fmt: skip
    command = next(each for each in lamp["commands"] if each["commandName"] == "SET_BRIGHTNESS")
    assert [para["paraName"] for para in command["paras"]] == ["value", "fadeSeconds"]
    assert command["responses"][0]["paras"][0]["max"] == "255"


def test_capabilities_can_be_queried_by_gateway_too_and_unknown_ids_have_no_capabilities(app: Caller) -> None:
    path = "/iocm/app/data/v1.1.0/deviceCapabilities"
    bare = app.register("n")
    assert app.call("GET", path, gatewayId=bare).body == {
        "deviceCapabilities": [{"deviceId": bare, "serviceCapabilities": []}]
    }
    assert app.call("GET", path, deviceId="none").body == {"deviceCapabilities": []}
    app.register("m")
    assert len(app.call("GET", path).body["deviceCapabilities"]) == 2
    assert code_of(app.call("GET", path, deviceId="x" * 257)) == (400, "100022")


def test_an_applications_model_is_its_own(platform: Platform, app: Caller, other: Caller, told: list[Any]) -> None:
    models.add_model(platform, "app-one", OWN)
    assert [kind for _, kind, _ in told] == ["deviceCapabilitiesAdded", "deviceModelAdded"]
    assert app.register("n", productId="door-1")
    answer = other.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "m", "productId": "door-1"})
    assert code_of(answer) == (403, "600002")
    models.add_model(platform, "app-one", {**OWN, "deviceType": "Gate"})
    assert told[-1][1] == "deviceCapabilitiesChanged"
    models.delete_model(platform, "door-1")
    assert [kind for _, kind, _ in told[-2:]] == ["deviceCapabilitiesDeleted", "deviceModelDeleted"]
    with pytest.raises(KeyError):
        models.delete_model(platform, "door-1")


def test_the_five_fields_find_a_model_if_the_given_ones_fit(platform: Platform) -> None:
    meter = {"manufacturerId": "HYDRALIS", "model": "HM20"}
    found = models.match(platform, "app-one", meter)
    assert found is not None
    assert found["productId"] == "water-meter-nb"
    assert models.match(platform, "app-one", {**meter, "protocolType": "CoAP"}) == found
    assert models.match(platform, "app-one", {**meter, "protocolType": "MQTT"}) is None
    assert models.match(platform, "app-one", {"model": "HM20"}) is None


@pytest.mark.parametrize(
    ("where", "value", "detail"),
    [
        (["deviceType"], None, "deviceType is missing"),
        (["services"], [], "services must have at least 1 items"),
        (["services", 0, "serviceId"], 5, "serviceId must be a string"),
        (["services", 0, "properties", 0, "method"], "XYZ", "method has characters"),
        (["services", 0, "commands", 0, "paras", 0, "max"], [], "max must be a number"),
        (["nodeType"], "ROUTER", "nodeType must be one of"),
    ],
)
def test_a_broken_model_is_refused_with_the_place(
    platform: Platform, where: list[Any], value: Any, detail: str
) -> None:
    model = copy.deepcopy(OWN)
    at: Any = model
    for step in where[:-1]:
        at = at[step]
    at[where[-1]] = value
    with pytest.raises(ValueError, match=detail):
        models.add_model(platform, "app-one", model)


PARAS = [
    {"paraName": "n", "dataType": "int", "required": True, "min": "1", "max": "5"},
    {"paraName": "s", "dataType": "string", "maxLength": 3},
    {"paraName": "e", "dataType": "enum", "enumList": ["A", "B"]},
    {"paraName": "d", "dataType": "decimal", "max": "1.5"},
    {"paraName": "odd", "dataType": "made-up"},
]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"n": 1, "s": "abc", "e": "B", "d": 1, "odd": [None]}, None),
        ({"n": 5, "s": None}, None),
        ({}, "n is missing"),
        ({"n": None}, "n is missing"),
        ({"n": 0}, "n must be at least 1"),
        ({"n": 6}, "n must be at most 5"),
        ({"n": True}, "n must be of type int"),
        ({"n": 1.5}, "n must be of type int"),
        ({"n": 1, "s": "abcd"}, "s must have at most 3 characters"),
        ({"n": 1, "e": "C"}, "e must be one of A, B"),
        ({"n": 1, "d": 1.6}, "d must be at most 1.5"),
        ({"n": 1, "x": 1}, "x is not a parameter of this command, which takes n, s, e, d, odd"),
    ],
)
def test_parameters_are_checked_against_their_model(given: dict[str, Any], fault: str | None) -> None:
    assert list(models.faults_in(PARAS, given)) == ([] if fault is None else [fault])


# --- what was hardly meant is said in the log ---


def hints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


METER_TOLD = {
    "manufacturerId": "HYDRALIS",
    "manufacturerName": "Hydralis Metering",
    "deviceType": "WaterMeter",
    "model": "HM20",
    "protocolType": "CoAP",
}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model": "hm20"}, "which has model 'HM20' (the device: 'hm20')"),
        ({"manufacturerId": None}, "which has manufacturerId 'HYDRALIS' (the device: none)"),
        (
            {"deviceType": "Meter", "protocolType": "LWM2M"},
            "deviceType 'WaterMeter' (the device: 'Meter'), protocolType",
        ),
    ],
)
def test_a_device_similar_to_a_model_gets_a_hint(
    app: Caller, caplog: pytest.LogCaptureFixture, changed: dict[str, Any], told: str
) -> None:
    info = {name: value for name, value in {**METER_TOLD, **changed}.items() if value is not None}
    device_id = app.register("m", deviceInfo=info, timeout=0)
    assert devices.need(app.platform, device_id).get("productId") is None
    (said,) = hints(caplog)
    assert "the most similar model is 'water-meter-nb'" in said
    assert device_id in said
    assert told in said
    app.register("another", deviceInfo=info, timeout=0)
    assert len(hints(caplog)) == 1


def test_a_device_that_fits_a_model_or_is_similar_to_no_model_gets_no_hint(
    app: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    app.register("fits", deviceInfo=METER_TOLD, timeout=0)
    app.register("tells nothing", timeout=0)
    app.register(
        "is like none", deviceInfo={"manufacturerId": "X", "model": "Y", "deviceType": "WaterMeter"}, timeout=0
    )
    assert hints(caplog) == []


def test_a_report_that_its_model_does_not_allow_is_taken_with_a_hint(
    app: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    device_id = meter(app, "m")
    for _ in range(2):
        devices.report(app.platform, device_id, "Battery", {"batteryLevel": "full", "nope": 1, "batteryVoltage": 3.6})
    assert [said.partition("'Battery': ")[2] for said in hints(caplog)] == [
        "batteryLevel must be of type int (this is logged once)",
        "nope is not a property of this service (this is logged once)",
    ]
    assert devices.need(app.platform, device_id)["services"]["Battery"]["data"]["batteryLevel"] == "full"


@pytest.mark.parametrize(
    ("product_id", "told"),
    [
        ("water-meter", "no product model has productId 'water-meter'; similar are water-meter-nb"),
        ("7f3c", "there are home-gateway-mqtt, climate-sensor-zigbee, smoke-detector-nb, street-lamp-nb, "),
    ],
)
def test_an_unknown_product_id_is_refused_with_the_known_ones(app: Caller, product_id: str, told: str) -> None:
    body = {"nodeId": "n", "productId": product_id}
    registered = app.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", body)
    assert code_of(registered) == (403, "600002")
    assert told in registered.body["error_desc"]
    device_id = app.register("n")
    changed = app.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{device_id}", {"productId": product_id})
    assert code_of(changed) == (400, "100022")
    assert told in changed.body["error_desc"]


@pytest.mark.parametrize(
    ("method", "paras", "told"),
    [
        ("SET_BRIGHTNES", {}, "service Lamp has no command SET_BRIGHTNES; it has SET_BRIGHTNESS, SWITCH"),
        (
            "SET_BRIGHTNESS",
            {"value": 5, "brightness": 5},
            "brightness is not a parameter of this command, which takes value,",
        ),
    ],
)
def test_a_refused_command_lists_the_known_ones(app: Caller, method: str, paras: dict[str, Any], told: str) -> None:
    device_id = app.register("lamp", timeout=0, productId="street-lamp-nb")
    body = {"deviceId": device_id, "command": {"serviceId": "Lamp", "method": method, "paras": paras}}
    refused = app.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", body)
    assert code_of(refused) == (400, "100022")
    assert told in refused.body["error_desc"]


def test_a_device_without_a_model_may_report_anything_without_a_hint(platform: Platform, app: Caller) -> None:
    device_id = app.register("n", timeout=0)
    devices.report(platform, device_id, "Anything", {"x": 1})
    assert app.device(device_id).body["services"][0]["data"] == {"x": 1}
    refused = [
        app.call("POST", COMMANDS, {"deviceId": device_id, "command": {"serviceId": "Anything", "method": "DO"}}),
        app.call(
            "PUT",
            f"/iocm/app/shadow/v1.5.0/devices/{device_id}",
            {"serviceDesireds": [{"serviceId": "Anything", "desired": {"x": 2}}]},
        ),
        app.call(
            "POST",
            f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Anything/sendCommand",
            {"header": {"mode": "NOACK", "method": "DO"}},
        ),
    ]
    assert [code_of(answer) for answer in refused] == [(200, "100431"), (200, "100425"), (404, "100444")]
    told = app.call("GET", "/iocm/app/data/v1.1.0/deviceCapabilities", deviceId=device_id).body
    assert told["deviceCapabilities"] == [{"deviceId": device_id, "serviceCapabilities": []}]
