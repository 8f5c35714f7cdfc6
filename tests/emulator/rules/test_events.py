"""Device events and fired rules."""

from __future__ import annotations

import pytest

from iot_northbound.emulator.rules import devices, events
from tests.emulator.calling import Caller
from tests.emulator.scene import meter, pushed, subscribe


def test_a_device_event_brings_the_device_online_and_is_pushed(app: Caller) -> None:
    subscribe(app, "deviceEvent")
    device_id = meter(app, "m")
    events.device_event(app.platform, device_id, "WaterMeter", "leak", {"flowRate": 7})
    (body,) = pushed(app.platform)
    assert body["header"] == {
        "eventType": "leak",
        "from": f"/devices/{device_id}/services/WaterMeter",
        "timestamp": app.platform.now_text(),
        "eventTime": app.platform.now_text(),
        "deviceId": device_id,
        "serviceType": "WaterMeter",
    }
    assert body["body"] == {"flowRate": 7}
    assert devices.is_online(devices.need(app.platform, device_id))


@pytest.mark.parametrize(("service", "kind"), [("Oven", "leak"), ("WaterMeter", ""), ("WaterMeter", "x" * 33)])
def test_an_impossible_event_is_refused(app: Caller, service: str, kind: str) -> None:
    with pytest.raises(ValueError, match=r"no service|1 to 32"):
        events.device_event(app.platform, meter(app, "m"), service, kind, {})
    with pytest.raises(LookupError):
        events.device_event(app.platform, "nobody", "WaterMeter", "leak", {})


def test_a_fired_rule_is_pushed_to_its_application(app: Caller, other: Caller) -> None:
    subscribe(app, "ruleEvent")
    subscribe(other, "ruleEvent")
    actions = [{"type": "SMS", "exception": "no number"}, {"type": "EMAIL", "result": {"statusCode": 200}}]
    events.fire_rule(app.platform, "app-one", "r1", "leak alarm", reasons=[{"type": "DEVICE_DATA"}], actions=actions)
    (body,) = pushed(app.platform)
    assert (body["ruleId"], body["author"], body["logic"]) == ("r1", "app-one", None)
    assert body["reasons"][0]["satisfactionTime"] == app.platform.now_text()
    assert "result" not in body["actionsResults"][0]
    assert body["actionsResults"][1]["result"] == {"statusCode": 200}
