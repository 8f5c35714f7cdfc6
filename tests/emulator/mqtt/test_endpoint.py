from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator import Emulator, NotFound
from iot_northbound.serving import Limits
from tests.clock import eventually
from tests.emulator.conftest import Wire

from . import wire as w
from .wire import ACCEPTED, Device, Peer, acknowledged, register

Connect = Callable[..., Peer]
EARLIER = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 3600))


def status(wire: Wire, device: Device) -> str:
    _, answer = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device.device_id}")
    return str(answer["deviceInfo"]["status"])


def history(wire: Wire, device: Device, page: int = 0) -> list[dict[str, Any]]:
    query = f"deviceId={device.device_id}&gatewayId={device.device_id}&pageNo={page}&pageSize=250"
    code, answer = wire.call("GET", f"/iocm/app/data/v1.2.0/deviceDataHistory?{query}")
    assert code == 200, answer
    return list(answer["deviceDataHistoryDTOs"])


def journal(emulator: Emulator, packet: str) -> list[dict[str, Any]]:
    return [each for each in emulator.control.journal(kind="mqtt") if each["packet"] == packet]


# --- in and out ---


def test_a_device_is_online_while_it_is_connected(wire: Wire, device: Device, peer: Connect) -> None:
    assert status(wire, device) == "INACTIVE"
    one = peer(device)
    assert status(wire, device) == "ONLINE"
    one.send(w.DISCONNECT)
    assert one.recv() == b""
    eventually(lambda: status(wire, device) == "OFFLINE")


def test_a_lost_connection_takes_the_device_offline(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    peer(device).close()
    eventually(lambda: status(wire, device) == "OFFLINE")
    assert "lost" in journal(emulator, "close")[-1]["outcome"]


@pytest.mark.parametrize("by_node", [False, True])
def test_a_report_is_acknowledged_when_it_is_in_the_history(
    wire: Wire, device: Device, peer: Connect, by_node: bool
) -> None:
    one = peer(device, by_node=by_node)
    name = device.node_id if by_node else device.device_id
    topic = f"/huawei/v1/devices/{name}/data/json"
    first = w.entry(40, eventTime=EARLIER)
    assert one.ask(w.publish(topic, w.message(first, w.entry(41)), 7)) == acknowledged(7)
    found = {row["data"]["signalStrength"]: row["timestamp"] for row in history(wire, device)}
    assert set(found) == {40, 41}
    assert found[40] == EARLIER


def test_acknowledgements_come_in_the_order_of_the_messages(device: Device, peer: Connect) -> None:
    one = peer(device)
    one.send(*(device.report(packet_id) for packet_id in range(1, 151)))
    assert [one.recv() for _ in range(150)] == [acknowledged(packet_id) for packet_id in range(1, 151)]


def test_a_report_with_qos_0_is_taken(wire: Wire, device: Device, peer: Connect) -> None:
    one = peer(device)
    assert one.ask(device.report(0), w.PINGREQ) == w.PINGRESP
    assert len(history(wire, device)) == 1


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "msgType is None"),
        (b'{"msgType":"cloudReq"}', "msgType is 'cloudReq'"),
        (b'{"msgType":"deviceReq"}', "data"),
        (b'{"msgType":"deviceReq","data":[]}', "data"),
        (b'{"msgType":"deviceReq","data":[1]}', "must be an object"),
        (b'{"msgType":"deviceReq","data":[{"serviceData":{}}]}', "serviceId"),
        (b'{"msgType":"deviceReq","data":[{"serviceId":"Gateway"}]}', "serviceData"),
        (b'{"msgType":"deviceReq","data":[{"serviceId":"Gateway","data":{}}]}', "the name is serviceData"),
        (b'{"msgType":"deviceReq","data":[{"serviceId":"GatewayX","serviceData":{}}]}', "similar is 'Gateway'"),
        (b'{"msgType":"deviceRsp","mid":[]}', "mid must be a whole number"),
        (b'{"msgType":"deviceRsp","body":[]}', "body"),
        (b'{"msgType":"deviceRsp"}', "no command is open"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "not JSON"),
    ],
)
def test_an_unusable_message_is_acknowledged_and_dropped_and_hinted(
    emulator: Emulator,
    device: Device,
    peer: Connect,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    payload: bytes,
    why: str,
) -> None:
    device = register(wire, f"gw {payload[:40]!r}")
    one = peer(device)
    assert one.ask(w.publish(device.data, payload, 1)) == acknowledged(1)
    assert why in journal(emulator, "PUBLISH")[-1]["outcome"]
    assert why in caplog.text
    assert history(wire, device) == []


def test_of_a_batch_the_good_entries_are_taken(emulator: Emulator, wire: Wire, device: Device, peer: Connect) -> None:
    one = peer(device)
    wrong = {"serviceId": "Nowhere", "serviceData": {}}
    assert one.ask(device.report(1, w.entry(50), wrong, w.entry(51, eventTime="yesterday"))) == acknowledged(1)
    assert sorted(row["data"]["signalStrength"] for row in history(wire, device)) == [50, 51]
    assert journal(emulator, "PUBLISH")[-1]["outcome"].startswith("taken in part")


def test_the_last_report_of_a_second_delivery_counts_twice_in_the_history(
    wire: Wire, device: Device, peer: Connect
) -> None:
    one = peer(device)
    assert one.ask(device.report(1)) == acknowledged(1)
    assert one.ask(device.report(1, flags=8)) == acknowledged(1)
    assert len(history(wire, device)) == 2


# --- refused ---


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (w.connect("x_0_0_2018072417", level=5), 1),
        (w.connect("x_0_0_2018072417", name="MQIsdp"), 1),
        (w.connect(""), 2),
        (w.connect("nobody_0_0_2018072417", "nobody", "0" * 64), 4),
    ],
)
def test_a_refused_connect_gets_its_code_and_the_end(peer: Connect, packet: bytes, code: int) -> None:
    one = peer()
    assert one.ask(packet) == w.refused(code)
    assert one.recv() == b""


def test_a_wrong_password_leaves_the_devices_session_alone(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    one, other = peer(device), peer()
    wrong = device._replace(secret="wrong").connect()
    assert other.ask(wrong) == w.refused(4)
    assert one.ask(w.PINGREQ) == w.PINGRESP
    assert status(wire, device) == "ONLINE"
    assert "wrong password" in journal(emulator, "CONNECT")[-1]["outcome"]


def test_the_newest_login_of_a_device_ends_the_one_before(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    one = peer(device)
    other = peer(device, by_node=True)
    assert one.recv() == b""
    assert other.ask(w.PINGREQ) == w.PINGRESP
    assert status(wire, device) == "ONLINE"
    assert [each["name"] for each in emulator.control.mqtt_sessions()] == [device.node_id]


def test_beyond_the_cap_a_new_device_is_refused_and_a_known_one_may_connect_anew(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    other = register(wire, "gw-2")
    emulator.control.change_settings(mqtt_connections=1)
    peer(device)
    assert peer().ask(other.connect()) == w.refused(3)
    peer(device)


def test_mqtt_3_1_a_will_and_an_unclean_session_are_accepted(emulator: Emulator, device: Device, peer: Connect) -> None:
    assert peer().ask(device.connect(name="MQIsdp", level=3, clean=False, will=("t", b"gone"))) == ACCEPTED
    assert journal(emulator, "CONNECT")[-1]["outcome"] == "accepted, no will is kept, as clean"


@pytest.mark.parametrize(
    "packets",
    [
        [w.PINGREQ],
        [w.connect("x_0_0_2018072417", level=4) + w.PINGREQ],
        [b"\x00\x00"],
        [b"\xff" * 30],
        [b"GET / HTTP/1.1\r\n\r\n"],
        [b"\x10\xff\xff\x03" + b"x" * 100],
    ],
)
def test_a_stranger_who_breaks_the_protocol_is_cut_off(peer: Connect, packets: list[bytes]) -> None:
    one = peer().send(*packets)
    while one.recv():
        pass


@pytest.mark.parametrize(
    "packet",
    [
        w.connect("again_0_0_2018072417"),
        w.publish("a", b"", 1, flags=4)[:1] + b"\x05\x00\x01a\x00\x01",
        w.publish("a/#", b"", 1),
        w.publish("a", b"", 1)[:-2] + b"\x00\x00",
        b"\x82\x02\x00\x01",
        b"\x62\x02\x00\x01",
        b"\x90\x03\x00\x01\x00",
        b"\x30\xff\xff\x7f",
    ],
)
def test_a_device_that_breaks_the_protocol_loses_its_session(
    emulator: Emulator, device: Device, peer: Connect, packet: bytes
) -> None:
    one = peer(device).send(packet)
    assert one.recv() == b""
    assert journal(emulator, "close")[-1]["outcome"].startswith("protocol error: ")


def test_the_topic_of_another_device_ends_the_session(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    other = register(wire, "gw-2")
    assert peer(device).ask(w.publish(other.data, w.message(), 1)) == b""
    assert "another device" in journal(emulator, "close")[-1]["outcome"]
    assert history(wire, other) == []


@pytest.mark.parametrize(
    "topic",
    [
        "huawei/v1/devices/{id}/data/json",
        "/huawei/v1/devices/{node}/data/json",
        "/huawei/v1/devices//huawei/v1/devices/{id}/data/json",
        ".huawei.v1.devices.{id}.data.json",
        "/huawei/v1/devices/{id}/data/binary",
        "/huawei/v1/devices/{id}/command/json",
        "lights",
    ],
)
def test_a_slip_in_the_topic_is_acknowledged_and_hinted_with_the_right_one(
    emulator: Emulator, wire: Wire, peer: Connect, caplog: pytest.LogCaptureFixture, topic: str
) -> None:
    device = register(wire, f"gw-{hash(topic)}")
    one = peer(device)
    name = topic.format(id=device.device_id, node=device.node_id)
    assert one.ask(w.publish(name, w.message(), 1)) == acknowledged(1)
    assert journal(emulator, "PUBLISH")[-1]["outcome"].startswith("unrouted: ")
    assert device.data in caplog.text


def test_a_device_may_listen_to_its_own_topics_only(emulator: Emulator, device: Device, peer: Connect) -> None:
    one = peer(device)
    wanted = [(device.command, 2), ("#", 0), (device.data, 1), (f"/gws/{device.device_id}/x", 1), (device.command, 0)]
    assert one.ask(w.subscribe(5, *wanted)) == b"\x90\x07\x00\x05\x01\x80\x80\x80\x00"
    assert emulator.control.mqtt_sessions()[0]["channels"] == {"json": 0}
    assert one.ask(w.unsubscribe(6, device.command, "#")) == b"\xb0\x02\x00\x06"
    assert emulator.control.mqtt_sessions()[0]["channels"] == {}


# --- commands ---


def send_command(wire: Wire, device: Device, **more: Any) -> str:
    body = {
        "deviceId": device.device_id,
        "command": {"serviceId": "Gateway", "method": "PERMIT_JOIN", "paras": {"seconds": 60}},
        **more,
    }
    code, answer = wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", body)
    assert code == 201, answer
    return str(answer["commandId"])


def command_status(wire: Wire, device: Device, command_id: str) -> tuple[str, Any]:
    _, answer = wire.call("GET", f"/iocm/app/cmd/v1.4.0/deviceCommands?deviceId={device.device_id}")
    row = next(each for each in answer["data"] if each["commandId"] == command_id)
    return row["status"], row["result"]


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
    model = next(each for each in json.loads(_shipped("gateway_sensor"))["services"] if each.get("commands"))
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


def _shipped(name: str) -> str:
    return (resources.files("iot_northbound.emulator") / "models" / f"{name}.json").read_text()


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


# --- the platform ends a session ---


def test_a_kick_a_reset_and_a_deletion_end_the_session(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    one = peer(device)
    emulator.control.mqtt_kick(device.device_id)
    assert one.recv() == b""
    assert status(wire, device) == "OFFLINE"
    with pytest.raises(NotFound, match="no MQTT session"):
        emulator.control.mqtt_kick(device.device_id)
    one = peer(device)
    code, _ = wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device.device_id}")
    assert code == 204
    assert one.recv() == b""
    other = register(wire, "gw-2")
    one = peer(other)
    emulator.control.reset()
    assert one.recv() == b""
    assert emulator.control.mqtt_sessions() == []


def test_a_deleted_gateway_hears_of_it_first(wire: Wire, device: Device, peer: Connect) -> None:
    one = peer(device)
    one.ask(w.subscribe(1, (f"/gws/{device.device_id}/signaltrans/v2/categories/command", 1)))
    wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device.device_id}")
    _, packet_id, message = one.command()
    assert message["header"]["method"] == "REMOVE_GATEWAY"
    assert one.ask(w.puback(packet_id)) == b""
    assert peer().ask(device.connect()) == w.refused(4)


def test_a_message_of_the_control_plane_reaches_the_device(emulator: Emulator, device: Device, peer: Connect) -> None:
    one = peer(device)
    emulator.control.mqtt_publish(device.device_id, "any/topic", {"a": 1}, qos=0)
    assert one.command() == ("any/topic", 0, {"a": 1})
    emulator.control.mqtt_publish(device.device_id, "any/topic", "[]")
    assert one.command()[1:] == (1, [])
    assert emulator.control.mqtt_sessions()[0]["inFlight"] == 1


# --- time ---


def test_a_silent_device_is_disconnected_after_its_keep_alive(
    emulator: Emulator, wire: Wire, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iot_northbound.emulator.mqtt.session.MISSED", 0.05)
    with Peer(emulator) as one:
        assert one.ask(device.connect(keep_alive=1)) == ACCEPTED
        assert one.recv() == b""
    assert "keep-alive" in journal(emulator, "close")[-1]["outcome"]
    eventually(lambda: status(wire, device) == "OFFLINE")


def test_one_that_says_nothing_is_closed_within_the_deadline(home_folder: Path) -> None:
    with Emulator(folder=home_folder, mqtt_port=0, limits=Limits(header_deadline=0.2)) as short:
        with Peer(short) as one:
            assert one.recv() == b""
        with socket.create_connection(short.mqtt_address, timeout=10) as raw:
            assert raw.recv(1) == b""


def test_beyond_its_rate_a_device_is_read_later_and_nothing_is_lost(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    emulator.control.change_settings(mqtt_messages_per_second=10)
    one = peer(device).send(*(device.report(packet_id) for packet_id in range(1, 16)))
    assert [one.recv() for _ in range(15)] == [acknowledged(packet_id) for packet_id in range(1, 16)]
    assert len(history(wire, device)) == 15


def test_a_device_that_does_not_read_loses_its_session(
    emulator: Emulator, device: Device, peer: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer(device)
    for _ in range(20):
        emulator.control.mqtt_publish(device.device_id, "t", "x" * 1_000_000, qos=0)
        if not emulator.control.mqtt_sessions():
            break
    eventually(lambda: emulator.control.mqtt_sessions() == [])


# --- faults ---


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_fault_refuses_a_login(emulator: Emulator, device: Device, peer: Connect, code: int) -> None:
    emulator.control.add_fault("mqtt_refuse", code=code, count=1, device=device.device_id)
    assert peer().ask(device.connect()) == w.refused(code)
    assert journal(emulator, "CONNECT")[-1]["fault"] == "mqtt_refuse"
    peer(device)


def test_a_fault_cuts_the_connection_after_some_packets(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    emulator.control.add_fault("mqtt_drop", after=3)
    one = peer(device).send(device.report(1), device.report(2), device.report(3))
    assert [one.recv(), one.recv(), one.recv()][2] == b""
    assert len(history(wire, device)) == 2


def test_a_fault_withholds_an_acknowledgement(emulator: Emulator, wire: Wire, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_no_puback", topic="/data/", count=1)
    assert peer(device).ask(device.report(1), device.report(2)) == acknowledged(2)
    assert len(history(wire, device)) == 2


def test_a_fault_delays_a_packet_and_all_that_follow(emulator: Emulator, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_slow", packet="PUBLISH", seconds=0.05, count=1)
    one = peer(device).send(device.report(1), w.PINGREQ)
    assert [one.recv(), one.recv()] == [acknowledged(1), w.PINGRESP]


def test_a_fault_sends_a_command_twice(emulator: Emulator, wire: Wire, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_double", device=device.device_id)
    one = peer(device)
    one.ask(w.subscribe(1, (device.command, 1)))
    send_command(wire, device)
    assert one.command() == one.command()


def test_a_fault_leaves_a_ping_without_its_answer(emulator: Emulator, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_silence", count=1)
    assert peer(device).ask(w.PINGREQ, device.report(1)) == acknowledged(1)


def test_a_fault_of_another_device_strikes_nobody_else(emulator: Emulator, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_drop", device="another")
    assert peer(device).ask(device.report(1)) == acknowledged(1)


# --- a model's secret ---


def test_a_device_gets_its_own_secret_for_its_models(emulator: Emulator, peer: Connect) -> None:
    emulator.control.change_settings(mqtt_model_secrets=True)
    model = {**json.loads(_shipped("gateway")), "productId": "wm_tr01", "secret": "product-secret-1"}
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


# --- secrets ---


def test_no_password_and_no_secret_is_in_the_journal_or_the_log(
    emulator: Emulator, device: Device, peer: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    emulator.control.clear_journal(bodies=True)
    peer().ask(device.connect(sign=1))
    peer(device).ask(device.report(1))
    told = json.dumps(emulator.control.journal(kind="mqtt")) + caplog.text
    assert device.device_id in told
    assert device.secret not in told
    assert w.password(device.secret, "2018072417") not in told


def test_fifty_threads_of_strangers_do_not_disturb_a_device(emulator: Emulator, device: Device, peer: Connect) -> None:
    one = peer(device)
    noise = [b"\x10\x02", device.connect()[:40], b"\xff" * 100, w.PINGREQ, w.connect("a_0_0_2018072417", "a", "b")]

    def disturb(index: int) -> None:
        with Peer(emulator) as other:
            other.send(noise[index % len(noise)])
            if index % 2:
                other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    strangers = [threading.Thread(target=disturb, args=(index,)) for index in range(50)]
    for each in strangers:
        each.start()
    for packet_id in range(1, 51):
        assert one.ask(device.report(packet_id)) == acknowledged(packet_id)
    for each in strangers:
        each.join()
    assert len(emulator.control.mqtt_sessions()) == 1
