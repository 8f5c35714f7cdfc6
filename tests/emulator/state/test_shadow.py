from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.state import devices, scripted
from iot_northbound.emulator.state.kernel import Platform
from tests.emulator.state.calling import Caller, code_of

KIND = "deviceDesiredPropertiesModifyStatusChanged"


@pytest.fixture
def lamp(app: Caller) -> str:
    return app.register("lamp", timeout=0, productId="street-lamp-nb")


def wish(app: Caller, device_id: str, service_id: str = "Lamp", key: str = "serviceDesireds", **desired: Any) -> Any:
    body = {key: [{"serviceId": service_id, "desired": desired}]}
    return code_of(app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{device_id}", body))


def shadow(app: Caller, device_id: str, service_id: str = "Lamp") -> dict[str, Any]:
    answer = app.call("GET", f"/iocm/app/shadow/v1.5.0/devices/{device_id}")
    return next(each for each in answer.body["services"] if each["serviceId"] == service_id)


@pytest.mark.parametrize("key", ["serviceDesireds", "serviceDesires"])
def test_wishes_and_reports_stand_side_by_side(platform: Platform, app: Caller, lamp: str, key: str) -> None:
    assert wish(app, lamp, key=key, brightness=40) == (200, None)
    assert wish(app, lamp, key=key, switch="ON") == (200, None)
    devices.report(platform, lamp, "Lamp", {"brightness": 10})
    assert shadow(app, lamp) == {
        "serviceId": "Lamp", "serviceType": "Lamp", "eventTime": "20231114T221320Z",
        "reportedProps": {"brightness": 10}, "desiredProps": {"brightness": 40, "switch": "ON"},
    }  # fmt: skip


def test_a_model_service_that_said_nothing_is_there_with_nulls(app: Caller, lamp: str) -> None:
    service = shadow(app, lamp, "Schedule")
    assert (service["reportedProps"], service["desiredProps"], service["eventTime"]) == (None, None, None)


def test_wishes_reach_a_device_when_it_comes_online(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    wish(app, lamp, brightness=40)
    wish(app, lamp, brightness=50)
    assert KIND not in [kind for _, kind, _ in told]
    devices.set_online(platform, lamp)
    [body] = [body for _, kind, body in told if kind == KIND]
    assert (body["properties"], body["status"]) == ({"brightness": 50}, "DELIVERED")
    told.clear()
    devices.set_offline(platform, lamp)
    devices.set_online(platform, lamp)
    assert KIND not in [kind for _, kind, _ in told]


def test_wishes_reach_an_online_device_at_once(platform: Platform, app: Caller, lamp: str, told: list[Any]) -> None:
    devices.set_online(platform, lamp)
    wish(app, lamp, brightness=40)
    assert told[-1][1] == KIND


@pytest.mark.parametrize("body", [None, {}, {"serviceDesireds": []}, {"serviceDesireds": [{"serviceId": "Lamp"}]},
                                  {"serviceDesireds": [{"serviceId": "Lamp", "desired": 5}]}, [1]])  # fmt: skip
def test_a_broken_body_is_refused(app: Caller, lamp: str, body: Any) -> None:
    assert code_of(app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{lamp}", body)) == (400, "50400")


def test_a_refused_wish_leaves_the_others_undone(app: Caller, lamp: str) -> None:
    wishes = [{"serviceId": "Lamp", "desired": {"brightness": value}} for value in (5, 101)]
    answer = app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{lamp}", {"serviceDesireds": wishes})
    assert code_of(answer) == (400, "50400")
    assert "brightness must be at most 100" in answer.body["error_desc"]
    assert shadow(app, lamp)["desiredProps"] is None


def test_a_scripted_device_does_as_its_shadow_wishes_and_goes_on_reporting_it(
    platform: Platform, app: Caller, lamp: str
) -> None:
    platform.settings.transitions = "timed"
    report = {"service_id": "Lamp", "data": {"brightness": 10, "power": 30.5}}
    scripted.attach(platform, lamp, after=5, report_every=60, report=report)
    wish(app, lamp, brightness=40, switch="ON")
    assert shadow(app, lamp)["reportedProps"] is None
    platform.advance(5)
    assert shadow(app, lamp)["reportedProps"] == {"brightness": 40, "switch": "ON"}
    platform.advance(55)
    assert shadow(app, lamp)["reportedProps"] == {"brightness": 40, "switch": "ON", "power": 30.5}


def test_a_scripted_device_takes_what_was_wished_while_it_was_offline(
    platform: Platform, app: Caller, lamp: str
) -> None:
    wish(app, lamp, brightness=40)
    wish(app, lamp, "Schedule", plan="22:00 30%")
    scripted.attach(platform, lamp)
    platform.advance(0)
    assert shadow(app, lamp)["reportedProps"] == {"brightness": 40}
    assert shadow(app, lamp, "Schedule")["reportedProps"] == {"plan": "22:00 30%"}


def test_a_scripted_device_may_leave_wishes_alone(platform: Platform, app: Caller, lamp: str) -> None:
    scripted.attach(platform, lamp, takes_wishes=False)
    wish(app, lamp, brightness=40)
    platform.advance(0)
    assert (shadow(app, lamp)["reportedProps"], shadow(app, lamp)["desiredProps"]) == (None, {"brightness": 40})


def test_a_device_that_became_another_before_it_took_a_wish_leaves_it(
    platform: Platform, app: Caller, lamp: str
) -> None:
    platform.settings.transitions = "timed"
    scripted.attach(platform, lamp, after=5)
    wish(app, lamp, brightness=40)
    app.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{lamp}", {"productId": "water-meter-nb"})
    platform.advance(5)
    assert "brightness" not in str(devices.need(platform, lamp)["services"]["Lamp"].get("data"))
