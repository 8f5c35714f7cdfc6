from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from iot_northbound.emulator.home import prepare
from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.rules import applications, notifications
from iot_northbound.emulator.server import Emulator
from tests.emulator.calling import START, Caller


class Wire:
    """A client of the northbound API without any SDK: http.client over mutual TLS."""

    def __init__(self, emulator: Emulator, *, timeout: float = 60.0) -> None:
        self.emulator = emulator
        context = ssl.create_default_context(cafile=str(emulator.home.ca))
        context.load_cert_chain(emulator.home.folder / "client.pem", emulator.home.folder / "client.key")
        self.connection = http.client.HTTPSConnection(
            "localhost", emulator.address[1], context=context, timeout=timeout
        )
        self.headers = {"app_key": emulator.app_id}

    def login(self) -> Wire:
        form = urlencode({"appId": self.emulator.app_id, "secret": self.emulator.secret})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, answer = self.raw("POST", "/iocm/app/sec/v1.1.0/login", form.encode(), kind)
        assert status == 200, answer
        self.headers["Authorization"] = f"Bearer {answer['accessToken']}"
        return self

    def raw(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        return self.raw(method, path, content, {**self.headers, "Content-Type": "application/json"})

    def register(self, node_id: str) -> str:
        status, answer = self.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": node_id, "timeout": 0})
        assert status == 200, answer
        return str(answer["deviceId"])

    def devices(self) -> list[str]:
        status, answer = self.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=250")
        assert status == 200, answer
        assert answer["totalCount"] == len(answer["devices"])
        return [device["deviceId"] for device in answer["devices"]]

    def close(self) -> None:
        self.connection.close()


@pytest.fixture(scope="session")
def home_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emulator-home")
    prepare(folder)
    return folder


@pytest.fixture
def emulator(home_folder: Path) -> Iterator[Emulator]:
    with Emulator(folder=home_folder) as running:
        yield running


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[Wire]:
    client = Wire(emulator).login()
    yield client
    client.close()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def platform(settings: Settings) -> Platform:
    clock = Clock()
    clock.freeze(START)
    made = Platform(settings, clock, Ids("test"))
    applications.add_application(made, "app-one", "secret-one")
    applications.add_application(made, "app-two", "secret-two")
    return made


@pytest.fixture
def app(platform: Platform) -> Caller:
    return Caller(platform).login()


@pytest.fixture
def other(platform: Platform) -> Caller:
    return Caller(platform, "app-two", "secret-two").login()


@pytest.fixture
def told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """The notifications of the platform: (application, type, body)."""
    notified: list[tuple[str, str, dict[str, Any]]] = []
    original: Callable[..., None] = platform.notify

    def notify(app_id: str, notify_type: str, body: dict[str, Any]) -> None:
        notified.append((app_id, notify_type, body))
        original(app_id, notify_type, body)

    monkeypatch.setattr(platform, "notify", notify)
    monkeypatch.setattr(notifications, "wanted", lambda *_: True)
    return notified
