"""Chapter 8 from the application's side: what calls answer and pushes say of a device that is connected over MQTT.

In process, without sockets: the session is a link, and what the device says has been decoded already.
"""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications, devices, reports
from tests.emulator.calling import START, Caller, code_of
from tests.emulator.rules.linked import Linked
from tests.emulator.scene import COMMANDS, push_fields, pushed, settle, subscribe

GATEWAY, SENSOR = "home-gateway-mqtt", "climate-sensor-zigbee"
WITH_SECRET = "/iocm/app/reg/v2.0.0/deviceCredentials"
SHADOW = "/iocm/app/shadow/v1.5.0/devices"
HISTORY = "/iocm/app/data/v1.2.0/deviceDataHistory"
RESTART = {"serviceId": "Gateway", "method": "RESTART", "paras": {}}


@pytest.fixture
def platform() -> Platform:
    clock = Clock()
    clock.freeze(START)
    made = Platform(clock=clock, ids=Ids("test"))
    applications.add_application(made, "app-one", "secret-one")
    return made


@pytest.fixture
def gateway(app: Caller) -> str:
    """A gateway registered by secret (1.4.2), which has not connected yet."""
    answer = app.call("POST", WITH_SECRET, {"deviceInfo": {"nodeId": "gw"}, "productId": GATEWAY})
    assert answer.body["secret"]
    return str(answer.body["deviceId"])


def call(app: Caller, device_id: str, service_id: str, method: str, **body: Any) -> Answer:
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/{service_id}/sendCommand"
    return app.call("POST", path, {"header": {"mode": "ACK", "method": method}, "body": body})


def command(app: Caller, device_id: str, **fields: Any) -> Answer:
    return app.call("POST", COMMANDS, {"deviceId": device_id, "command": RESTART, **fields})


def only(app: Caller) -> dict[str, Any]:
    [row] = app.call("GET", COMMANDS).body["data"]
    return dict(row)


def test_a_login_activates_a_device_and_its_end_makes_it_offline(app: Caller, gateway: str) -> None:
    subscribe(app, "bindDevice")
    assert app.device(gateway).body["deviceInfo"]["status"] == "INACTIVE"
    session = Linked(app.platform, gateway)
    assert app.device(gateway).body["deviceInfo"]["status"] == "ONLINE"
    assert [body["resultCode"] for body in pushed(app.platform, "bindDevice")] == ["succeeded"]
    session.leave()
    assert app.device(gateway).body["deviceInfo"]["status"] == "OFFLINE"


def test_a_batch_is_in_the_device_the_shadow_the_history_and_both_kinds_of_pushes(app: Caller, gateway: str) -> None:
    for kind in ("deviceDataChanged", "deviceDatasChanged"):
        subscribe(app, kind)
    Linked(app.platform, gateway)
    entries = [
        {"serviceId": "Gateway", "data": {"cpuLoad": 75}, "eventTime": "20231103T121540Z"},
        {"serviceId": "Nothing", "data": {"a": 1}, "eventTime": None},
        {"serviceId": "Gateway", "data": {"cpuLoad": 74}, "eventTime": "20231103T12:15:40Z"},
    ]
    assert len(app.platform.work(reports.take, app.platform, gateway, entries)) == 1
    [service] = app.device(gateway).body["services"]
    assert (service["data"], service["eventTime"]) == ({"cpuLoad": 74}, "20231114T221320Z")
    shadow = app.call("GET", f"{SHADOW}/{gateway}").body["services"]
    assert next(each for each in shadow if each["serviceId"] == "Gateway")["reportedProps"] == {"cpuLoad": 74}
    rows = app.call("GET", HISTORY, deviceId=gateway, pageSize="10").body["deviceDataHistoryDTOs"]
    assert [(row["data"], row["timestamp"]) for row in rows] == [
        ({"cpuLoad": 74}, "20231114T221320Z"),
        ({"cpuLoad": 75}, "20231103T121540Z"),
    ]
    each, together = pushed(app.platform, "deviceDataChanged"), pushed(app.platform, "deviceDatasChanged")
    assert [body["service"]["data"] for body in each] == [{"cpuLoad": 75}, {"cpuLoad": 74}]
    assert [[one["data"]["cpuLoad"] for one in body["services"]] for body in together] == [[75, 74]]
    assert each[0].keys() == push_fields("1.6.7.4")
    assert together[0].keys() == push_fields("1.6.7.5")


@pytest.mark.parametrize("errcode", [0, 1])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_call_is_confirmed_step_by_step(app: Caller, gateway: str, qos: int, errcode: int) -> None:
    for kind in ("messageConfirm", "commandRsp"):
        subscribe(app, kind)
    session = Linked(app.platform, gateway).listen(qos=qos)
    assert call(app, gateway, "Gateway", "PERMIT_JOIN", seconds=60).body["status"] == "sent"

    def confirmed() -> list[str]:
        return [body["header"]["status"] for body in pushed(app.platform, "messageConfirm")]

    [message] = session.take()
    assert (message["serviceId"], message["method"], message["paras"]) == ("Gateway", "PERMIT_JOIN", {"seconds": 60})
    assert confirmed() == ["sent"]
    if qos:
        session.acknowledge(message["mid"])
        assert confirmed() == ["sent", "delivered"]
    session.answer(message["mid"], errcode, result="ok")
    assert confirmed() == ["sent", "delivered", "executed"]
    [answer] = pushed(app.platform, "commandRsp")
    assert answer["body"] == ({"errcode": 1, "result": "ok"} if errcode else {"result": "ok"})


@pytest.mark.parametrize("errcode", [0, 1])
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("expire_time", [0, 600])
def test_a_command_has_a_status_for_each_step(
    app: Caller, gateway: str, expire_time: int, qos: int, errcode: int
) -> None:
    session = Linked(app.platform, gateway).listen(qos=qos)
    assert command(app, gateway, expireTime=expire_time, callbackUrl="https://na.example/c").status == 201
    settle(app.platform)
    [message] = session.take()
    assert only(app)["status"] == "SENT"
    if qos:
        session.acknowledge(message["mid"])
        assert only(app)["status"] == "DELIVERED"
    session.answer(message["mid"], errcode, result="ok")
    ended = "FAILED" if errcode else "SUCCESSFUL"
    detail = {"errcode": 1, "result": "ok"} if errcode else {"result": "ok"}
    assert only(app)["result"] == {"resultCode": ended, "resultDetail": detail}
    assert [body["result"]["resultCode"] for body in pushed(app.platform, None)] == ["SENT", "DELIVERED", ended]


def test_who_has_not_subscribed_hears_nothing(app: Caller, gateway: str) -> None:
    session = Linked(app.platform, gateway)
    assert command(app, gateway).status == 201
    settle(app.platform)
    app.platform.work(reports.take, app.platform, gateway, [{"serviceId": "Gateway", "data": {"cpuLoad": 1}}])
    assert (session.take(), only(app)["status"]) == ([], "PENDING")
    assert code_of(command(app, gateway, expireTime=0)) == (200, "100428")
    assert code_of(call(app, gateway, "Gateway", "RESTART")) == (200, "100428")
    session.listen()
    assert [message["ref"] for message in session.take()] == [only(app)["commandId"]]


def test_who_is_offline_cannot_be_called_and_commands_wait(app: Caller, gateway: str) -> None:
    session = Linked(app.platform, gateway).listen("gateway")
    child = devices.add_sub_device(app.platform, gateway, "child", productId=SENSOR)["deviceId"]
    session.leave()
    assert code_of(call(app, gateway, "Gateway", "RESTART")) == (200, "100428")
    assert code_of(call(app, child, "Climate", "SET_REPORT_INTERVAL", seconds=60)) == (403, "100450")
    assert command(app, gateway).status == 201
    settle(app.platform)
    assert only(app)["status"] == "PENDING"
