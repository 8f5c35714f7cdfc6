from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator import Emulator
from tests.clock import eventually
from tests.emulator.conftest import Wire

from . import wire as w
from .asking import EARLIER, Connect, history, journal, status
from .wire import ACCEPTED, Device, acknowledged, register

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


@pytest.mark.parametrize("payload", [b'{"a":' * 200 + b"1" + b"}" * 200, b"[" * 50_000])
def test_json_that_nests_too_deep_ends_the_session(
    emulator: Emulator, device: Device, peer: Connect, payload: bytes
) -> None:
    assert peer(device).ask(w.publish(device.data, payload, 1)) == b""
    assert "nests deeper than 100" in journal(emulator, "close")[-1]["outcome"]


@pytest.mark.parametrize(
    ("entries", "taken", "told"),
    [
        ([w.entry()] * 1_200, 1_000, "a report has 1,200 entries; those beyond 1,000 are dropped"),
        ([{"serviceId": "Gateway", "serviceData": dict.fromkeys(map(str, range(3_000)), 1)}] * 3, 1, "beyond 5,000"),
    ],
)
def test_of_a_very_long_report_the_first_part_is_taken(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect, entries: list[Any], taken: int, told: str
) -> None:
    assert peer(device).ask(device.report(1, *entries)) == acknowledged(1)
    outcome = journal(emulator, "PUBLISH")[-1]["outcome"]
    assert outcome.startswith("taken in part")
    assert told in outcome
    assert len(history(wire, device)) == min(taken, 250)


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
