"""The shadow keeps the newest value of each property, by the time of the report that had it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, latest
from tests.emulator.calling import START, Caller
from tests.emulator.scene import pushed, subscribe


@pytest.fixture
def lamp(app: Caller) -> str:
    return app.register("lamp", timeout=0, productId="street-lamp-nb")


def report(app: Caller, lamp: str, ago: float | None, **data: Any) -> None:
    devices.report(app.platform, lamp, "Lamp", data, None if ago is None else time_text(START - ago))


def shown(app: Caller, lamp: str) -> tuple[dict[str, Any], str]:
    """Return the values and the time that the shadow shows, once the device query has shown the same."""
    services = app.call("GET", f"/iocm/app/shadow/v1.5.0/devices/{lamp}").body["services"]
    (shadow,) = [each for each in services if each["serviceId"] == "Lamp"]
    (service,) = app.device(lamp).body["services"]
    assert (service["data"], service["eventTime"]) == (shadow["reportedProps"], shadow["eventTime"])
    return shadow["reportedProps"], shadow["eventTime"]


@pytest.mark.parametrize("first", [None, 0, 10])
def test_an_older_report_replaces_nothing_and_adds_what_was_not_known(
    app: Caller, lamp: str, first: float | None
) -> None:
    report(app, lamp, first, brightness=50)
    report(app, lamp, 60, brightness=1, power=3.5)
    assert shown(app, lamp) == ({"brightness": 50, "power": 3.5}, time_text(START - (first or 0)))


def test_each_property_has_a_time_of_its_own(app: Caller, lamp: str) -> None:
    report(app, lamp, 60, brightness=1)
    report(app, lamp, 0, power=3.5)
    report(app, lamp, 30, brightness=2, power=9.5)
    assert shown(app, lamp) == ({"brightness": 2, "power": 3.5}, time_text(START))


def test_of_two_reports_of_one_moment_the_later_one_counts(app: Caller, lamp: str) -> None:
    report(app, lamp, 5, brightness=1)
    report(app, lamp, 5, brightness=2)
    assert shown(app, lamp)[0] == {"brightness": 2}


def test_a_report_without_a_time_is_the_newest_even_after_one_from_the_future(app: Caller, lamp: str) -> None:
    report(app, lamp, -3600, brightness=1)
    report(app, lamp, None, brightness=2)
    assert shown(app, lamp) == ({"brightness": 2}, time_text(START))


def test_the_order_within_one_report_does_not_matter(app: Caller, lamp: str) -> None:
    parts = [(10, 1), (0, 2), (5, 3)]
    services = [
        {"serviceId": "Lamp", "data": {"brightness": value}, "eventTime": time_text(START - ago)}
        for ago, value in parts
    ]
    devices.report_services(app.platform, lamp, services)
    assert shown(app, lamp) == ({"brightness": 2}, time_text(START))


def test_an_older_report_is_pushed_and_kept_in_the_history(app: Caller, lamp: str) -> None:
    subscribe(app, "deviceDataChanged")
    report(app, lamp, None, brightness=50)
    report(app, lamp, 60, brightness=1)
    assert [body["service"]["data"] for body in pushed(app.platform)] == [{"brightness": 50}, {"brightness": 1}]
    history = app.call("GET", "/iocm/app/data/v1.2.0/deviceDataHistory", deviceId=lamp, pageSize="10").body
    assert [each["data"] for each in history["deviceDataHistoryDTOs"]] == [{"brightness": 50}, {"brightness": 1}]


@pytest.mark.parametrize("mute", ["TRUE", "FALSE"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [("20259999T000000Z", "a day and a time that exist"), ("yesterday", "the form yyyyMMdd'T'HHmmss'Z'")],
)
def test_a_text_that_is_no_time_is_refused_with_the_name_of_its_field(
    platform: Platform, app: Caller, lamp: str, text: str, problem: str, mute: str
) -> None:
    devices.changed(platform, lamp, mute=mute)
    with pytest.raises(ValueError, match=f"^event_time must .*{problem}$"):
        devices.report(platform, lamp, "Lamp", {}, text)
    with pytest.raises(ValueError, match=f"^alarm_time must .*{problem}$"):
        devices.report_alarm(platform, lamp, "major", alarm_time=text)
    assert devices.need(platform, lamp)["status"] == "INACTIVE"


@given(st.lists(st.tuples(st.integers(0, 5), st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1))))
def test_the_newest_value_of_each_property_stays(reports: list[tuple[int, dict[str, int]]]) -> None:
    service: dict[str, Any] = {}
    for when, data in reports:
        service = latest.of(service, data, float(when), dated=True)
    newest: dict[str, tuple[int, int]] = {}
    for when, data in reports:
        newest.update({name: (when, value) for name, value in data.items() if when >= newest.get(name, (when,))[0]})
    assert service.get("data", {}) == {name: value for name, (_, value) in newest.items()}
    assert service.get("time") == max((when for when, _ in reports), default=None)


def test_a_service_takes_new_properties_up_to_a_bound() -> None:
    service: dict[str, Any] = {}
    for number in range(latest.MOST_NAMES + 50):
        service = latest.of(service, {f"p{number}": number}, float(number), dated=True)
    assert len(service["data"]) == latest.MOST_NAMES
    service = latest.of(service, {"p0": "new", "p9999": "dropped"}, 1e6, dated=True)
    assert service["data"]["p0"] == "new"
    assert len(service["data"]) == latest.MOST_NAMES
