from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator.server import Emulator

from .world import Api, World


@pytest.fixture(scope="session")
def platform(home_folder: Path) -> Iterator[Emulator]:
    """One emulator for all conformance tests; each test has its own application."""
    with Emulator(folder=home_folder) as running:
        yield running


@pytest.fixture(scope="session")
def api(platform: Emulator) -> Iterator[Api]:
    client = Api(platform)
    yield client
    client.connection.close()


@pytest.fixture
def world(platform: Emulator, api: Api) -> World:
    return World(platform, api)
