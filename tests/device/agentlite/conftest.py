"""The emulator with its ports 8943 and 8883, and agents that are closed when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device import Backoff
from iot_northbound.device.agentlite import AgentLite, BindConfig
from iot_northbound.emulator.server import Emulator
from tests.device.agentlite.world import MakeAgent
from tests.emulator.conftest import Wire


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("home"), mqtt_port=0, agentlite_port=0) as running:
        yield running


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[Wire]:
    emulator.control.reset()
    made = Wire(emulator).login()
    yield made
    made.close()


@pytest.fixture
def make_agent(emulator: Emulator, wire: Wire, tmp_path: Path) -> Iterator[MakeAgent]:
    made: list[AgentLite] = []

    def make(**options: Any) -> AgentLite:
        given: dict[str, Any] = {
            "ca_path": emulator.device_ca,
            "bind_config": BindConfig("localhost", int(str(emulator.agentlite_url).rpartition(":")[2])),
            "backoff": lambda: Backoff(first=0, longest=0),
        }
        made.append(AgentLite(tmp_path, **(given | options)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def agent(make_agent: MakeAgent) -> AgentLite:
    return make_agent()
