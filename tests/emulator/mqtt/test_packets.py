from __future__ import annotations

import contextlib
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.emulator.mqtt import packets
from iot_northbound.emulator.mqtt.packets import Connect, Packets, ProtocolError, Publish

from . import wire

CONNECT = bytes.fromhex(
    "106d00044d51545404c20078001670756d705f30325f325f315f32303236313132353132000770756d705f3032004065616565346662396139"
    "633836346334373631356137303064633062613534316339663335313932363730346561666433363764373936633631376536633639"
)
SUBSCRIBE = bytes.fromhex(
    "822c000100272f6875617765692f76312f646576696365732f70756d705f30322f636f6d6d616e642f6a736f6e01"
)
PUBLISH = bytes.fromhex(
    "32a10100242f6875617765692f76312f646576696365732f70756d705f30322f646174612f6a736f6e000a7b226d736754797065223a226465"
    "76696365526571222c2264617461223a5b7b22736572766963654964223a2242617474657279222c227365727669636544617461223a7b2262"
    "6174746572794c6576656c223a37357d2c226576656e7454696d65223a223230313630353033543132313534305a227d5d7d"
)


def whole(data: bytes, limit: int = 2**20) -> tuple[int, bytes]:
    stream = Packets(limit)
    stream.feed(data)
    found = stream.take()
    assert found is not None
    assert stream.take() is None
    return found


# Texts as a packet may have them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TOPICS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0#+"), min_size=1, max_size=30)
IDS = st.integers(1, 65_535)


def test_the_whole_packets_of_a_device_are_read() -> None:
    first, body = whole(CONNECT)
    read = packets.read_connect(first, body)
    assert read == Connect(
        ("MQTT", 4), True, 120, "pump_02_2_1_2026112512", "pump_02",
        b"eaee4fb9a9c864c47615a700dc0ba541c9f351926704eafd367d796c617e6c69",
    )  # fmt: skip
    assert packets.read_subscribe(*whole(SUBSCRIBE)) == (1, [("/huawei/v1/devices/pump_02/command/json", 1)])
    read_publish = packets.read_publish(*whole(PUBLISH))
    assert (read_publish.topic, read_publish.packet_id) == ("/huawei/v1/devices/pump_02/data/json", 10)
    assert read_publish.payload.startswith(b'{"msgType":"deviceReq"')


def test_the_password_of_a_connect_is_not_in_its_repr() -> None:
    assert "eaee4fb9" not in repr(packets.read_connect(*whole(CONNECT)))


@given(TEXTS, st.none() | TEXTS, st.binary(max_size=70), st.integers(0, 65_535), st.booleans(), st.booleans())
def test_a_connect_is_read_as_it_was_written(
    client_id: str, user: str | None, password: bytes, keep_alive: int, clean: bool, has_will: bool
) -> None:
    given_password = None if user is None else password
    will = ("topic", b"gone") if has_will else None
    data = wire.connect(client_id, user, given_password, keep_alive=keep_alive, clean=clean, will=will)
    assert packets.read_connect(*whole(data)) == Connect(
        ("MQTT", 4), clean, keep_alive, client_id, user, given_password, has_will
    )


@given(TOPICS, st.binary(max_size=300), st.integers(0, 65_535), st.booleans())
def test_a_publish_is_read_as_it_was_written(topic: str, payload: bytes, packet_id: int, retain: bool) -> None:
    data = wire.publish(topic, payload, packet_id, flags=int(retain))
    assert packets.read_publish(*whole(data)) == Publish(
        topic, payload, 1 if packet_id else 0, packet_id, False, retain
    )
    if not retain:
        assert packets.publish(topic, payload, packet_id) == data


@given(IDS, st.lists(st.tuples(TEXTS.filter(bool), st.integers(0, 2)), min_size=1, max_size=5))
def test_subscribe_and_unsubscribe_are_read_as_they_were_written(packet_id: int, wanted: list[tuple[str, int]]) -> None:
    assert packets.read_subscribe(*whole(wire.subscribe(packet_id, *wanted))) == (packet_id, wanted)
    topics = [topic for topic, _ in wanted]
    assert packets.read_unsubscribe(*whole(wire.unsubscribe(packet_id, *topics))) == (packet_id, topics)


@given(st.lists(st.integers(0, 999), max_size=12))
def test_it_makes_no_difference_how_the_bytes_arrive(cuts: list[int]) -> None:
    sent = [CONNECT, SUBSCRIBE, PUBLISH, wire.PINGREQ, wire.puback(7), wire.publish("a", b"x" * 400, 3)]
    content = b"".join(sent)
    stream, found, places = Packets(2**20), [], sorted({0, *cuts, len(content)})
    for start, end in itertools.pairwise(places):
        stream.feed(content[start:end])
        while (packet := stream.take()) is not None:
            found.append(packet)
    assert found == [whole(each) for each in sent]


def read_all(data: bytes) -> None:
    stream = Packets(2_000)
    stream.feed(data)
    while (packet := stream.take()) is not None:
        read(*packet)


@given(st.binary(max_size=60))
def test_garbage_is_a_protocol_error_or_a_packet_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        read_all(data)


@given(st.sampled_from([CONNECT, SUBSCRIBE, PUBLISH]), st.data())
def test_a_packet_that_ends_early_is_a_protocol_error_or_has_a_shorter_payload(
    whole_one: bytes, draw: st.DataObject
) -> None:
    first, body = whole(whole_one)
    cut = body[: draw.draw(st.integers(0, len(body) - 1))]
    try:
        value = read(first, cut)
    except ProtocolError:
        return
    assert isinstance(value, Publish)


def read(first: int, body: bytes) -> object:
    match first >> 4:
        case packets.CONNECT:
            return packets.read_connect(first, body)
        case packets.PUBLISH:
            return packets.read_publish(first, body)
        case packets.PUBACK:
            return packets.read_puback(first, body)
        case packets.SUBSCRIBE:
            return packets.read_subscribe(first, body)
        case packets.UNSUBSCRIBE:
            return packets.read_unsubscribe(first, body)
        case packets.PINGREQ | packets.DISCONNECT:
            return packets.read_empty(first, body)
    return None


def connect_with(flags: int) -> bytes:
    return wire.packet(0x10, wire.text("MQTT") + bytes([4, flags, 0, 60]) + wire.text("id") + wire.text("a") * 4)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x10\xff\xff\xff\xff\x01", "five bytes"),
        (b"\x10\x90\x80\x80\x01", "at most"),
        (b"\x36\x05\x00\x01a\x00\x01", "both flags of QoS"),
        (b"\x34\x05\x00\x01a\x00\x01", "QoS 2"),
        (b"\x32\x05\x00\x01a\x00\x00", "packet id 0"),
        (b"\x38\x03\x00\x01a", "DUP"),
        (wire.publish("a/#", b""), "wildcard"),
        (wire.publish("a/+/b", b""), "wildcard"),
        (wire.publish("", b""), "empty topic"),
        (wire.publish("a\0b", b""), "NUL"),
        (wire.publish(b"\xff\xfe", b""), "UTF-8"),
        (wire.publish(b"\xed\xa0\x80", b""), "UTF-8"),
        (b"\x32\x03\x00\x09a", "within its topic"),
        (b"\x32\x04\x00\x01a\x01", "packet id"),
        (b"\x82\x02\x00\x01", "no topic filter"),
        (b"\x80\x06\x00\x01\x00\x01a\x00", "reserved flags"),
        (b"\x82\x06\x00\x00\x00\x01a\x00", "packet id"),
        (b"\x82\x06\x00\x01\x00\x01a\x03", "QoS from 0 to 2"),
        (b"\x82\x05\x00\x01\x00\x01a", "QoS from 0 to 2"),
        (b"\xa2\x02\x00\x01", "no topic filter"),
        (b"\xa2\x04\x00\x01\x00\x00", "empty topic filter"),
        (b"\x40\x03\x00\x01\x00", "PUBACK"),
        (b"\x40\x02\x00\x00", "packet id"),
        (b"\xc0\x01\x00", "too many"),
        (b"\xe1\x00", "reserved flags"),
        (CONNECT[:1] + b"\x6e" + CONNECT[2:] + b"x", "too many"),
        (connect_with(0x03), "reserved flag"),
        (connect_with(0x40), "no user name"),
        (connect_with(0x08), "will"),
        (connect_with(0x1C), "will"),
        (b"\x10\x06\x00\x04MQTT", "protocol level"),
        (b"\x10\x08\x00\x04MQTT\x04\x02", "keep-alive"),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        read_all(data)


@pytest.mark.parametrize(("name", "level"), [("MQTT", 5), ("MQTT", 3), ("MQIsdp", 4), ("mqtt", 4), ("", 0)])
def test_of_an_unknown_version_nothing_else_is_read(name: str, level: int) -> None:
    body = wire.text(name) + bytes([level]) + b"\xff" * 9
    assert packets.read_connect(0x10, body) == Connect((name, level))


def test_mqtt_3_1_is_known() -> None:
    data = wire.connect("id", "user", "x", name="MQIsdp", level=3)
    assert packets.read_connect(*whole(data)).version in packets.VERSIONS


def test_answers_are_as_the_standard_writes_them() -> None:
    assert packets.connack(4) == b"\x20\x02\x00\x04"
    assert packets.puback(0x0102) == b"\x40\x02\x01\x02"
    assert packets.suback(1, [1, 0, 0x80]) == b"\x90\x05\x00\x01\x01\x00\x80"
    assert packets.unsuback(2) == b"\xb0\x02\x00\x02"
    assert packets.publish("t", b"x" * 200) == b"\x30\xcb\x01\x00\x01t" + b"x" * 200
    with pytest.raises(ValueError, match="65,535"):
        packets.publish("t" * 65_536, b"")


def test_a_long_packet_that_arrives_in_small_pieces_costs_no_more_than_its_length() -> None:
    stream = Packets(2**20)
    data = wire.publish("t", b"x" * 300_000, 1)
    for at in range(0, len(data), 7):
        stream.feed(data[at : at + 7])
        if at + 7 < len(data):
            assert stream.take() is None
    assert stream.take() == (0x32, data[4:])
    assert struct.pack(">H", 1) in data
