"""Simulated devices: a fleet that reports what a scenario says, and answers commands."""

from iot_northbound.device.simulate.credentials_file import read_credentials, write_credentials
from iot_northbound.device.simulate.scenario import Answer, Scenario, read_scenario
from iot_northbound.device.simulate.simulation import Simulation, status

__all__ = [
    "Answer",
    "Scenario",
    "Simulation",
    "read_credentials",
    "read_scenario",
    "status",
    "write_credentials",
]
