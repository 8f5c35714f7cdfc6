"""Calling a service of a connected device: 1.7.7."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.state import devices, invoke, scripted
from tests.emulator.state.calling import Answer, Caller, code_of
from tests.emulator.state.scene import DEVICES, pushed, response_fields, settle, subscribe

GATEWAY, SENSOR = "home-gateway-mqtt", "climate-sensor-zigbee"


@pytest.fixture
def gateway(app: Caller) -> str:
    device_id = app.register("gw", productId=GATEWAY)
    devices.set_online(app.platform, device_id)
    return device_id


def call(app: Caller, device_id: str, service_id: str = "Gateway", **header: Any) -> Answer:
    body = {"header": {"mode": "ACK", "method": "RESTART", **header}, "body": {"seconds": 5}}
    return app.call("POST", f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/{service_id}/sendCommand", body)


def test_a_call_is_answered_as_sent_with_its_own_or_a_new_id(app: Caller, gateway: str) -> None:
    answer = call(app, gateway, requestId="mine")
    assert answer.status == 202
    assert answer.body == {"requestId": "mine", "status": "sent", "timestamp": app.platform.now_text()}
    assert answer.body.keys() == response_fields("1.7.7")
    assert len(call(app, gateway).body["requestId"]) == 32


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"mode": "PERHAPS"}, (400, "100022")),
        ({"mode": None}, (400, "100022")),
        ({"method": None}, (400, "100022")),
        ({"callbackURL": "nowhere"}, (400, "100022")),
        ({"toType": "MOON"}, (404, "100444")),
        ({"method": "EXPLODE"}, (400, "102203")),
    ],
)
def test_a_call_that_cannot_be_is_refused(
    app: Caller, gateway: str, header: dict[str, Any], code: tuple[int, str]
) -> None:
    assert code_of(call(app, gateway, **header)) == code


def test_a_call_needs_a_known_device_with_that_service_that_is_online(app: Caller, other: Caller, gateway: str) -> None:
    assert code_of(call(other, gateway)) == (200, "100418")
    assert code_of(call(app, gateway, "Oven")) == (404, "100444")
    assert code_of(call(app, app.register("plain"))) == (404, "100444")
    sensor = devices.add_sub_device(app.platform, gateway, "s", productId=SENSOR)["deviceId"]
    assert call(app, sensor, "Climate", method="SET_REPORT_INTERVAL").status == 202
    devices.set_offline(app.platform, gateway)
    assert code_of(call(app, gateway)) == (200, "100428")
    assert code_of(call(app, sensor, "Climate", method="SET_REPORT_INTERVAL")) == (403, "100450")


def test_a_muted_command_is_refused_and_subscribers_hear_of_the_muting(app: Caller, gateway: str) -> None:
    subscribe(app, "serviceInfoChanged")
    devices.report(app.platform, gateway, "Gateway", {"cpuLoad": 3})
    invoke.mute(app.platform, gateway, "Gateway", ["RESTART"])
    assert code_of(call(app, gateway)) == (200, "100432")
    assert call(app, gateway, method="PERMIT_JOIN").status == 202
    assert pushed(app.platform)[0]["serviceInfo"] == {"muteCmds": ["RESTART"]}
    devices.report(app.platform, gateway, "Gateway", {"cpuLoad": 4})
    services = app.device(gateway).body["services"]
    assert services[0]["serviceInfo"] == {"muteCmds": ["RESTART"]}
    invoke.mute(app.platform, gateway, "Gateway", [])
    assert call(app, gateway).status == 202
    with pytest.raises(ValueError, match="no service"):
        invoke.mute(app.platform, gateway, "Oven", [])


def test_the_devices_reactions_come_as_notifications(app: Caller, gateway: str) -> None:
    for kind in ("messageConfirm", "commandRsp"):
        subscribe(app, kind)
    scripted.attach(app.platform, gateway, result={"uptime": 0})
    call(app, gateway, requestId="r", **{"from": "/users/u"})
    settle(app.platform)
    confirms = pushed(app.platform, "messageConfirm")
    assert [body["header"]["status"] for body in confirms] == ["sent", "delivered", "executed"]
    assert {body["header"]["to"] for body in confirms} == {"/users/u"}
    (response,) = pushed(app.platform, "commandRsp")
    assert response["header"] == {
        "requestId": "r",
        "from": f"/devices/{gateway}/services/Gateway",
        "to": "/users/u",
        "deviceId": gateway,
        "serviceType": "Gateway",
        "method": "RESTART",
    }
    assert response["body"] == {"uptime": 0}


def test_without_ack_only_the_answer_comes_back(app: Caller, gateway: str) -> None:
    for kind in ("messageConfirm", "commandRsp"):
        subscribe(app, kind)
    scripted.attach(app.platform, gateway)
    call(app, gateway, mode="NOACK")
    settle(app.platform)
    assert [body["notifyType"] for body in pushed(app.platform)] == ["commandRsp"]


def test_a_callback_url_of_its_own_hears_of_the_statuses(app: Caller, gateway: str) -> None:
    call(app, gateway, callbackURL="https://na.example/confirm")
    assert [body["header"]["status"] for body in pushed(app.platform, url="https://na.example/confirm")] == ["sent"]


def test_what_nobody_answers_is_forgotten_in_time_and_with_its_device(app: Caller, gateway: str) -> None:
    call(app, gateway)
    call(app, gateway)
    assert len(app.platform.table(invoke.INVOCATIONS)) == 2
    app.platform.advance(app.platform.settings.command_answer_timeout)
    assert len(app.platform.table(invoke.INVOCATIONS)) == 0
    call(app, gateway)
    app.call("DELETE", f"{DEVICES}/{gateway}")
    assert len(app.platform.table(invoke.INVOCATIONS)) == 0
