from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator.server import Emulator
from tests.emulator.console.browsing import Browser


@pytest.fixture(scope="session")
def console_emulator(home_folder: Path) -> Iterator[Emulator]:
    with Emulator(folder=home_folder, mqtt_port=0) as running:
        yield running


@pytest.fixture
def emulator(console_emulator: Emulator) -> Emulator:
    """One emulator for all tests of the page, as if it were new."""
    control = console_emulator.control
    control.reset()
    control.clear_journal(bodies=False)
    return console_emulator


@pytest.fixture
def browser(emulator: Emulator) -> Browser:
    return Browser(emulator).login()
