"""Commands to devices of a fleet, and their answers."""

import pytest

from iot_northbound.device import Command
from iot_northbound.device.fleet import FleetDevice
from tests.clock import eventually
from tests.device.fleet.broker import Broker
from tests.device.fleet.parts import fleet_of, report

COMMAND = b'{"msgType":"cloudReq","serviceId":"Valve","cmd":"SET","paras":{"to":"OPEN"},"mid":%d}'


def test_a_command_is_answered_with_its_mid(broker: Broker) -> None:
    fleet, (device,) = fleet_of(
        broker, on_command=lambda device, command: device.answer(command, 0, {"was": command.paras["to"]})
    )
    with fleet:
        eventually(lambda: broker.connected == 1)
        broker.send(device.id, COMMAND % 17)
        eventually(lambda: broker.answers(device.id))
        eventually(lambda: device.pending == 0)
        counts = fleet.counts()
    assert broker.answers(device.id) == [{"msgType": "deviceRsp", "mid": 17, "errcode": 0, "body": {"was": "OPEN"}}]
    assert (counts.commands, counts.answers, counts.reports, counts.acknowledged) == (1, 1, 0, 0)


def test_an_open_command_that_comes_twice_is_run_once(broker: Broker) -> None:
    seen: list[int | None] = []
    fleet, (device,) = fleet_of(broker, on_command=lambda device, command: seen.append(command.mid))
    with fleet:
        eventually(lambda: broker.connected == 1)
        broker.send(device.id, COMMAND % 17, times=2)
        broker.send(device.id, COMMAND % 18)
        eventually(lambda: 18 in seen)
    assert seen == [17, 18]


def test_a_handler_that_fails_answers_so_and_says_no_more(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    def fail(device: FleetDevice, command: object) -> None:
        raise ValueError("the detail")

    fleet, (device,) = fleet_of(broker, on_command=fail)
    with fleet:
        eventually(lambda: broker.connected == 1)
        broker.send(device.id, COMMAND % 3)
        eventually(lambda: broker.answers(device.id))
    assert broker.answers(device.id) == [{"msgType": "deviceRsp", "mid": 3, "errcode": 1, "body": {}}]
    assert "the detail" not in caplog.text


def test_commands_without_a_mid_are_each_run_and_none_is_answered(broker: Broker) -> None:
    seen: list[int | None] = []

    def take(device: FleetDevice, command: Command) -> None:
        seen.append(command.mid)
        device.answer(command)

    fleet, (device,) = fleet_of(broker, on_command=take)
    with fleet:
        eventually(lambda: broker.connected == 1)
        broker.send(device.id, COMMAND.replace(b',"mid":%d', b""), times=2)
        broker.send(device.id, COMMAND % 18)
        eventually(lambda: broker.answers(device.id))
    assert seen == [None, None, 18]
    assert [each["mid"] for each in broker.answers(device.id)] == [18]


def test_without_a_handler_commands_are_not_supported(broker: Broker) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        eventually(lambda: broker.connected == 1)
        broker.send(device.id, COMMAND % 3)
        eventually(lambda: broker.answers(device.id))
    assert broker.answers(device.id)[0]["errcode"] == 1


def test_what_is_no_command_is_counted_and_the_session_lives(broker: Broker) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        eventually(lambda: broker.connected == 1)
        broker.send(device.id, b"\xff\x00{")
        eventually(lambda: fleet.counts().unreadable == 1)
        report(device, 1)
        assert fleet.drain(30)


def test_a_refused_subscription_is_counted_and_reports_go_on(broker: Broker) -> None:
    broker.grants = False
    fleet, (device,) = fleet_of(broker)
    with fleet:
        report(device, 1)
        assert fleet.drain(30)
        eventually(lambda: fleet.counts().unsubscribed == 1)
