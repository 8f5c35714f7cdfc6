"""A peer, and devices that are closed when the test ends."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device import Backoff, DeviceClient, DeviceCredentials
from tests.device.peer import Peer

CREDENTIALS = DeviceCredentials("pump-02", "0123456789abcdef0123")
DATA, COMMAND = "/huawei/v1/devices/pump-02/data/json", "/huawei/v1/devices/pump-02/command/json"
AT_ONCE = Backoff(first=0, longest=0)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with Peer(tmp_path) as peer:
        yield peer


MakeDevice = Callable[..., DeviceClient]


@pytest.fixture
def make_device(peer: Peer) -> Iterator[MakeDevice]:
    """Return what makes a device that connects to the peer, and tries again at once."""
    made: list[DeviceClient] = []

    def make(credentials: DeviceCredentials = CREDENTIALS, **options: Any) -> DeviceClient:
        given: dict[str, Any] = {"ca_path": peer.ca_path, "backoff": AT_ONCE} | options
        if "ssl_config" in options:
            del given["ca_path"]
        made.append(DeviceClient(credentials, "localhost", peer.port, **given))
        return made[-1]

    yield make
    for each in made:
        each.close(0)


@pytest.fixture
def device(make_device: MakeDevice) -> DeviceClient:
    return make_device().start(timeout=30)


def values(peer: Peer) -> list[Any]:
    return [json.loads(each.payload)["data"][0]["serviceData"] for each in peer.published if each.topic == DATA]
