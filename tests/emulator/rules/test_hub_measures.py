"""Devices behind hubs, and their measures."""

from __future__ import annotations

import logging

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import models
from iot_northbound.emulator.rules.hub_values import Value
from iot_northbound.emulator.rules.hubs import Measure
from tests.emulator.calling import Caller
from tests.emulator.rules.posting import SENSOR, TYPED, Hub
from tests.emulator.scene import pushed, subscribe


def test_a_device_is_added_once_with_the_model_of_its_type(platform: Platform, hub: Hub, app: Caller) -> None:
    subscribe(app, "deviceAdded")
    child = hub.add("d-1")
    assert (child["productId"], child["gatewayId"], child["status"]) == (SENSOR, hub.id, "ONLINE")
    assert hub.add("d-1")["deviceId"] == child["deviceId"]
    assert len(pushed(platform, "deviceAdded")) == 1


def test_a_type_without_a_model_makes_a_device_without_services(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    child = hub.add("d-1", "99")
    assert (child.get("productId"), child["deviceType"]) == (None, "99")
    assert hub.measure("d-1", humidity="40")["unknown"] == []
    assert "the setting hub_models says which one is meant by deviceType '99'" in caplog.text
    assert hub.data("d-1") == {}


def test_a_setting_that_names_no_model_is_shown(platform: Platform, hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    platform.settings.hub_models = {"11": "climate-sensor-zigbe"}
    hub.add("d-1")
    assert "the setting hub_models is wrong" in caplog.text
    assert SENSOR in caplog.text


def test_a_measure_becomes_a_report_of_the_services_that_have_its_names(
    platform: Platform, hub: Hub, app: Caller
) -> None:
    hub.add("d-1")
    subscribe(app, "deviceDatasChanged")
    hub.measure("d-1", "2023-11-14T23:13:20+01:00", temperature="21.50", humidity=" 40 ", batteryLevel="99")
    assert hub.data("d-1") == {"Climate": {"temperature": 21.5, "humidity": 40}, "Battery": {"batteryLevel": 99}}
    [push] = pushed(platform, "deviceDatasChanged")
    assert {each["eventTime"] for each in push["services"]} == {"20231114T221320Z"}


def test_the_hub_itself_measures_under_its_own_id(hub: Hub) -> None:
    hub.measure("hub-1", uptime="123456789012", permitJoin="TRUE", cpuLoad="7")
    assert hub.data("hub-1") == {"Gateway": {"uptime": 123456789012, "permitJoin": True, "cpuLoad": 7}}


def test_devices_that_were_not_added_are_named_once(hub: Hub) -> None:
    measures = [Measure(each, None, []) for each in ("d-9", "d-8", "d-9")]
    assert hub.post(measures=measures)["unknown"] == ["d-9", "d-8"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("humidity", "wet"), ("humidity", "4.5"), ("temperature", "nan"), ("temperature", "1e999"), ("humidity", "")],
)
def test_a_value_that_does_not_fit_is_dropped_with_a_hint(
    hub: Hub, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    hub.add("d-1")
    caplog.set_level(logging.WARNING)
    hub.measure("d-1", **{name: text, "batteryLevel": "50"})
    assert hub.data("d-1") == {"Battery": {"batteryLevel": 50}}
    assert f"a value '{name}' of device {hub.child('d-1')['deviceId']} is dropped: it is not of type" in caplog.text


def test_a_name_that_no_service_has_is_dropped_with_a_hint(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.add("d-1")
    hub.measure("d-1", mood="good")
    assert hub.data("d-1") == {}
    assert "no service of product model 'climate-sensor-zigbee' has a property 'mood'" in caplog.text


@pytest.mark.parametrize("text", ["noon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", ""])
def test_a_bad_timestamp_becomes_the_time_of_receipt(
    platform: Platform, hub: Hub, app: Caller, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    hub.add("d-1")
    subscribe(app, "deviceDataChanged")
    hub.measure("d-1", text, humidity="40")
    [push] = pushed(platform, "deviceDataChanged")
    assert push["service"]["eventTime"] == platform.now_text()
    assert "is not an xsd:dateTime" in caplog.text


@pytest.fixture
def typed(platform: Platform, hub: Hub) -> Hub:
    models.add_model(platform, "app-one", TYPED)
    platform.settings.hub_models = {"11": "all-types"}
    hub.add("d-1")
    return hub


def test_text_becomes_the_type_of_the_property(typed: Hub) -> None:
    typed.measure("d-1", flag="0", deep='{"a": [1]}', list="[1, 2]", word=" as it is ", odd="3")
    data = {"flag": False, "deep": {"a": [1]}, "list": [1, 2], "word": " as it is ", "odd": "3"}
    assert typed.data("d-1") == {"A": data}


@pytest.mark.parametrize(
    ("name", "text"),
    [("flag", "yes"), ("deep", "[1]"), ("deep", "{"), ("list", "{}"), ("list", "[NaN]"), ("list", "[1e999]"),
     ("list", "[" * 30_000), ("list", '["\\ud800"]')],
)  # fmt: skip
def test_a_text_of_another_type_is_dropped(typed: Hub, caplog: pytest.LogCaptureFixture, name: str, text: str) -> None:
    typed.measure("d-1", **{name: text})
    assert typed.data("d-1") == {}
    assert f"a value '{name}' of device" in caplog.text


def test_an_index_finds_its_own_property_first(typed: Hub) -> None:
    values = [Value("power", "1"), Value("power", "2", "2"), Value("power", "3", "3")]
    typed.post(measures=[Measure("d-1", None, values)])
    assert typed.data("d-1") == {"A": {"power": 3.0, "power.2": 2.0}}


def test_a_setting_decides_between_two_services(
    platform: Platform, typed: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    typed.measure("d-1", both="1")
    assert typed.data("d-1") == {}
    assert "the services A, B have a property 'both'; say which one with the setting hub_params" in caplog.text
    platform.settings.hub_params = {"both": "B"}
    typed.measure("d-1", both="2")
    assert typed.data("d-1") == {"B": {"both": 2}}


def test_a_setting_gives_a_device_without_a_model_its_service(platform: Platform, hub: Hub) -> None:
    platform.settings.hub_params = {"power": "Meter"}
    hub.add("d-1", None)
    hub.measure("d-1", power="12")
    assert hub.data("d-1") == {"Meter": {"power": "12"}}


def test_a_setting_that_names_no_service_is_shown(
    platform: Platform, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    platform.settings.hub_params = {"humidity": "Climat"}
    hub.add("d-1")
    hub.measure("d-1", humidity="40")
    assert hub.data("d-1") == {}
    assert "has no service 'Climat'; similar is 'Climate'" in caplog.text
