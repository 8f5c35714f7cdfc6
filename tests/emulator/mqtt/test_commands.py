from __future__ import annotations

import json
from typing import Any

import pytest

from iot_northbound.emulator import Emulator
from tests.clock import eventually
from tests.emulator.conftest import Wire

from . import wire as w
from .asking import EARLIER, Connect, command_status, journal, send_command, shipped_model
from .wire import ACCEPTED, Device, acknowledged

# --- commands ---


@pytest.mark.parametrize(("errcode", "end"), [(0, "SUCCESSFUL"), (1, "FAILED")])
def test_a_queued_command_reaches_the_device_when_it_listens(
    wire: Wire, device: Device, peer: Connect, errcode: int, end: str
) -> None:
    one = peer(device)
    command_id = send_command(wire, device)
    assert command_status(wire, device, command_id)[0] == "PENDING"
    assert one.ask(w.subscribe(1, (device.command, 1))) == b"\x90\x03\x00\x01\x01"
    topic, packet_id, message = one.command()
    assert topic == device.command
    assert list(message) == ["msgType", "serviceId", "cmd", "paras", "mid"]
    assert message == {
        "msgType": "cloudReq", "serviceId": "Gateway", "cmd": "PERMIT_JOIN", "paras": {"seconds": 60},
        "mid": message["mid"],
    }  # fmt: skip
    assert command_status(wire, device, command_id)[0] == "SENT"
    one.send(w.puback(packet_id))
    eventually(lambda: command_status(wire, device, command_id)[0] == "DELIVERED")
    answer = {"msgType": "deviceRsp", "mid": message["mid"], "errcode": errcode, "body": {"result": 3}}
    assert one.ask(w.publish(device.data, json.dumps(answer).encode(), 9)) == acknowledged(9)
    state, result = command_status(wire, device, command_id)
    assert state == end
    assert result["resultDetail"] == ({"result": 3} if errcode == 0 else {"errcode": 1, "result": 3})


def test_an_answer_without_mid_belongs_to_the_only_open_command(wire: Wire, device: Device, peer: Connect) -> None:
    one = peer(device)
    one.ask(w.subscribe(1, (device.command, 0)))
    command_id = send_command(wire, device)
    assert one.command()[1] == 0
    assert one.ask(w.publish(device.data, b'{"msgType":"deviceRsp","errcode":"0"}', 2)) == acknowledged(2)
    assert command_status(wire, device, command_id)[0] == "SUCCESSFUL"
    assert one.ask(w.publish(device.data, b'{"msgType":"deviceRsp","mid":1}', 3)) == acknowledged(3)


def test_at_most_twenty_messages_are_in_flight(emulator: Emulator, wire: Wire, device: Device, peer: Connect) -> None:
    one = peer(device)
    one.ask(w.subscribe(1, (device.command, 1)))
    for _ in range(25):
        send_command(wire, device, expireTime=0)
    ids = [one.command()[1] for _ in range(20)]
    assert len(set(ids)) == 20
    assert one.ask(w.PINGREQ) == w.PINGRESP
    assert emulator.control.mqtt_sessions()[0]["inFlight"] == 20
    one.send(*map(w.puback, ids[:5]), w.puback(60_000))
    assert len({one.command()[1] for _ in range(5)} | set(ids)) >= 20


def test_a_call_of_a_service_gets_its_response(wire: Wire, device: Device, peer: Connect) -> None:
    one = peer(device)
    one.ask(w.subscribe(1, (device.command, 1)))
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device.device_id}/services/Gateway/sendCommand"
    body = {"header": {"mode": "ACK", "method": "RESTART", "toType": "GATEWAY"}, "body": {}}
    code, answer = wire.call("POST", path, body)
    assert code == 202, answer
    _, packet_id, message = one.command()
    one.send(w.puback(packet_id))
    reply = {"msgType": "deviceRsp", "mid": message["mid"], "errcode": 0, "body": {"result": 0}}
    assert one.ask(w.publish(device.data, json.dumps(reply).encode(), 9)) == acknowledged(9)
    calls = wire.emulator.control.service_calls(device.device_id)
    assert [each["status"] for each in calls] == ["executed"]


# --- behind a gateway ---


def test_a_gateway_speaks_and_listens_for_the_devices_behind_it(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    one = peer(device)
    added = emulator.control.add_sub_device(device.device_id, "sensor-1", productId="climate-sensor-zigbee")
    child = Device(added["deviceId"], "sensor-1", "")
    model = next(each for each in json.loads(shipped_model("gateway_sensor"))["services"] if each.get("commands"))
    assert one.ask(w.subscribe(1, (f"/gws/{device.device_id}/signaltrans/v2/categories/#", 1)))[-1] == 1
    to = f"/data/v1.1.0/devices/{child.device_id}/services/{model['serviceId']}"
    header = {"method": "PUT", "from": "x", "to": to}
    report = json.dumps({"header": {**header, "eventTime": EARLIER}, "body": {"a": 1}}).encode()
    assert one.ask(w.publish("/cloud/signaltrans/v2/categories/data", report, 2)) == acknowledged(2)
    _, found = wire.call(
        "GET",
        f"/iocm/app/data/v1.2.0/deviceDataHistory?deviceId={child.device_id}&gatewayId={device.device_id}",
    )
    assert [row["timestamp"] for row in found["deviceDataHistoryDTOs"]] == [EARLIER]

    command = {"serviceId": model["serviceId"], "method": model["commands"][0]["commandName"], "paras": {"seconds": 60}}
    code, answer = wire.call(
        "POST", "/iocm/app/cmd/v1.4.0/deviceCommands", {"deviceId": child.device_id, "command": command}
    )
    assert code == 201, answer
    topic, packet_id, message = one.command()
    assert topic == f"/gws/{device.device_id}/signaltrans/v2/categories/command"
    assert message["header"]["deviceId"] == child.device_id
    assert message["header"]["method"] == command["method"]
    one.send(w.puback(packet_id))
    told = {"requestId": message["header"]["requestId"], "deviceId": child.device_id, "statusCode": 200}
    reply = json.dumps({"header": told, "body": {"result": 1}}).encode()
    assert one.ask(w.publish("/cloud/signaltrans/v2/categories/reply", reply, 3)) == acknowledged(3)
    assert command_status(wire, child, answer["commandId"])[0] == "SUCCESSFUL"


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"header": {}, "body": {}},
        {"header": {"to": "/data/v1.1.0/devices/stranger/services/Gateway"}, "body": {}},
        {"header": {"to": "nowhere"}, "body": []},
    ],
)
def test_a_gateway_cannot_speak_for_strangers(
    emulator: Emulator, device: Device, peer: Connect, report: dict[str, Any]
) -> None:
    one = peer(device)
    content = json.dumps(report).encode()
    assert one.ask(w.publish("/cloud/signaltrans/v2/categories/data", content, 2)) == acknowledged(2)
    assert journal(emulator, "PUBLISH")[-1]["outcome"].startswith("dropped: ")


# --- a model's secret ---


def test_a_device_gets_its_own_secret_for_its_models(emulator: Emulator, peer: Connect) -> None:
    emulator.control.change_settings(mqtt_model_secrets=True)
    model = {**json.loads(shipped_model("gateway")), "productId": "wm_tr01", "secret": "product-secret-1"}
    emulator.control.add_model(model)
    stamp = "2026112512"
    login = w.connect(f"wm_tr01_node_9_1_0_{stamp}", "wm_tr01", w.password("product-secret-1", stamp))
    one = peer()
    assert one.ask(login) == ACCEPTED
    topic = "/huawei/v1/products/wm_tr01/sn/node_9"
    one.send(w.subscribe(1, (f"{topic}/secretNotify", 1)))
    assert one.recv()[-1] == 1
    where, packet_id, message = one.command()
    assert where == f"{topic}/secretNotify"
    assert set(message) == {"msgType", "deviceid", "secret"}
    assert message["msgType"] == "cloudSendSecret"
    one.send(w.puback(packet_id))
    own = Device(message["deviceid"], "node_9", message["secret"])
    assert one.ask(w.publish(f"{topic}/secretACK", b"", 2)) == acknowledged(2)
    assert peer().ask(login) == w.refused(5)
    assert peer(own).ask(own.report(1)) == acknowledged(1)
    assert own.secret not in json.dumps(emulator.control.journal(kind="mqtt"))
