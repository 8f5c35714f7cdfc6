"""The control plane lets devices answer commands, upgrade, mute commands, send events, and fires rules."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from iot_northbound.emulator.control.control import NotFound
from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire
from tests.emulator.test_push_sender import Receiver

COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands"
OPERATIONS = "/iodm/northbound/v1.5.0/operations"
METER = {"deviceType": "WaterMeter", "model": "HM20", "manufacturerName": "Hydralis Metering"}


@pytest.fixture
def meter(emulator: Emulator, wire: Wire) -> str:
    body = {"nodeId": "meter", "productId": "water-meter-nb"}
    device_id: str = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", body)[1]["deviceId"]
    emulator.control.set_online(device_id)
    return device_id


def test_a_command_is_acknowledged_and_answered_by_the_control_plane(
    emulator: Emulator, wire: Wire, meter: str
) -> None:
    command = {"serviceId": "WaterMeter", "method": "SET_VALVE", "paras": {"state": "OPEN"}}
    command_id = wire.call("POST", COMMANDS, {"deviceId": meter, "command": command})[1]["commandId"]
    assert emulator.control.answer_command(command_id) == "PENDING"
    emulator.control.report(meter, "Battery", {"batteryLevel": 80})
    assert emulator.control.answer_command(command_id) == "DELIVERED"
    assert emulator.control.answer_command(command_id, ok=True, detail={"valve": "OPEN"}) == "SUCCESSFUL"
    (row,) = wire.call("GET", COMMANDS)[1]["data"]
    assert row["result"]["resultDetail"] == {"valve": "OPEN"}
    with pytest.raises(NotFound):
        emulator.control.answer_command("none")


def test_a_service_call_is_acknowledged_and_answered_by_the_control_plane(emulator: Emulator, wire: Wire) -> None:
    device_id = wire.call(
        "POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "gw", "productId": "home-gateway-mqtt"}
    )[1]["deviceId"]
    emulator.control.set_online(device_id)
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Gateway/sendCommand"

    def call(**header: str) -> str:
        status, answer = wire.call("POST", path, {"header": {"mode": "ACK", "method": "RESTART", **header}})
        assert status == 202
        return str(answer["requestId"])

    control, first = emulator.control, call()
    assert control.answer_service_call(device_id, first) == "delivered"
    assert control.answer_service_call(device_id, first, ok=True, body={"result": 0}) == "executed"
    assert control.answer_service_call(device_id, first, ok=False) == "executed"
    assert control.answer_service_call(device_id, call(), ok=False, response="RESTART_RSP") == "failed"
    call(toType="CLOUD")
    third = control.service_calls(device_id)[-1]
    assert (third["method"], third["status"]) == ("RESTART", "delivered")
    assert control.answer_service_call(device_id, third["requestId"], ok=True) == "executed"
    late = call(requestId="a/b c")
    control.advance(300)
    assert control.answer_service_call(device_id, late, ok=True) == "timeout"
    with pytest.raises(NotFound, match="no service call with requestId 'none'"):
        control.answer_service_call(device_id, "none")
    with pytest.raises(NotFound, match="no device 'none'"):
        control.service_calls("none")
    wire.login()
    with pytest.raises(ValueError, match="has no response 'X'"):
        control.answer_service_call(device_id, call(), ok=True, response="X")


def test_a_service_call_is_answered_over_http(emulator: Emulator, wire: Wire) -> None:
    register = {"nodeId": "gw", "productId": "home-gateway-mqtt"}
    device_id = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", register)[1]["deviceId"]
    emulator.control.set_online(device_id)
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Gateway/sendCommand"
    header = {"mode": "NOACK", "method": "RESTART", "requestId": "a/b"}
    assert wire.call("POST", path, {"header": header})[0] == 202
    connection = http.client.HTTPConnection((emulator.control_url or "").removeprefix("http://"), timeout=60)

    def control(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    with contextlib.closing(connection):
        status, (call,) = control("GET", f"/devices/{device_id}/calls")
        assert (status, call["requestId"], call["status"]) == (200, "a/b", "sent")
        answer = {"request_id": "a/b", "ok": True, "body": {"result": 0}}
        assert control("POST", f"/devices/{device_id}/calls/answer", answer) == (200, "executed")
        status, refusal = control("POST", f"/devices/{device_id}/calls/answer", {"request_id": "c"})
        assert status == 404
        assert "no service call with requestId 'c'" in refusal["error"]


def test_an_upgrade_is_moved_and_stopped_by_the_control_plane(emulator: Emulator, wire: Wire, meter: str) -> None:
    package = {"name": "p", "version": "2.0", "fileType": "firmwarePackage", **METER}
    file_id = emulator.control.add_package(package)["fileId"]
    body = {"fileId": file_id, "targets": {"devices": [meter]}}

    def create() -> tuple[str, str]:
        operation_id = wire.call("POST", f"{OPERATIONS}/firmwareUpgrade", body)[1]["operationId"]
        emulator.control.advance(0)
        parts: list[dict[str, Any]] = wire.call("GET", f"{OPERATIONS}/{operation_id}/subOperations")[1]["data"]
        return operation_id, parts[0]["subOperationId"]

    first, part = create()
    emulator.control.move_upgrade(part, "downloading")
    emulator.control.move_upgrade(part, ok=True)
    assert wire.call("GET", f"{OPERATIONS}/{first}")[1]["status"] == "success"
    second, _ = create()
    emulator.control.stop_upgrade(second)
    assert wire.call("GET", f"{OPERATIONS}/{second}")[1]["status"] == "stop"
    with pytest.raises(NotFound):
        emulator.control.move_upgrade("none")
    with pytest.raises(NotFound):
        emulator.control.stop_upgrade("none")


def test_muting_events_and_rules_are_pushed_to_their_subscribers(emulator: Emulator, wire: Wire, meter: str) -> None:
    # Nothing listens on this port: the pushes stay in the queue, where they are counted.
    url = "http://127.0.0.1:9/in"
    for kind in ("serviceInfoChanged", "deviceEvent", "ruleEvent"):
        body = {"notifyType": kind, "callbackUrl": url}
        assert wire.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", body)[0] == 201
    emulator.control.mute(meter, "WaterMeter", ["SET_VALVE"])
    emulator.control.device_event(meter, "WaterMeter", "leak", {"flowRate": 7})
    emulator.control.fire_rule("r", "leak alarm", [{"type": "DEVICE_DATA"}], [{"type": "SMS", "result": {}}])
    assert emulator.control.pushes()["queued"] == 3


VALVE = {"serviceId": "WaterMeter", "method": "SET_VALVE", "paras": {"state": "OPEN"}}


def test_a_scripted_device_answers_at_once_while_the_clock_is_frozen(
    emulator: Emulator, wire: Wire, meter: str
) -> None:
    emulator.control.freeze()
    emulator.control.script(meter)
    for _ in range(3):
        wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE})
    emulator.control.clock()
    rows = wire.call("GET", COMMANDS)[1]["data"]
    assert [row["status"] for row in rows] == ["SUCCESSFUL"] * 3


def test_a_call_alone_starts_a_scripted_device_while_the_clock_is_frozen(
    emulator: Emulator, wire: Wire, meter: str
) -> None:
    receiver = Receiver()
    emulator.control.script(meter)
    emulator.control.freeze()
    with receiver.serving() as url:
        wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE, "callbackUrl": url})
        bodies = receiver.wait_for(3)  # only this call: no operation, no other call
    assert sorted(body["result"]["resultCode"] for body in bodies) == ["DELIVERED", "SENT", "SUCCESSFUL"]


def test_a_delay_that_is_kept_waits_for_advance(emulator: Emulator, wire: Wire, meter: str) -> None:
    emulator.control.change_settings(transitions="timed")
    emulator.control.freeze()
    emulator.control.script(meter, after=30)
    wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE})
    seen = []
    for seconds in (0, 29, 1):
        emulator.control.advance(seconds)
        seen.append(wire.call("GET", COMMANDS)[1]["data"][0]["status"])
    assert seen == ["DELIVERED", "DELIVERED", "SUCCESSFUL"]


def test_released_steps_have_happened_when_release_returns(emulator: Emulator, wire: Wire, meter: str) -> None:
    emulator.control.change_settings(transitions="manual")
    emulator.control.script(meter)
    wire.call("POST", COMMANDS, {"deviceId": meter, "command": VALVE})
    seen = []
    for _ in range(2):
        emulator.control.release(1)
        seen.append(wire.call("GET", COMMANDS)[1]["data"][0]["status"])
    assert seen == ["DELIVERED", "SUCCESSFUL"]


def test_more_pushes_than_fit_at_once_all_arrive_while_the_clock_is_frozen(emulator: Emulator, wire: Wire) -> None:
    receiver = Receiver()
    emulator.control.freeze()
    with receiver.serving() as url:
        wire.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", {"notifyType": "deviceAdded", "callbackUrl": url})
        made = [wire.register(f"n{number}") for number in range(50)]
        bodies = receiver.wait_for(50)
    assert sorted(body["deviceId"] for body in bodies) == sorted(made)


# --- what devices tell, by method and over HTTP ---

BATTERY = {"service_id": "Battery", "data": {"batteryLevel": 80}}
VOLUME = {"service_id": "WaterMeter", "data": {"totalVolume": 7}, "event_time": "20300101T000000Z"}


class Hands:
    """The control plane's operations, as methods or over HTTP."""

    def __init__(self, emulator: Emulator, over_http: bool) -> None:
        self.control, self.over_http = emulator.control, over_http
        parts = urlsplit(str(emulator.control_url))
        self.connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 0, timeout=60)

    def act(self, method: str, path: str, name: str, *ids: str, **fields: Any) -> Any:
        if not self.over_http:
            return getattr(self.control, name)(*ids, **fields)
        content = json.dumps(fields) if fields else None
        self.connection.request(method, path.format(*ids), content, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        read = answer.read()
        assert answer.status in (200, 201, 204), read
        return json.loads(read) if read else None


@pytest.fixture(params=["method", "HTTP"])
def hands(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[Hands]:
    one = Hands(emulator, request.param == "HTTP")
    yield one
    one.connection.close()


@pytest.fixture
def heard(wire: Wire) -> Iterator[Callable[..., Receiver]]:
    """A receiver that is subscribed to these kinds of notification."""
    one = Receiver()

    def subscribe(*kinds: str) -> Receiver:
        for kind in kinds:
            answer = wire.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", {"notifyType": kind, "callbackUrl": url})
            assert answer[0] == 201, answer
        return one

    with one.serving() as url:
        yield subscribe


def test_a_report_of_several_services_is_pushed_whole(hands: Hands, heard: Any, meter: str) -> None:
    receiver = heard("deviceDatasChanged")
    path = "/devices/{}/reports/batch"
    hands.act("POST", path, "report_services", meter, services=[BATTERY, VOLUME], request_id="r7")
    [body] = receiver.wait_for(1)
    told = [(each["serviceId"], each["data"], each["eventTime"]) for each in body["services"]]
    assert body["requestId"] == "r7"
    assert [each[:2] for each in told] == [("Battery", {"batteryLevel": 80}), ("WaterMeter", {"totalVolume": 7})]
    assert told[1][2] == "20300101T000000Z"


def test_a_script_may_report_several_services(hands: Hands, heard: Any, meter: str) -> None:
    receiver = heard("deviceDatasChanged")
    report = [BATTERY, {"service_id": "WaterMeter", "data": {"totalVolume": 7}, "increments": {"totalVolume": 1}}]
    hands.act("PUT", "/devices/{}/script", "script", meter, report_every=60, report=report)
    hands.control.advance(60)
    [body] = receiver.wait_for(1)
    assert [each["serviceId"] for each in body["services"]] == ["Battery", "WaterMeter"]


def test_a_tuple_is_as_good_as_a_list(emulator: Emulator, heard: Any, meter: str) -> None:
    receiver, control = heard("deviceDatasChanged", "ruleEvent"), emulator.control
    control.report_services(meter, (BATTERY, VOLUME))  # type: ignore[arg-type]
    control.freeze()
    assert control.script(meter, report_every=60, report=(BATTERY,))["report"] == [BATTERY]
    control.advance(120)
    control.mute(meter, "WaterMeter", ("SET_VALVE",))  # type: ignore[arg-type]
    control.fire_rule("r", "leak", ({"type": "DEVICE_DATA"},), ({"type": "SMS", "result": {}},))  # type: ignore[arg-type]
    bodies = receiver.wait_for(4)
    assert sorted(len(body["services"]) for body in bodies if "services" in body) == [1, 1, 2]
    with pytest.raises(ValueError, match="report must have at least 1 item"):
        control.script(meter, report_every=60, report=())


def test_a_desired_change_can_be_refused(hands: Hands, heard: Any, wire: Wire, meter: str) -> None:
    receiver = heard("deviceDesiredPropertiesModifyStatusChanged")
    path = "/devices/{}/services/{}/refused"
    for refused in (True, False):
        hands.act("PUT", path, "refuse_desired", meter, "WaterMeter", refused=refused)
        desired = {"serviceDesireds": [{"serviceId": "WaterMeter", "desired": {"reportInterval": 900}}]}
        assert wire.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{meter}", desired)[0] == 200
        receiver.wait_for(1 if refused else 2)
    assert [body["status"] for body in receiver.bodies] == ["FAILED", "DELIVERED"]


def test_a_gateway_removes_its_device_and_this_is_pushed(hands: Hands, heard: Any, wire: Wire) -> None:
    receiver = heard("deviceDeleted")
    gateway = wire.register("gw")
    child = hands.act("POST", "/devices/{}/devices", "add_sub_device", gateway, node_id="c")["deviceId"]
    hands.act("DELETE", "/devices/{}/devices/{}", "remove_sub_device", gateway, child)
    [body] = receiver.wait_for(1)
    assert (body["deviceId"], body["gatewayId"]) == (child, gateway)
    assert wire.devices() == [gateway]
    with pytest.raises(NotFound, match="has no device"):
        hands.control.remove_sub_device(gateway, child)


def test_a_gateway_is_unbound_with_the_devices_behind_it(hands: Hands, heard: Any, wire: Wire) -> None:
    receiver = heard("deviceDeleted")
    gateway = wire.register("gw")
    child = hands.act("POST", "/devices/{}/devices", "add_sub_device", gateway, node_id="c")["deviceId"]
    hands.act("POST", "/devices/{}/unbind", "unbind_gateway", gateway)
    assert {body["deviceId"] for body in receiver.wait_for(2)} == {child, gateway}  # they come in any order
    assert wire.devices() == []
    with pytest.raises(NotFound):
        hands.control.unbind_gateway(gateway)


def test_a_rule_says_how_its_conditions_are_joined(hands: Hands, heard: Any) -> None:
    receiver = heard("ruleEvent")
    rule = {"rule_name": "leak", "reasons": [{"type": "DEVICE_DATA"}], "actions": [{"type": "SMS", "result": {}}]}
    hands.act("POST", "/rules/{}/fire", "fire_rule", "r1", **rule, logic="or")
    hands.act("POST", "/rules/{}/fire", "fire_rule", "r2", **rule)
    assert {body["ruleId"]: body["logic"] for body in receiver.wait_for(2)} == {"r1": "or", "r2": None}


def test_an_alarm_and_a_status_detail_show_in_the_query(hands: Hands, wire: Wire, meter: str) -> None:
    hands.act("PUT", "/devices/{}/alarm", "report_alarm", meter, severity="major", alarm_time="20300101T000000Z")
    hands.act("PUT", "/devices/{}/online", "set_online", meter, online=False, detail="DUTY_CYCLE")
    hands.act("PATCH", "/devices/{}/info", "report_info", meter, description="cellar", bridgeId="b", radiusIp="::1")
    hands.act("PUT", "/devices/{}/online", "set_online", meter, detail="UE_REACHABILITY")
    device = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{meter}")[1]
    alarm = {"alarmSeverity": "major", "alarmStatus": True, "alarmTime": "20300101T000000Z"}
    assert device["alarmInfo"] == alarm
    info = device["deviceInfo"]
    assert [info[name] for name in ("status", "statusDetail", "description", "bridgeId", "radiusIp")] == [
        "ONLINE", "UE_REACHABILITY", "cellar", "b", "::1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda control, meter: control.report_services(meter, []), "at least 1 item"),
        (
            lambda control, meter: control.report_services(meter, [{"data": {}}]),
            r"services\[0\]\.service_id is missing",
        ),
        (lambda control, meter: control.report_services(meter, BATTERY), "services must be an array"),
        (lambda control, meter: control.report_services(meter, [{**BATTERY, "time": 1}]), "time is not known"),
        (lambda control, meter: control.report_services(meter, [{**BATTERY, "service_id": "Oven"}]), "service 'Oven'"),
        (lambda control, meter: control.report_alarm(meter, 7), "severity must be a string"),
        (lambda control, meter: control.set_online(meter, True, "FINE"), "detail must be one of NONE, CONFIG"),
        (lambda control, meter: control.refuse_desired(meter, "Oven"), "no service 'Oven'"),
    ],
)
def test_a_report_that_a_device_cannot_make_is_refused(emulator: Emulator, meter: str, act: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        act(emulator.control, meter)
