"""Reports of real devices: each entry stands alone, and nothing in them raises."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, history, reports
from tests.emulator.calling import START, Caller
from tests.emulator.scene import meter, pushed, subscribe

GOOD = {"serviceId": "WaterMeter", "data": {"reading": 1.5}, "eventTime": "20231101T101010Z"}


@pytest.fixture
def device(app: Caller) -> str:
    return meter(app, "m")


def kept(platform: Platform, device_id: str) -> list[tuple[Any, ...]]:
    rows = platform.table(history.REPORTED).where(deviceId=device_id)
    return [(row["serviceId"], row["data"], time_text(row["time"])) for row in rows]


def test_a_report_becomes_history_shadow_online_state_and_both_pushes(
    platform: Platform, app: Caller, device: str
) -> None:
    subscribe(app, "deviceDataChanged")
    subscribe(app, "deviceDatasChanged")
    battery = {"serviceId": "Battery", "data": {"batteryLevel": 75}, "eventTime": None}
    assert reports.take(platform, device, [GOOD, battery], request_id="r") == []
    row = devices.need(platform, device)
    assert row["status"] == "ONLINE"
    assert row["services"]["WaterMeter"]["data"] == {"reading": 1.5}
    assert kept(platform, device) == [
        ("WaterMeter", {"reading": 1.5}, "20231101T101010Z"),
        ("Battery", {"batteryLevel": 75}, "20231114T221320Z"),
    ]
    assert [body["service"]["serviceId"] for body in pushed(platform, "deviceDataChanged")] == ["WaterMeter", "Battery"]
    [both] = pushed(platform, "deviceDatasChanged")
    assert [each["serviceId"] for each in both["services"]] == ["WaterMeter", "Battery"]
    assert both["requestId"] == "r"


def test_the_same_service_twice_is_twice_in_the_history_and_the_later_entry_shows(
    platform: Platform, device: str
) -> None:
    again = {**GOOD, "data": {"reading": 2}}
    assert reports.take(platform, device, [GOOD, again]) == []
    assert [data for _, data, _ in kept(platform, device)] == [{"reading": 1.5}, {"reading": 2}]
    assert devices.need(platform, device)["services"]["WaterMeter"]["data"] == {"reading": 2}


@pytest.mark.parametrize("odd", ["", "2023-11-01", "20231332T000000Z", "20161219T11:49:20Z", 5, None, [], {}, True])
def test_an_odd_event_time_becomes_the_time_of_receipt(platform: Platform, device: str, odd: Any) -> None:
    assert reports.take(platform, device, [{**GOOD, "eventTime": odd}]) == []
    assert kept(platform, device) == [("WaterMeter", {"reading": 1.5}, time_text(START))]


def test_milliseconds_in_an_event_time_are_kept(platform: Platform, device: str) -> None:
    reports.take(platform, device, [{**GOOD, "eventTime": "20231101T101010250Z"}])
    assert [row["time"] for row in platform.table(history.REPORTED).where(deviceId=device)] == [1698833410.25]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({**GOOD, "serviceId": "WaterMetre"}, "has no service 'WaterMetre'; similar is 'WaterMeter'"),
        ({**GOOD, "serviceId": "Oven"}, "has no service 'Oven'; it has WaterMeter, Battery"),
        ({**GOOD, "serviceId": 7}, "no serviceId, or one that is not text"),
        ({**GOOD, "serviceId": ""}, "no serviceId"),
        ({"data": {}}, "no serviceId"),
        ({**GOOD, "data": [1]}, "the data of service 'WaterMeter' are not a JSON object"),
        ({"serviceId": "WaterMeter", "serviceData": {}}, "the data of service 'WaterMeter' are not a JSON object"),
    ],
)
def test_a_bad_entry_is_dropped_with_a_sentence_and_the_others_are_taken(
    platform: Platform, device: str, entry: Any, told: str
) -> None:
    [sentence] = reports.take(platform, device, [entry, GOOD])
    assert told in sentence
    assert len(kept(platform, device)) == 1
    assert devices.need(platform, device)["status"] == "ONLINE"


def test_a_report_without_a_good_entry_is_a_sign_of_life_and_no_report(
    platform: Platform, app: Caller, device: str
) -> None:
    subscribe(app, "deviceDatasChanged")
    assert len(reports.take(platform, device, [{}])) == 1
    assert reports.take(platform, device, []) == []
    assert devices.need(platform, device)["status"] == "ONLINE"
    assert (kept(platform, device), pushed(platform)) == ([], [])


def test_a_device_without_a_model_may_report_anything(platform: Platform, app: Caller) -> None:
    plain = app.register("plain")
    assert reports.take(platform, plain, [{"serviceId": "Anything", "data": {"a": None}}]) == []


def test_a_frozen_device_is_heard_and_its_data_are_dropped(platform: Platform, app: Caller, device: str) -> None:
    app.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{device}", {"mute": "TRUE"})
    assert reports.take(platform, device, [GOOD]) == []
    assert (kept(platform, device), devices.need(platform, device)["status"]) == ([], "ONLINE")


def test_a_device_that_does_not_exist_reports_nothing(platform: Platform) -> None:
    with pytest.raises(LookupError, match="no device"):
        reports.take(platform, "nobody", [GOOD])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda of: st.lists(of, max_size=4) | st.dictionaries(st.text(max_size=8), of, max_size=4),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "serviceId": JSON | st.just("WaterMeter"),
        "data": JSON | st.dictionaries(st.text(max_size=8), JSON, max_size=4),
        "eventTime": JSON,
    },
)


@given(entries=st.lists(ENTRY, max_size=4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_content_raises_and_each_entry_is_kept_or_has_a_sentence(
    platform: Platform, device: str, entries: list[dict[str, Any]]
) -> None:
    before = len(kept(platform, device))
    dropped = platform.work(reports.take, platform, device, entries)
    assert len(kept(platform, device)) - before + len(dropped) == len(entries)
    assert all(math.isfinite(row["time"]) for row in platform.table(history.REPORTED).where(deviceId=device))
