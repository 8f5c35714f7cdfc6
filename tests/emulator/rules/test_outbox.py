"""Messages to linked devices: numbers, acknowledgements, answers, and what a lost link gives back."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, invocations, links, outbox
from tests.emulator.calling import Caller, code_of
from tests.emulator.rules.linked import Linked
from tests.emulator.scene import COMMANDS, DEVICES, command, meter, pushed, settle, status_of, subscribe

GATEWAY, SENSOR = "home-gateway-mqtt", "climate-sensor-zigbee"


@pytest.fixture
def device(platform: Platform, app: Caller) -> Linked:
    return Linked(platform, meter(app, "m")).listen()


@pytest.fixture
def gateway(platform: Platform, app: Caller) -> Linked:
    return Linked(platform, app.register("gw", productId=GATEWAY, timeout=0)).listen()


def call(app: Caller, device_id: str, service_id: str = "Gateway", method: str = "RESTART", **header: Any) -> Answer:
    paras = {"seconds": 60} if method in ("PERMIT_JOIN", "SET_REPORT_INTERVAL") else {}
    body = {"header": {"mode": "ACK", "method": method, **header}, "body": paras}
    return app.call("POST", f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/{service_id}/sendCommand", body)


def stored(app: Caller, command_id: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = app.call("GET", COMMANDS).body["data"]
    return next(row for row in rows if row["commandId"] == command_id)


def test_a_message_says_what_is_asked_of_whom(platform: Platform, app: Caller, device: Linked) -> None:
    asked = command(app, device.id)
    settle(platform)
    [row] = device.take()
    assert row == {
        "seq": row["seq"], "link": device.id, "deviceId": device.id, "mid": 1, "kind": "command", "ref": asked,
        "serviceId": "WaterMeter", "method": "SET_VALVE", "paras": {"state": "OPEN"}, "state": "waiting",
    }  # fmt: skip
    assert device.take() == []


def test_a_cached_command_goes_from_sent_over_delivered_to_successful(
    platform: Platform, app: Caller, device: Linked
) -> None:
    asked = command(app, device.id)
    settle(platform)
    assert status_of(app, asked) == "SENT"
    [row] = device.take()
    device.acknowledge(row["mid"])
    assert status_of(app, asked) == "DELIVERED"
    assert device.answer(row["mid"], result="ok") == "answered"
    assert stored(app, asked)["result"] == {"resultCode": "SUCCESSFUL", "resultDetail": {"result": "ok"}}
    assert not platform.table(outbox.OUTBOX).rows


def test_another_errcode_is_a_failure_and_a_part_of_the_result(platform: Platform, app: Caller, device: Linked) -> None:
    asked = command(app, device.id)
    settle(platform)
    [row] = device.take()
    device.acknowledge(row["mid"])
    assert device.answer(row["mid"], 7, why="stuck") == "answered"
    assert stored(app, asked)["result"] == {"resultCode": "FAILED", "resultDetail": {"errcode": 7, "why": "stuck"}}


def test_without_acknowledgements_a_command_is_delivered_with_its_answer(platform: Platform, app: Caller) -> None:
    device = Linked(platform, meter(app, "m")).listen(qos=0)
    asked = command(app, device.id)
    settle(platform)
    [row] = device.take()
    assert status_of(app, asked) == "SENT"
    platform.advance(3)
    assert device.answer(row["mid"]) == "answered"
    told = stored(app, asked)
    assert (told["status"], told["deliveredTime"]) == ("SUCCESSFUL", platform.now_text())


def test_a_call_is_confirmed_as_sent_delivered_and_executed_and_its_answer_is_pushed(
    platform: Platform, app: Caller, gateway: Linked
) -> None:
    subscribe(app, "messageConfirm")
    subscribe(app, "commandRsp")
    assert call(app, gateway.id).body["status"] == "sent"
    [row] = gateway.take()
    assert (row["kind"], row["serviceId"], row["method"], row["paras"]) == ("invocation", "Gateway", "RESTART", {})
    gateway.acknowledge(row["mid"])
    gateway.answer(row["mid"], done=True)
    assert [body["header"]["status"] for body in pushed(platform, "messageConfirm")] == [
        "sent",
        "delivered",
        "executed",
    ]
    assert [body["body"] for body in pushed(platform, "commandRsp")] == [{"done": True}]
    assert not platform.table(outbox.OUTBOX).rows


def test_a_failed_call_is_executed_and_its_answer_has_the_errcode(
    platform: Platform, app: Caller, gateway: Linked
) -> None:
    subscribe(app, "messageConfirm")
    subscribe(app, "commandRsp")
    call(app, gateway.id)
    [row] = gateway.take()
    gateway.answer(row["mid"], 1, why="busy")  # subscribed or not: the answer alone is enough
    assert [body["header"]["status"] for body in pushed(platform, "messageConfirm")] == [
        "sent",
        "delivered",
        "executed",
    ]
    assert [body["body"] for body in pushed(platform, "commandRsp")] == [{"errcode": 1, "why": "busy"}]


def test_a_result_can_come_in_its_final_form(platform: Platform, app: Caller, device: Linked) -> None:
    asked = command(app, device.id)
    settle(platform)
    [row] = device.take()
    detail = {"result": 4, "meaning": "not identified"}
    assert platform.work(outbox.resolved, platform, device.id, row["mid"], ok=False, detail=detail) == "answered"
    assert stored(app, asked)["result"] == {"resultCode": "FAILED", "resultDetail": detail}


def test_unknown_and_repeated_answers_change_nothing(platform: Platform, app: Caller, device: Linked) -> None:
    asked = command(app, device.id)
    settle(platform)
    assert device.answer(1) == "unknown"  # it has not gone out yet, so the device cannot mean it
    [row] = device.take()
    assert device.answer(row["mid"] + 1) == "unknown"
    assert status_of(app, asked) == "SENT"
    assert device.answer(row["mid"]) == "answered"
    assert device.answer(row["mid"], 1) == "unknown"
    device.acknowledge(row["mid"])
    device.acknowledge(999)
    assert status_of(app, asked) == "SUCCESSFUL"


def test_an_answer_without_a_number_means_the_only_open_message(platform: Platform, app: Caller) -> None:
    device = Linked(platform, meter(app, "m")).listen()
    assert device.answer(None) == "none open"
    first = command(app, device.id, expireTime=0)
    settle(platform)
    assert device.answer(None) == "none open"
    device.take()
    second = command(app, device.id, expireTime=0)
    settle(platform)
    device.take()
    assert device.answer(None) == "ambiguous"
    assert device.answer(2) == "answered"
    assert device.answer(None) == "answered"
    assert (status_of(app, first), status_of(app, second)) == ("SUCCESSFUL", "SUCCESSFUL")


def test_one_device_cannot_answer_for_another(platform: Platform, app: Caller, device: Linked) -> None:
    other = Linked(platform, meter(app, "other"), "s2").listen()
    asked = command(app, device.id)
    settle(platform)
    [row] = device.take()
    assert other.answer(row["mid"]) == "unknown"
    assert other.answer(None) == "none open"
    other.acknowledge(row["mid"])
    assert status_of(app, asked) == "SENT"


def test_the_next_cached_command_follows_the_acknowledgement(platform: Platform, app: Caller, device: Linked) -> None:
    first, second = command(app, device.id), command(app, device.id)
    settle(platform)
    [row] = device.take()
    assert (row["ref"], device.take()) == (first, [])
    device.acknowledge(row["mid"])
    assert [each["ref"] for each in device.take()] == [second]


def test_the_numbers_ascend_over_sessions_wrap_around_and_skip_open_ones(
    platform: Platform, app: Caller, device: Linked
) -> None:
    command(app, device.id, expireTime=0)
    settle(platform)
    [one] = device.take()
    again = Linked(platform, device.id, "s2").listen()
    platform.table(devices.DEVICES).change(device.id, lastMid=outbox.MIDS - 1)
    for _ in range(2):
        command(app, device.id, expireTime=0)
    settle(platform)
    assert (one["mid"], [row["mid"] for row in again.take()]) == (1, [outbox.MIDS, 2])


def test_the_oldest_message_gives_up_its_number_when_all_are_open(
    platform: Platform, app: Caller, gateway: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MIDS", 3)
    for _ in range(5):
        assert call(app, gateway.id).status == 202
    assert [row["mid"] for row in gateway.take()] == [3, 1, 2]


def test_a_message_that_waits_for_a_lost_link_goes_back_to_its_command(
    platform: Platform, app: Caller, device: Linked
) -> None:
    asked = command(app, device.id, expireTime=100, callbackUrl="https://na.example/status")
    settle(platform)
    device.leave()
    told = stored(app, asked)
    assert (told["status"], told["issuedTimes"], told["platformIssuedTime"]) == ("PENDING", None, None)
    assert [body["result"]["resultCode"] for body in pushed(platform, None)] == ["SENT", "PENDING"]
    again = Linked(platform, device.id, "s2").listen()
    [row] = again.take()
    assert (row["ref"], status_of(app, asked)) == (asked, "SENT")


def test_a_command_that_was_given_back_still_expires(platform: Platform, app: Caller, device: Linked) -> None:
    asked = command(app, device.id, expireTime=100)
    settle(platform)
    device.leave()
    platform.advance(101)
    assert status_of(app, asked) == "EXPIRED"


def test_a_command_that_was_sent_and_not_acknowledged_is_sent_anew_by_its_timer(
    platform: Platform, app: Caller, device: Linked
) -> None:
    once, twice = command(app, device.id), command(app, device.id, maxRetransmit=1)
    settle(platform)
    [row] = device.take()
    again = Linked(platform, device.id, "s2").listen()
    assert (again.take(), status_of(app, once)) == ([], "SENT")
    platform.advance(platform.settings.command_ack_timeout)
    assert status_of(app, once) == "TIMEOUT"
    [second] = again.take()
    assert (second["ref"], second["mid"]) == (twice, row["mid"] + 1)
    platform.advance(platform.settings.command_ack_timeout)
    [third] = again.take()
    assert (third["ref"], third["mid"]) == (twice, row["mid"] + 2)
    assert again.answer(second["mid"]) == "answered"  # an answer to either is the answer
    assert status_of(app, twice) == "SUCCESSFUL"
    assert not platform.table(outbox.OUTBOX).rows


def test_an_answer_that_comes_after_a_reconnect_counts(platform: Platform, app: Caller, device: Linked) -> None:
    asked = command(app, device.id)
    settle(platform)
    [row] = device.take()
    device.acknowledge(row["mid"])
    device.leave()
    assert Linked(platform, device.id, "s2").answer(row["mid"]) == "answered"
    assert status_of(app, asked) == "SUCCESSFUL"


def test_a_call_is_not_sent_after_its_link_is_lost(platform: Platform, app: Caller, gateway: Linked) -> None:
    subscribe(app, "messageConfirm")
    call(app, gateway.id)
    gateway.leave()
    again = Linked(platform, gateway.id, "s2").listen()
    assert again.take() == []
    platform.advance(platform.settings.command_answer_timeout)
    assert [row["status"] for row in invocations.of_device(platform, gateway.id)] == ["timeout"]


def test_a_call_needs_a_link_that_listens(platform: Platform, app: Caller) -> None:
    gateway = Linked(platform, app.register("gw", productId=GATEWAY, timeout=0))
    assert code_of(call(app, gateway.id)) == (200, "100428")
    assert call(app, gateway.id, toType="CLOUD").body["status"] == "failed"
    child = devices.add_sub_device(platform, gateway.id, "s", productId=SENSOR)["deviceId"]
    gateway.listen()
    assert code_of(call(app, child, "Climate", "SET_REPORT_INTERVAL")) == (200, "100428")
    gateway.leave()
    assert code_of(call(app, child, "Climate", "SET_REPORT_INTERVAL")) == (403, "100450")


def test_what_has_timed_out_is_open_no_more(platform: Platform, app: Caller, gateway: Linked) -> None:
    call(app, gateway.id)
    [row] = gateway.take()
    platform.advance(platform.settings.command_answer_timeout)
    assert gateway.answer(row["mid"]) == "unknown"
    assert not platform.table(outbox.OUTBOX).rows


def test_messages_for_a_child_go_through_its_gateway(platform: Platform, app: Caller, gateway: Linked) -> None:
    child = devices.add_sub_device(platform, gateway.id, "s", productId=SENSOR)["deviceId"]
    ask = {"serviceId": "Climate", "method": "SET_REPORT_INTERVAL", "paras": {"seconds": 60}}
    asked = app.call("POST", COMMANDS, {"deviceId": child, "command": ask}).body["commandId"]
    settle(platform)
    assert gateway.take() == []
    gateway.listen("gateway")
    [row] = gateway.take()
    assert (row["link"], row["deviceId"], row["ref"]) == (gateway.id, child, asked)
    assert gateway.answer(None) == "none open"  # without a number only the gateway itself can be meant
    assert gateway.answer(row["mid"]) == "answered"
    assert status_of(app, asked) == "SUCCESSFUL"


def test_a_hub_gets_cached_commands_when_it_asks_and_calls_wait_for_that(platform: Platform, app: Caller) -> None:
    hub = Linked(platform, app.register("hub", productId=GATEWAY, timeout=0), kind="hub")
    ask = {"serviceId": "Gateway", "method": "RESTART", "paras": {}}
    asked = app.call("POST", COMMANDS, {"deviceId": hub.id, "command": ask}).body["commandId"]
    settle(platform)
    assert call(app, hub.id).body["status"] == "sent"
    assert status_of(app, asked) == "PENDING"
    hub.listen("hub")
    assert [row["kind"] for row in hub.take()] == ["invocation", "command"]
    assert status_of(app, asked) == "SENT"


@pytest.mark.parametrize("qos", [0, 1])
def test_a_deleted_gateway_hears_that_it_is_unbound_before_its_session_ends(
    platform: Platform, app: Caller, gateway: Linked, qos: int
) -> None:
    gateway.listen("gateway", qos)
    call(app, gateway.id)
    assert app.call("DELETE", f"{DEVICES}/{gateway.id}").status == 204
    assert links.find(platform, gateway.id)
    [row] = gateway.take()
    assert (row["kind"], row["method"]) == ("unbind", "REMOVE_GATEWAY")
    if qos:
        assert gateway.answer(row["mid"]) == "unknown"
        gateway.acknowledge(row["mid"])
    assert links.find(platform, gateway.id) is None
    assert not platform.table(outbox.OUTBOX).rows


def test_a_deleted_gateway_that_acknowledges_nothing_loses_its_session(
    platform: Platform, app: Caller, gateway: Linked
) -> None:
    gateway.listen("gateway")
    app.call("DELETE", f"{DEVICES}/{gateway.id}")
    gateway.listen("json")  # it is too late for that
    platform.advance(platform.settings.command_ack_timeout)
    assert links.find(platform, gateway.id) is None
    assert not platform.table(outbox.OUTBOX).rows


def test_a_child_that_outlives_its_gateway_gets_its_waiting_command_back(
    platform: Platform, app: Caller, gateway: Linked
) -> None:
    child = devices.add_sub_device(platform, gateway.id, "s", productId=SENSOR)["deviceId"]
    gateway.listen("gateway")
    ask = {"serviceId": "Climate", "method": "SET_REPORT_INTERVAL", "paras": {"seconds": 60}}
    asked = app.call("POST", COMMANDS, {"deviceId": child, "command": ask}).body["commandId"]
    settle(platform)
    app.call("DELETE", f"{DEVICES}/{gateway.id}", cascade="false")
    assert status_of(app, asked) == "PENDING"
    assert [row["kind"] for row in gateway.take()] == ["unbind"]
