from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator
from tests.emulator.conftest import Wire

from .wire import ACCEPTED, Device, Peer, register


@pytest.fixture(scope="module")
def running(home_folder: Path) -> Iterator[Emulator]:
    with Emulator(folder=home_folder, mqtt_port=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Emulator:
    """One emulator for a module's tests, empty at the start of each."""
    running.control.reset()
    running.control.change_settings(
        mqtt_hour_tolerance=0, mqtt_keepalive=None, mqtt_messages_per_second=None, mqtt_connections=20_000,
        mqtt_model_secrets=False, agentlite_mqtt_login=False,
    )  # fmt: skip
    running.control.clear_journal(bodies=True)
    return running


@pytest.fixture
def device(wire: Wire) -> Device:
    return register(wire)


@pytest.fixture
def peer(emulator: Emulator) -> Iterator[Callable[..., Peer]]:
    """Open connections; with a device, one that has logged in. They are closed with the test."""
    opened: list[Peer] = []

    def connect(device: Device | None = None, *, by_node: bool = False) -> Peer:
        opened.append(Peer(emulator))
        if device is not None:
            assert opened[-1].ask(device.connect(by_node=by_node)) == ACCEPTED
        return opened[-1]

    yield connect
    for each in opened:
        each.close()
