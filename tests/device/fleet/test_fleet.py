import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import SSLConfig
from iot_northbound.device import Command, DeviceCredentials
from iot_northbound.device.fleet import Fleet, FleetDevice
from iot_northbound.device.session import Backoff, DeviceState
from iot_northbound.errors import ClientClosedError, InvalidArgumentError
from tests.certs import Authority
from tests.clock import FakeClock, eventually
from tests.device.fleet.broker import Broker
from tests.mosquitto import mosquitto, needs_mosquitto

SOON = Backoff(first=0.02, longest=0.05)
HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"
COMMAND = b'{"msgType":"cloudReq","serviceId":"Valve","cmd":"SET","paras":{"to":"OPEN"},"mid":%d}'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.close()


def fleet_of(broker: Any, count: int = 1, **options: Any) -> tuple[Fleet, list[FleetDevice]]:
    fleet = Fleet("localhost", broker.port, ca_path=broker.ca_path, **{"backoff": SOON, **options})
    return fleet, [fleet.add(DeviceCredentials(f"pump-{number}", f"s3cret-{number}")) for number in range(count)]


def report(device: FleetDevice, number: int) -> None:
    device.report([("Meter", {"n": number})])


@needs_mosquitto()
def test_every_report_of_many_devices_reaches_a_broker_that_knows_nothing_of_us(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as server:
        fleet, devices = fleet_of(server, 60)
        with fleet:
            for number in range(5):
                for device in devices:
                    report(device, number)
            assert fleet.drain(30)
            counts = fleet.counts()
    assert (counts.reports, counts.acknowledged, counts.lost) == (300, 300, 0)
    assert (counts.connects, counts.reconnects, counts.failures) == (60, 0, {})
    assert len(counts.latencies) == 300
    assert fleet.states()[DeviceState.CLOSED] == 60


@needs_mosquitto()
def test_a_broker_that_is_killed_and_comes_back_gets_every_report(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as server:
        fleet, devices = fleet_of(server, 20)
        with fleet:
            eventually(lambda: fleet.counts().connected == 20)
            server.stop(kill=True)
            for device in devices:
                report(device, 1)
            eventually(lambda: fleet.counts().failures)
            server.start()
            assert fleet.drain(30)
            counts = fleet.counts()
    assert (counts.acknowledged, counts.lost, counts.reconnects) == (20, 0, 20)


def test_one_thread_serves_all_devices_and_a_bounded_pool_the_handshakes(broker: Broker) -> None:
    before = set(threading.enumerate())
    fleet, _ = fleet_of(broker, 40)

    def ours() -> list[str]:
        new = [each.name for each in threading.enumerate() if each not in before]
        return [name for name in new if name.startswith("iot-northbound")]

    with fleet:
        eventually(lambda: fleet.counts().connected == 40)
        assert ours().count("iot-northbound-fleet") == 1
        assert len(ours()) <= 17
    eventually(lambda: threading.active_count() <= len(before) + 41)
    assert ours() == []


def test_what_was_reported_offline_arrives_in_order_per_device(broker: Broker) -> None:
    fleet, devices = fleet_of(broker, 3)
    for number in range(50):
        for device in devices:
            report(device, number)
    with fleet:
        assert fleet.drain(30)
    for device in devices:
        assert broker.values(device.id) == list(range(50))


def test_reports_without_puback_are_sent_again_in_order_after_a_cut(broker: Broker) -> None:
    broker.acknowledges = False
    fleet, (device,) = fleet_of(broker)
    with fleet:
        for number in range(30):
            report(device, number)
        eventually(lambda: len(broker.values(device.id)) == 20)  # no more than 20 are under way
        broker.acknowledges = True
        broker.cut()
        assert fleet.drain(30)
        assert fleet.counts().disconnects == 1
    assert broker.values(device.id)[20:] == list(range(30))


def test_a_full_queue_drops_the_oldest_report_and_counts_it(broker: Broker) -> None:
    fleet, (device,) = fleet_of(broker, queue_limit=3)
    for number in range(5):
        report(device, number)
    with fleet:
        assert fleet.drain(30)
        counts = fleet.counts()
    assert broker.values(device.id) == [2, 3, 4]
    assert (counts.dropped, counts.lost, device.dropped) == (2, 2, 2)


def test_each_attempt_has_a_new_password(broker: Broker) -> None:
    clock = FakeClock()
    fleet, _ = fleet_of(broker, clock=clock)
    with fleet:
        eventually(lambda: broker.connected == 1)
        clock.advance(3600)
        broker.cut()
        eventually(lambda: fleet.states()[DeviceState.WAITING])
        clock.advance(1)
        fleet.call_soon(lambda: None)
        eventually(lambda: broker.connected == 1 and len(broker.logins) == 2)
    first, second = broker.logins
    assert first.client_id != second.client_id
    assert first.password != second.password
    assert first.username == second.username == "pump-0"


@pytest.mark.parametrize("code", [1, 2, 4, 5])
def test_a_refused_device_does_not_try_again(broker: Broker, code: int) -> None:
    broker.codes = [code]
    fleet, devices = fleet_of(broker, 2)
    with fleet:
        eventually(lambda: fleet.states()[DeviceState.REFUSED] == 1 and fleet.counts().connected == 1)
        assert fleet.counts().refused == {code: 1}
    assert len(broker.logins) == 2
    (refused,) = [each for each in devices if each.last_error]
    assert refused.connects == 0


def test_a_password_that_is_refused_because_the_hour_has_turned_is_renewed_once(broker: Broker) -> None:
    class Turning(FakeClock):
        def now(self) -> float:
            if broker.logins:
                return 1_770_003_600.0
            return super().now()

    broker.codes = [4, 4]
    fleet, _ = fleet_of(broker, clock=Turning())
    with fleet:
        eventually(lambda: fleet.counts().refused == {4: 1})
    assert len({each.client_id for each in broker.logins}) == 2
    assert len(broker.logins) == 2


def test_a_device_tries_again_if_the_platform_has_no_room(broker: Broker) -> None:
    broker.codes = [3, 3]
    fleet, (device,) = fleet_of(broker)
    with fleet:
        eventually(lambda: fleet.counts().connected == 1)
        assert sum(fleet.counts().failures.values()) == 2
        assert not fleet.counts().refused
        assert device.connects == 1


@pytest.mark.parametrize("raw", [HTTP, b"\x20\x02", b"\x00\x00", b"\x20\xff\xff\xff\xff\x01"])
def test_a_server_that_speaks_no_mqtt_is_tried_again(broker: Broker, raw: bytes) -> None:
    broker.raw = [raw]
    fleet, (device,) = fleet_of(broker)
    with fleet:
        if raw in (HTTP, b"\x20\x02"):  # the beginning of a packet
            eventually(lambda: broker.logins)
            fleet.call_soon(device._too_late)
        eventually(lambda: fleet.counts().connected == 1)
        assert sum(fleet.counts().failures.values()) == 1
        assert device.last_error


def test_a_server_that_never_answers_connect_is_given_up(broker: Broker) -> None:
    clock = FakeClock()
    broker.raw = [b""]
    fleet, (device,) = fleet_of(broker, clock=clock, timeout=20)
    with fleet:
        eventually(lambda: broker.logins)
        eventually(lambda: device._link is not None)
        clock.advance(21)
        fleet.call_soon(lambda: None)
        eventually(lambda: fleet.counts().failures)
        assert device.last_error == "the platform did not answer CONNECT in time"


def test_a_server_that_acknowledges_nothing_is_left(broker: Broker) -> None:
    clock = FakeClock()
    broker.acknowledges = False
    fleet, (device,) = fleet_of(broker, clock=clock)
    with fleet:
        report(device, 1)
        eventually(lambda: broker.values(device.id) == [1])
        clock.advance(35)
        fleet.call_soon(lambda: None)
        eventually(lambda: fleet.counts().disconnects == 1)
        assert device.last_error == "the platform acknowledges nothing"


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


@pytest.mark.parametrize("options", [{"port": 0}, {"host": "mqtts://h"}, {"ca_path": "a", "ssl_config": SSLConfig()}])
def test_a_place_that_cannot_be_used_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        Fleet(**{"host": "h", **options})


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


def test_closing_says_goodbye_for_each_device(broker: Broker) -> None:
    fleet, _ = fleet_of(broker, 5)
    with fleet:
        eventually(lambda: fleet.counts().connected == 5)
    eventually(lambda: sorted(broker.goodbyes) == [f"pump-{number}" for number in range(5)])
    fleet.close()


def test_closing_ends_attempts_that_go_on(tmp_path: Path, broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts, and never begins a handshake
        broker.port = deaf.getsockname()[1]
        fleet, _ = fleet_of(broker, 3)
        fleet.start()
        eventually(lambda: fleet.states()[DeviceState.CONNECTING] == 3)
        fleet.close()
    assert fleet.states()[DeviceState.CLOSED] == 3


def test_a_certificate_of_another_ca_says_so(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "other").mkdir()
    other = Broker(tmp_path / "other")
    fleet = Fleet("localhost", broker.port, ca_path=other.ca_path, backoff=SOON)
    device = fleet.add(DeviceCredentials("pump-0", "s3cret"))
    with fleet:
        eventually(lambda: fleet.counts().failures)
        assert "certificate" in str(device.last_error)
    other.close()


def test_a_fleet_shows_no_secret(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    broker.codes = [4]
    fleet, (device,) = fleet_of(broker)
    with fleet:
        eventually(lambda: fleet.counts().refused)
        shown = repr(device) + repr(fleet) + repr(fleet.counts()) + str(device.last_error)
    assert "s3cret" not in shown + caplog.text
    assert broker.logins[0].password not in shown + caplog.text


def test_a_device_is_added_once_and_before_the_start(broker: Broker) -> None:
    fleet, _ = fleet_of(broker)
    with pytest.raises(InvalidArgumentError, match="in the fleet already"):
        fleet.add(DeviceCredentials("pump-0", "x"))
    with fleet:
        with pytest.raises(ClientClosedError, match="before the fleet starts"):
            fleet.add(DeviceCredentials("pump-1", "x"))
        with pytest.raises(ClientClosedError, match="once"):
            fleet.start()


def test_another_process_cannot_use_the_fleet(broker: Broker) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        here = fleet._crew.loop._process
        fleet._crew.loop._process = here + 1
        with pytest.raises(ClientClosedError, match="after fork"):
            report(device, 1)
        fleet._crew.loop._process = here


def test_a_child_process_that_ends_leaves_the_connections_alone(broker: Broker) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        eventually(lambda: fleet.counts().connected == 1)
        child = os.fork()
        if not child:
            fleet.close()
            os._exit(0)
        os.waitpid(child, 0)
        report(device, 1)
        assert fleet.drain(30)
        assert fleet.counts().disconnects == 0


def test_a_program_ends_although_a_server_is_silent_and_nobody_closed_the_fleet(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority().pem)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts, and never begins a handshake
        program = (
            "import sys\nfrom iot_northbound.device import DeviceCredentials, Fleet\n"
            f"fleet = Fleet('localhost', {deaf.getsockname()[1]}, ca_path={str(tmp_path / 'ca.pem')!r})\n"
            "for number in range(40):\n    fleet.add(DeviceCredentials(f'd{number}', 'x'))\n"
            "fleet.start()\nfleet.counts()\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_in_one_call_does_not_end_the_thread(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        fleet.call_soon(lambda: 1 / 0)
        report(device, 1)
        assert fleet.drain(30)
    assert "a call on the thread of the fleet failed" in caplog.text


@pytest.mark.parametrize(("devices", "first"), [(1, 1.0), (100, 2.0), (1_000, 20.0), (2_000, 30.0)])
def test_the_larger_the_fleet_the_wider_it_spreads_its_return(broker: Broker, devices: int, first: float) -> None:
    fleet = Fleet("localhost", broker.port, ca_path=broker.ca_path)
    for number in range(devices):
        fleet.add(DeviceCredentials(f"pump-{number}", "x"))
    assert fleet.spread() == first


def test_a_thousand_devices_that_lose_the_platform_for_5_seconds_come_back_spread() -> None:
    # Each device's waits as the fleet draws them, against a platform that is away for 5 s.
    import random

    chance = random.Random(7)
    backoff = Backoff(first=20.0, random=chance.random)
    back = []
    for _ in range(1_000):
        at, failures = 0.0, 0
        while True:
            at += backoff.delay(failures)
            failures += 1
            if at >= 5:
                break
        back.append(at)
    assert max(back) <= 70
    per_second = [sum(second <= each < second + 1 for each in back) for second in range(70)]
    assert max(per_second) <= 100


def test_devices_connect_at_the_ramp(broker: Broker) -> None:
    clock = FakeClock()
    fleet, _ = fleet_of(broker, 3, clock=clock)
    fleet.start(ramp=0.1)
    try:
        eventually(lambda: broker.connected == 1)
        assert len(broker.logins) == 1
        clock.advance(10)
        fleet.call_soon(lambda: None)
        eventually(lambda: broker.connected == 2)
        assert len(broker.logins) == 2
    finally:
        fleet.close()
