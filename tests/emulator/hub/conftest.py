from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire

TOKEN = "0123456789abcdef0123"


class Hub:
    """A hub without any SDK: http.client over TLS that checks only the server."""

    def __init__(self, emulator: Emulator, token: str | None = TOKEN) -> None:
        context = ssl.create_default_context(cafile=str(emulator.device_ca))
        port = int(str(emulator.hub_url).rpartition(":")[2])
        self.connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
        self.headers = {} if token is None else {"PPCAuthorization": f'esp token="{token}"'}

    def raw(self, body: bytes, method: str = "POST", path: str = "/deviceio/ml") -> tuple[int, bytes]:
        self.connection.request(method, path, body, {"Content-Type": "text/xml", **self.headers})
        self.last = self.connection.getresponse()
        return self.last.status, self.last.read()

    def post(self, inside: str = "", seq: str = 'seq="1"', hub_id: str = "hub-1") -> ElementTree.Element:
        body = f'<?xml version="1.0" encoding="UTF-8"?><h2s ver="2" hubId="{hub_id}" {seq}>{inside}</h2s>'
        status, content = self.raw(body.encode())
        assert status == 200
        assert self.last.headers["Content-Type"] == "text/xml;charset=UTF-8"
        return ElementTree.fromstring(content)

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def emulator(home_folder: Path) -> Iterator[Emulator]:
    with Emulator(folder=home_folder, hub_port=0, hub_models={"11": "climate-sensor-zigbee"}) as running:
        yield running


def register_hub(wire: Wire, node_id: str = "hub-1") -> str:
    """Register a gateway that is a hub, and return its device id."""
    info = {"nodeId": node_id, "manufacturerId": "NETZWERK", "model": "NG-2"}
    status, answer = wire.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", {"deviceInfo": info, "secret": TOKEN})
    assert status == 200, answer
    return str(answer["deviceId"])


@pytest.fixture
def hub_id(wire: Wire) -> str:
    return register_hub(wire)


@pytest.fixture
def hub(emulator: Emulator, hub_id: str) -> Iterator[Hub]:
    client = Hub(emulator)
    yield client
    client.close()
