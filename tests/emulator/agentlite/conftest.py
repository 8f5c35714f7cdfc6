from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire

BIND = "/iocm/dev/reg/v1.1.0/bind"
LOGIN = "/iocm/dev/sec/v1.1.0/login"
REFRESH = "/iocm/dev/sec/v1.1.0/refreshToken"
DEVICES = "/iocm/dev/dm/v1.1.0/devices"
INFO = {
    "nodeId": "gw-1", "manufacturerId": "Acme", "deviceType": "Gateway", "model": "GW1", "protocolType": "MQTT",
}  # fmt: skip


class Device:
    """A device at the AgentLite port without any SDK: http.client over TLS that checks only the server."""

    def __init__(self, emulator: Emulator) -> None:
        context = ssl.create_default_context(cafile=str(emulator.device_ca))
        port = int(str(emulator.agentlite_url).rpartition(":")[2])
        self.connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
        self.headers: dict[str, str] = {}
        self.last: http.client.HTTPResponse

    def raw(self, method: str, path: str, body: bytes | None, **headers: str) -> tuple[int, Any]:
        self.connection.request(method, path, body, {**self.headers, **headers})
        self.last = self.connection.getresponse()
        content = self.last.read()
        return self.last.status, json.loads(content) if content else None

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return self.raw(method, path, None if body is None else json.dumps(body).encode())

    def bind(self, code: str = "gw-1", **info: str) -> dict[str, Any]:
        status, answer = self.call("POST", BIND, {"verifyCode": code, "deviceInfo": {**INFO, **info}})
        assert status == 200, answer
        return dict(answer)

    def login(self, given: dict[str, Any]) -> dict[str, Any]:
        status, answer = self.call("POST", LOGIN, {name: given[name] for name in ("appId", "deviceId", "secret")})
        assert status == 200, answer
        self.headers["Authorization"] = f"Bearer {answer['accessToken']}"
        return dict(answer)

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def emulator(home_folder: Path) -> Iterator[Emulator]:
    with Emulator(folder=home_folder, agentlite_port=0) as running:
        yield running


@pytest.fixture
def device(emulator: Emulator) -> Iterator[Device]:
    made = Device(emulator)
    yield made
    made.close()


@pytest.fixture
def gateway(device: Device, wire: Wire) -> Device:
    """A device that is bound and logged in."""
    status, _ = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "gw-1", "verifyCode": "gw-1"})
    assert status == 200
    device.login(device.bind())
    return device
