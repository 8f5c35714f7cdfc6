"""Thousands of devices in one process, on one thread."""

from iot_northbound.device.fleet.counts import FleetCounts, Latencies
from iot_northbound.device.fleet.device import FleetDevice
from iot_northbound.device.fleet.fleet import Fleet

__all__ = ["Fleet", "FleetCounts", "FleetDevice", "Latencies"]
