"""A server over real TLS, and hubs that are closed when the test ends."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.core.retry import Backoff
from iot_northbound.device.hub import HubClient
from tests.certs import LOOPBACK_NAMES, Authority, server_context
from tests.clock import FakeClock
from tests.device.hub.parts import TOKEN, Server


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder, ca = tmp_path_factory.mktemp("hub"), Authority()
    (folder / "ca.pem").write_bytes(ca.pem)
    return server_context(ca.issue("server", LOOPBACK_NAMES), None, folder), folder / "ca.pem"


@pytest.fixture
def server(tls: tuple[ssl.SSLContext, Path]) -> Iterator[Server]:
    with Server(tls[0]) as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connect(server: Server, tls: tuple[ssl.SSLContext, Path]) -> Iterator[Callable[..., HubClient]]:
    made: list[HubClient] = []

    def make(**rest: Any) -> HubClient:
        options = {"ca_path": str(tls[1]), "backoff": Backoff(0.0, 0.0), **rest}
        made.append(HubClient("hub-1", TOKEN, f"https://127.0.0.1:{server.port}", **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
