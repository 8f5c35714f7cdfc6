"""Reports of a fleet: none is lost, and each device's come in order."""

from pathlib import Path

from iot_northbound.device.session import DeviceState
from tests.clock import eventually
from tests.device.fleet.broker import Broker
from tests.device.fleet.parts import fleet_of, report
from tests.mosquitto import mosquitto, needs_mosquitto


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
