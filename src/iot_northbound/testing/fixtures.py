"""pytest fixtures for applications: a platform, and a client that is logged in to it.

Switch them on in your conftest.py::

    pytest_plugins = ["iot_northbound.testing.fixtures"]

They need the extra ``iot-northbound[emulator]``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from iot_northbound.client import NorthApiClient
from iot_northbound.profiles import load_profile

if TYPE_CHECKING:
    from iot_northbound.emulator import Emulator


@pytest.fixture(scope="session")
def northbound_platform(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Emulator]":
    """A platform for the whole test session, on free ports, with its own certificates."""
    from iot_northbound.emulator import Emulator

    with Emulator(port=0, folder=tmp_path_factory.mktemp("northbound-platform")) as platform:
        yield platform


@pytest.fixture
def northbound_emulator(northbound_platform: "Emulator") -> "Emulator":
    """The session's platform, empty at the start of the test: no devices, no subscriptions, no faults, real time."""
    northbound_platform.control.reset()
    return northbound_platform


@pytest.fixture
def northbound_client(northbound_emulator: "Emulator") -> Iterator[NorthApiClient]:
    """A client that is logged in to the empty platform."""
    with NorthApiClient(*load_profile(northbound_emulator.profile_path)) as client:
        yield client
