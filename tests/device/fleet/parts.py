"""A fleet of pumps, and their reports."""

from typing import Any

from iot_northbound.device import DeviceCredentials
from iot_northbound.device.fleet import Fleet, FleetDevice
from iot_northbound.device.session import Backoff

SOON = Backoff(first=0.02, longest=0.05)


def fleet_of(broker: Any, count: int = 1, **options: Any) -> tuple[Fleet, list[FleetDevice]]:
    fleet = Fleet("localhost", broker.port, ca_path=broker.ca_path, **{"backoff": SOON, **options})
    return fleet, [fleet.add(DeviceCredentials(f"pump-{number}", f"s3cret-{number}")) for number in range(count)]


def report(device: FleetDevice, number: int) -> None:
    device.report([("Meter", {"n": number})])
