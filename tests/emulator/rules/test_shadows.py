from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, events, scripts
from iot_northbound.emulator.rules.shadows import refuse_desired
from tests.emulator.calling import Caller, code_of

KIND = "deviceDesiredPropertiesModifyStatusChanged"


@pytest.fixture
def lamp(app: Caller) -> str:
    return app.register("lamp", timeout=0, productId="street-lamp-nb")


def desire(app: Caller, device_id: str, service_id: str = "Lamp", key: str = "serviceDesireds", **desired: Any) -> Any:
    body = {key: [{"serviceId": service_id, "desired": desired}]}
    return code_of(app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{device_id}", body))


def shadow(app: Caller, device_id: str, service_id: str = "Lamp") -> dict[str, Any]:
    answer = app.call("GET", f"/iocm/app/shadow/v1.5.0/devices/{device_id}")
    return next(each for each in answer.body["services"] if each["serviceId"] == service_id)


@pytest.mark.parametrize("key", ["serviceDesireds", "serviceDesires"])
def test_desired_and_reported_values_are_kept_side_by_side(
    platform: Platform, app: Caller, lamp: str, key: str
) -> None:
    assert desire(app, lamp, key=key, brightness=40) == (200, None)
    assert desire(app, lamp, key=key, switch="ON") == (200, None)
    devices.report(platform, lamp, "Lamp", {"brightness": 10})
    assert shadow(app, lamp) == {
        "serviceId": "Lamp", "serviceType": "Lamp", "eventTime": "20231114T221320Z",
        "reportedProps": {"brightness": 10}, "desiredProps": {"brightness": 40, "switch": "ON"},
    }  # fmt: skip


def test_a_model_service_that_said_nothing_is_there_with_nulls(app: Caller, lamp: str) -> None:
    service = shadow(app, lamp, "Schedule")
    assert (service["reportedProps"], service["desiredProps"], service["eventTime"]) == (None, None, None)


def test_desired_changes_reach_a_device_when_it_comes_online(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    desire(app, lamp, brightness=40)
    desire(app, lamp, brightness=50)
    assert KIND not in [kind for _, kind, _ in told]
    devices.set_online(platform, lamp)
    [body] = [body for _, kind, body in told if kind == KIND]
    assert (body["properties"], body["status"]) == ({"brightness": 50}, "DELIVERED")
    told.clear()
    devices.set_offline(platform, lamp)
    devices.set_online(platform, lamp)
    assert KIND not in [kind for _, kind, _ in told]


def test_desired_changes_reach_an_online_device_at_once(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    devices.set_online(platform, lamp)
    desire(app, lamp, brightness=40)
    assert told[-1][1] == KIND


@pytest.mark.parametrize("body", [None, {}, {"serviceDesireds": []}, {"serviceDesireds": [{"serviceId": "Lamp"}]},
                                  {"serviceDesireds": [{"serviceId": "Lamp", "desired": 5}]}, [1]])  # fmt: skip
def test_a_broken_body_is_refused(app: Caller, lamp: str, body: Any) -> None:
    assert code_of(app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{lamp}", body)) == (400, "50400")


def test_a_refused_change_leaves_the_others_undone(app: Caller, lamp: str) -> None:
    changes = [{"serviceId": "Lamp", "desired": {"brightness": value}} for value in (5, 101)]
    answer = app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{lamp}", {"serviceDesireds": changes})
    assert code_of(answer) == (400, "50400")
    assert "brightness must be at most 100" in answer.body["error_desc"]
    assert shadow(app, lamp)["desiredProps"] is None


def test_a_scripted_device_follows_its_desired_values_and_goes_on_reporting_them(
    platform: Platform, app: Caller, lamp: str
) -> None:
    platform.settings.transitions = "timed"
    report = {"service_id": "Lamp", "data": {"brightness": 10, "power": 30.5}}
    scripts.attach(platform, lamp, after=5, report_every=60, report=report)
    desire(app, lamp, brightness=40, switch="ON")
    assert shadow(app, lamp)["reportedProps"] is None
    platform.advance(5)
    assert shadow(app, lamp)["reportedProps"] == {"brightness": 40, "switch": "ON"}
    platform.advance(55)
    assert shadow(app, lamp)["reportedProps"] == {"brightness": 40, "switch": "ON", "power": 30.5}


def test_a_scripted_device_takes_what_was_desired_while_it_was_offline(
    platform: Platform, app: Caller, lamp: str
) -> None:
    desire(app, lamp, brightness=40)
    desire(app, lamp, "Schedule", plan="22:00 30%")
    scripts.attach(platform, lamp)
    platform.advance(0)
    assert shadow(app, lamp)["reportedProps"] == {"brightness": 40}
    assert shadow(app, lamp, "Schedule")["reportedProps"] == {"plan": "22:00 30%"}


def test_a_scripted_device_may_ignore_desired_changes(platform: Platform, app: Caller, lamp: str) -> None:
    scripts.attach(platform, lamp, follows_desired=False)
    desire(app, lamp, brightness=40)
    platform.advance(0)
    assert (shadow(app, lamp)["reportedProps"], shadow(app, lamp)["desiredProps"]) == (None, {"brightness": 40})


def test_a_device_with_another_model_ignores_a_desired_change_for_the_old_one(
    platform: Platform, app: Caller, lamp: str
) -> None:
    platform.settings.transitions = "timed"
    scripts.attach(platform, lamp, after=5)
    desire(app, lamp, brightness=40)
    app.call("PUT", f"/iocm/app/dm/v1.4.0/devices/{lamp}", {"productId": "water-meter-nb"})
    platform.advance(5)
    assert "brightness" not in str(devices.need(platform, lamp)["services"]["Lamp"].get("data"))


# --- desired changes that fail, and devices that sleep ---


def ends(told: list[Any]) -> list[tuple[dict[str, Any], str]]:
    return [(body["properties"], body["status"]) for _, kind, body in told if kind == KIND]


@pytest.mark.parametrize(
    ("script", "status", "reported"),
    [
        ({}, "DELIVERED", {"brightness": 40}),
        ({"answer": "fail"}, "FAILED", None),
        ({"answer": "never"}, "DELIVERED", None),
        ({"acknowledge": False}, "FAILED", None),
        ({"follows_desired": False}, "DELIVERED", None),
    ],
)
@pytest.mark.parametrize("online_first", [True, False])
def test_the_script_decides_how_a_desired_change_ends(
    platform: Platform, app: Caller, lamp: str, told: list[Any], script: Any, status: str, reported: Any,
    online_first: bool,
) -> None:  # fmt: skip
    steps = [lambda: scripts.attach(platform, lamp, **script), lambda: desire(app, lamp, brightness=40)]
    for step in steps if online_first else reversed(steps):
        step()
    platform.advance(platform.settings.command_ack_timeout)
    assert ends(told) == [({"brightness": 40}, status)]
    assert shadow(app, lamp)["reportedProps"] == reported
    assert shadow(app, lamp)["desiredProps"] == {"brightness": 40}
    devices.set_offline(platform, lamp)
    devices.set_online(platform, lamp)
    platform.advance(platform.settings.command_ack_timeout)
    assert len(ends(told)) == 1  # what has ended is not sent again


def test_a_change_without_acknowledgement_fails_after_the_timeout_of_commands(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    scripts.attach(platform, lamp, acknowledge=False)
    desire(app, lamp, brightness=40)
    platform.advance(platform.settings.command_ack_timeout - 1)
    assert ends(told) == []
    platform.advance(1)
    assert ends(told) == [({"brightness": 40}, "FAILED")]


def test_a_desired_change_is_acknowledged_in_its_time(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    platform.settings.transitions = "timed"
    scripts.attach(platform, lamp, acknowledge_after=5, after=10)
    desire(app, lamp, brightness=40)
    seen = []
    for seconds in (4, 1, 9, 1):
        platform.advance(seconds)
        seen.append((len(ends(told)), shadow(app, lamp)["reportedProps"]))
    assert seen == [(0, None), (1, None), (1, None), (1, {"brightness": 40})]


def test_a_device_may_refuse_the_desired_changes_of_a_service(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    desire(app, lamp, brightness=40)
    refuse_desired(platform, lamp, "Lamp")
    devices.set_online(platform, lamp)
    desire(app, lamp, brightness=50)
    desire(app, lamp, "Schedule", plan="p")
    refuse_desired(platform, lamp, "Lamp", refused=False)
    desire(app, lamp, brightness=60)
    assert ends(told) == [
        ({"brightness": 40}, "FAILED"),
        ({"brightness": 50}, "FAILED"),
        ({"plan": "p"}, "DELIVERED"),
        ({"brightness": 60}, "DELIVERED"),
    ]
    with pytest.raises(ValueError, match="no service 'Oven'"):
        refuse_desired(platform, lamp, "Oven")
    with pytest.raises(LookupError, match="no device 'none'"):
        refuse_desired(platform, "none", "Lamp")


def test_a_scripted_device_refuses_too(platform: Platform, app: Caller, lamp: str, told: list[Any]) -> None:
    scripts.attach(platform, lamp)
    refuse_desired(platform, lamp, "Lamp")
    desire(app, lamp, brightness=40)
    platform.advance(0)
    assert ends(told) == [({"brightness": 40}, "FAILED")]
    assert shadow(app, lamp)["reportedProps"] is None


WORDS: dict[str, Any] = {
    "report": lambda platform, lamp: devices.report(platform, lamp, "Lamp", {"power": 3.5}),
    "report of several": lambda platform, lamp: devices.report_services(
        platform, lamp, [{"serviceId": "Connectivity", "data": {"snr": 3}}, {"serviceId": "Lamp", "data": {}}]
    ),
    "its version": lambda platform, lamp: devices.report_info(platform, lamp, fwVersion="2"),
    "event": lambda platform, lamp: events.device_event(platform, lamp, "Lamp", "moved", {}),
    "connection": lambda platform, lamp: devices.set_online(platform, lamp),
}


@pytest.mark.parametrize("word", WORDS)
def test_a_sleeping_device_gets_a_desired_change_when_it_is_next_heard(
    platform: Platform, app: Caller, lamp: str, told: list[Any], word: str
) -> None:
    scripts.attach(platform, lamp, asleep=True)
    platform.advance(scripts.AWAKE_SECONDS + 1)
    desire(app, lamp, brightness=40)
    platform.advance(600)
    assert ends(told) == []
    WORDS[word](platform, lamp)
    platform.advance(0)
    assert ends(told) == [({"brightness": 40}, "DELIVERED")]
    assert shadow(app, lamp)["reportedProps"]["brightness"] == 40


def test_a_sleeping_device_still_listens_shortly_after_its_report(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    scripts.attach(platform, lamp, asleep=True)
    platform.advance(scripts.AWAKE_SECONDS)
    desire(app, lamp, brightness=40)
    platform.advance(0)
    assert ends(told) == [({"brightness": 40}, "DELIVERED")]


def test_a_sleeping_devices_own_reports_fetch_what_is_desired(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    report = {"service_id": "Lamp", "data": {"brightness": 10}}
    scripts.attach(platform, lamp, asleep=True, report_every=600, report=report)
    platform.advance(60)
    desire(app, lamp, brightness=40)
    platform.advance(539)
    assert ends(told) == []
    platform.advance(1)
    assert ends(told) == [({"brightness": 40}, "DELIVERED")]
    platform.advance(600)
    assert shadow(app, lamp)["reportedProps"] == {"brightness": 40}


@pytest.mark.parametrize("script", [{}, {"acknowledge": False}])
def test_a_device_deleted_before_its_change_ended_is_not_pushed(
    platform: Platform, app: Caller, lamp: str, told: list[Any], script: Any
) -> None:
    platform.settings.transitions = "timed"
    scripts.attach(platform, lamp, acknowledge_after=5, **script)
    desire(app, lamp, brightness=40)
    app.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{lamp}")
    platform.advance(100)
    assert ends(told) == []


def test_a_device_that_lost_its_script_takes_the_change_that_was_on_its_way(
    platform: Platform, app: Caller, lamp: str, told: list[Any]
) -> None:
    platform.settings.transitions = "timed"
    scripts.attach(platform, lamp, answer="fail", acknowledge_after=5)
    desire(app, lamp, brightness=40)
    scripts.detach(platform, lamp)
    platform.advance(5)
    assert ends(told) == [({"brightness": 40}, "DELIVERED")]
