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


@pytest.fixture(scope="module")
def api(platform: Emulator) -> Iterator[Api]:
    """A connection for one file: between two files it may be idle so long that the emulator closes it."""
    client = Api(platform)
    yield client
    client.connection.close()


@pytest.fixture
def world(platform: Emulator, api: Api) -> World:
    return World(platform, api)
