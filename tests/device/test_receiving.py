"""What a device hears: commands, messages of its subscriptions, and packets that are none."""

import json
import threading
from typing import Any

import pytest

from iot_northbound.device import Command, DeviceClient, DeviceState, SubscriptionRefusedError
from iot_northbound.errors import InvalidArgumentError
from tests.clock import eventually
from tests.device.conftest import COMMAND, DATA, MakeDevice
from tests.device.peer import Peer


def command(mid: int, method: str = "SET_VALVE") -> bytes:
    wire = {"msgType": "cloudReq", "serviceId": "WaterMeter", "cmd": method, "paras": {"value": "OPEN"}, "mid": mid}
    return json.dumps(wire).encode()


def test_a_message_that_cannot_be_handled_costs_no_connection(
    peer: Peer, make_device: MakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def encode(self, message: dict[str, Any]) -> bytes:
            raise OSError("no room")

        def decode(self, payload: bytes) -> dict[str, Any]:
            return {"msgType": "cloudReq", "serviceId": "A", "cmd": "B", "mid": 1}

    device = make_device(codec=Broken()).start(timeout=30)
    device._commands.close()  # so the answer is made on the network thread: busy
    peer.publish("/huawei/v1/devices/pump-02/command/binary", b"x")
    eventually(lambda: peer.acknowledged)
    device.publish("own", b"y").result(30)
    assert len(peer.logins) == 1
    assert "could not be handled" in caplog.text


def test_a_command_is_acknowledged_handled_and_answered(peer: Peer, device: DeviceClient) -> None:
    @device.on_command("WaterMeter", "SET_VALVE")
    def set_valve(command: Command) -> dict[str, Any]:
        return {"result": command.paras["value"]}

    peer.publish(COMMAND, command(2016))
    (answer,) = eventually(lambda: peer.published)
    assert (answer.topic, json.loads(answer.payload)) == (
        DATA,
        {"msgType": "deviceRsp", "mid": 2016, "errcode": 0, "body": {"result": "OPEN"}},
    )
    assert len(peer.acknowledged) == 1
    assert set_valve(Command("A", "B", {"value": 1})) == {"result": 1}  # the decorator leaves it as it is


def test_a_handler_may_report_and_wait_for_the_result(peer: Peer, device: DeviceClient) -> None:
    device.on_command()(lambda command: {"sent": device.report("A", {}).result(30) is None})
    peer.publish(COMMAND, command(1))
    eventually(lambda: len(peer.published) == 2)
    assert json.loads(peer.published[1].payload)["body"] == {"sent": True}


def test_a_handler_that_never_returns_stops_nothing_else(peer: Peer, device: DeviceClient) -> None:
    gate = threading.Event()
    device.on_command(None, "STUCK")(lambda command: {"waited": gate.wait(60)})
    peer.publish(COMMAND, command(1, "STUCK"))
    device.report("A", {}).result(30)
    gate.set()


def test_messages_of_a_subscribed_topic_come_in_order_over_all_connections(peer: Peer, device: DeviceClient) -> None:
    got: list[tuple[str, bytes]] = []
    device.subscribe("/gws/pump-02/+/x", lambda topic, payload: got.append((topic, payload))).result(30)
    for number in range(20):
        peer.publish("/gws/pump-02/a/x", b"%d" % number)
    eventually(lambda: len(got) == 20)
    assert got == [("/gws/pump-02/a/x", b"%d" % number) for number in range(20)]
    peer.cut()
    eventually(lambda: len(peer.subscribed) == 3)
    assert peer.subscribed[-1] == [COMMAND, "/gws/pump-02/+/x"]


def test_a_refused_subscription_says_so_and_costs_nothing_else(peer: Peer, device: DeviceClient) -> None:
    peer.rules.suback = 0x80
    pending = device.subscribe("/other", lambda topic, payload: None)
    with pytest.raises(SubscriptionRefusedError, match="/other"):
        pending.result(30)
    device.report("A", {}).result(30)


@pytest.mark.parametrize("topic", ["", "a#", "#/a", "a+/b", "a\0b"])
def test_a_topic_that_is_none_cannot_be_subscribed(device: DeviceClient, topic: str) -> None:
    with pytest.raises(InvalidArgumentError, match="topic"):
        device.subscribe(topic, lambda topic, payload: None)


@pytest.mark.parametrize(
    "data", [b"\x30\x04\x00\x02\xff\xfe", b"\x40\x02\x99\x99", b"\xd0\x00", b"\x90\x03\x00\x77\x01"]
)
def test_odd_packets_cost_nothing(peer: Peer, device: DeviceClient, data: bytes) -> None:
    peer.raw(data)
    device.report("A", {}).result(30)


@pytest.mark.parametrize(
    "data", [b"\x40\x00", b"\x40\x01\x00", b"\x36\x03\x00\x01a", b"\x90\x00", b"\x30\xff\xff\xff\xff\xff"]
)
def test_broken_packets_cost_the_connection_at_most(peer: Peer, device: DeviceClient, data: bytes) -> None:
    peer.raw(data)
    device.report("A", {}).result(30)
    assert device.state is DeviceState.CONNECTED
