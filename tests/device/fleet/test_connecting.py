"""Devices of a fleet that log in: refusals, servers that misbehave, and how the fleet spreads its attempts."""

import threading
from pathlib import Path
from unittest import mock

import pytest

from iot_northbound.device import DeviceCredentials
from iot_northbound.device.fleet import Fleet
from iot_northbound.device.session import Backoff, DeviceState
from tests.clock import FakeClock, eventually
from tests.device.fleet.broker import Broker
from tests.device.fleet.parts import SOON, fleet_of, report

MIDDLE = 1_770_003_000.0
"""The middle of an hour."""
HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"


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
    fleet, devices = fleet_of(broker, 2, clock=FakeClock(MIDDLE))
    with fleet:
        eventually(lambda: fleet.states()[DeviceState.REFUSED] == 1 and fleet.counts().connected == 1)
        assert fleet.counts().refused == {code: 1}
    assert len(broker.logins) == 2
    (refused,) = [each for each in devices if each.last_error]
    assert refused.connects == 0


def test_a_password_that_is_refused_because_the_hour_has_turned_is_renewed_once(broker: Broker) -> None:
    class Turning(FakeClock):
        def now(self) -> float:
            return MIDDLE + 3_600 if broker.logins else MIDDLE

    broker.codes = [4, 4]
    fleet, _ = fleet_of(broker, clock=Turning())
    with fleet:
        eventually(lambda: fleet.counts().refused == {4: 1})
    assert len({each.client_id for each in broker.logins}) == 2
    assert len(broker.logins) == 2


@pytest.mark.parametrize(("seconds", "hours"), [(1_798, ["03", "04"]), (1_802, ["04", "03"])])
def test_a_clock_that_is_a_little_wrong_does_not_lock_a_device_out_at_the_turn_of_the_hour(
    broker: Broker, seconds: float, hours: list[str]
) -> None:
    broker.codes = [4]
    fleet, (device,) = fleet_of(broker, clock=FakeClock(MIDDLE + seconds))
    with fleet:
        eventually(lambda: fleet.counts().connected == 1)
    assert [each.client_id[-2:] for each in broker.logins] == hours
    assert device.connects == 1


def test_a_wrong_secret_is_refused_for_good_at_the_turn_of_the_hour_too(broker: Broker) -> None:
    broker.codes = [4] * 9
    fleet, (device,) = fleet_of(broker, clock=FakeClock(MIDDLE + 1_800))
    with fleet:
        eventually(lambda: fleet.counts().refused == {4: 1})
        assert device.state is DeviceState.REFUSED
    assert [each.client_id[-2:] for each in broker.logins] == ["04", "03", "04"]


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


def test_a_certificate_of_another_ca_says_so(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "other").mkdir()
    other = Broker(tmp_path / "other")
    fleet = Fleet("localhost", broker.port, ca_path=other.ca_path, backoff=SOON)
    device = fleet.add(DeviceCredentials("pump-0", "s3cret"))
    with fleet:
        eventually(lambda: fleet.counts().failures)
        assert "certificate" in str(device.last_error)
    other.close()


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


def test_a_device_for_which_there_is_no_thread_tries_again(broker: Broker) -> None:
    start = threading.Thread.start

    def few(thread: threading.Thread) -> None:
        if "handshake" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    fleet, _ = fleet_of(broker)
    with mock.patch.object(threading.Thread, "start", few):
        fleet.start()
        eventually(lambda: fleet.counts().failures["the system has no thread for the connection"] > 1)
    eventually(lambda: fleet.counts().connected == 1)
    fleet.close()
