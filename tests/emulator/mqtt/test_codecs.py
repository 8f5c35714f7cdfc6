from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator import Emulator
from iot_northbound.emulator.mqtt import codecs
from tests.emulator.conftest import Wire

from . import wire as w
from .asking import command_status, history, journal, send_command
from .wire import ACCEPTED, GATEWAY, Device, Peer, acknowledged


class Bytes:
    """A codec: one byte is a signal strength, two are an answer to a command; 0xff cannot be read."""

    def decode(self, payload: bytes) -> dict[str, Any]:
        if payload == b"\xff":
            raise RuntimeError("broken")
        if len(payload) == 2:
            return {"msgType": "deviceRsp", "mid": payload[0], "errcode": payload[1]}
        data = [{"serviceId": "Gateway", "serviceData": {"signalStrength": payload[0]}}]
        return {"msgType": "deviceReq", "data": data, "hasMore": 0, "identifier": "1"}

    def encode(self, message: dict[str, Any]) -> bytes:
        if message["paras"]["seconds"] == 13:
            raise RuntimeError("broken")
        return json.dumps([message["cmd"], message["mid"]]).encode()

    def acknowledge(self, message: dict[str, Any]) -> bytes | None:
        return b"[0]" if message["msgType"] == "deviceReq" else None


class Halves:
    decode = None

    def encode(self) -> None: ...


@pytest.fixture(scope="module")
def running(home_folder: Path) -> Iterator[Emulator]:
    with Emulator(folder=home_folder, mqtt_port=0, codecs={GATEWAY: Bytes()}) as emulator:
        yield emulator


@pytest.fixture
def peer(emulator: Emulator, device: Device) -> Iterator[Peer]:
    with Peer(emulator) as one:
        assert one.ask(device.connect()) == ACCEPTED
        yield one


def topic(device: Device, kind: str) -> str:
    return f"/huawei/v1/devices/{device.device_id}/{kind}/binary"


def test_bytes_become_a_report_and_the_codec_acknowledges_it(wire: Wire, device: Device, peer: Peer) -> None:
    assert peer.ask(w.subscribe(1, (topic(device, "command"), 0)))[-1] == 0
    peer.send(w.publish(topic(device, "data"), b"\x2a", 1))
    assert {peer.recv(), peer.recv()} == {acknowledged(1), w.publish(topic(device, "command"), b"[0]")}
    assert [row["data"] for row in history(wire, device)] == [{"signalStrength": 42}]


def test_a_model_with_a_codec_listens_on_binary_only(
    emulator: Emulator, wire: Wire, peer: Peer, device: Device
) -> None:
    assert peer.ask(w.subscribe(1, (device.command, 1)))[-1] == 0x80
    assert peer.ask(device.report(2)) == acknowledged(2)
    assert history(wire, device) == []
    assert "data/binary" in journal(emulator, "PUBLISH")[-1]["outcome"]


def test_a_command_goes_out_as_the_codec_writes_it(wire: Wire, device: Device, peer: Peer) -> None:
    peer.ask(w.subscribe(1, (topic(device, "command"), 1)))
    command_id = send_command(wire, device)
    _, packet_id, (name, mid) = peer.command()
    assert name == "PERMIT_JOIN"
    peer.send(w.puback(packet_id))
    assert peer.ask(w.publish(topic(device, "data"), bytes([mid, 0]), 3)) == acknowledged(3)
    assert command_status(wire, device, command_id)[0] == "SUCCESSFUL"


def test_a_codec_that_raises_costs_only_the_message(
    emulator: Emulator, wire: Wire, device: Device, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    peer.ask(w.subscribe(1, (topic(device, "command"), 1)))
    assert peer.ask(w.publish(topic(device, "data"), b"\xff", 1)) == acknowledged(1)
    assert "codec failed: RuntimeError: broken" in journal(emulator, "PUBLISH")[-1]["outcome"]
    wanted = {"serviceId": "Gateway", "method": "PERMIT_JOIN", "paras": {"seconds": 13}}
    wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", {"deviceId": device.device_id, "command": wanted})
    assert peer.ask(w.PINGREQ) == w.PINGRESP
    assert "codec failed" in journal(emulator, "PUBLISH")[-1]["outcome"]
    assert "codec failed" in caplog.text


def test_a_codec_is_loaded_by_its_name() -> None:
    product_id, codec = codecs.load(f"meter={__name__}:Bytes")
    assert product_id == "meter"
    assert isinstance(codec, Bytes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("meter", "give product-id=package.module:Class"),
        ("=a:B", "give product-id"),
        ("meter=json", "give product-id"),
        ("meter=no_such_module:Codec", "No module named"),
        ("meter=json:NoSuchClass", "NoSuchClass"),
        (f"meter={__name__}:Halves", "no method decode"),
    ],
)
def test_a_codec_that_cannot_be_loaded_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        codecs.load(text)


@pytest.mark.parametrize("value", [None, "text", 5])
def test_what_a_codec_returns_must_be_of_the_right_type(value: Any) -> None:
    class Odd:
        def decode(self, payload: bytes) -> Any:
            return value

        encode = acknowledge = decode

    with pytest.raises(codecs.CodecError, match="returned"):
        codecs.decoded(Odd(), b"")
    with pytest.raises(codecs.CodecError, match="returned"):
        codecs.encoded(Odd(), {})
    if value is not None:
        with pytest.raises(codecs.CodecError, match="returned"):
            codecs.acknowledgement(Odd(), {})
