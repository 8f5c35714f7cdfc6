"""The MQTT port in one process and without sockets, and a loop whose time passes at once."""

from __future__ import annotations

import asyncio
import ssl
from selectors import DefaultSelector
from typing import Any, Self

from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
from iot_northbound.emulator.mqtt.session import MqttConnection
from iot_northbound.emulator.rules import applications, devices
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.serving import Admission, Limits

from .wire import GATEWAY, Device


class Wire(asyncio.Transport):
    """A transport that keeps nothing but whether it is closed, and what a bystander was sent."""

    def __init__(self, connection: MqttConnection, *, keeps: bool = False) -> None:
        super().__init__()
        self.connection: Any = connection
        self.keeps = keeps
        self.sent = b""
        self.closed = False

    def write(self, data: Any) -> None:
        if self.keeps:
            self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    abort = close

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.connection = protocol

    def pause_reading(self) -> None:
        """Nothing is read here."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0


class Port:
    """The port, with an application; `async with` starts and ends it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def __aenter__(self) -> Self:
        self.runtime = Runtime(self.settings, ssl.create_default_context())
        self.endpoint = MqttEndpoint(
            "localhost", 0, ssl_context=ssl.create_default_context(), limits=Limits(), model_codecs={}
        )
        self.endpoint.serve(self.runtime)
        applications.add_application(self.runtime.platform, "app", "secret")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runtime.aclose()

    def register(self, node_id: str) -> Device:
        row = devices.create(self.runtime.platform, "app", node_id, productId=GATEWAY, secret="k" * 20)
        return Device(row["deviceId"], node_id, row["secret"])

    def connection(self, *, keeps: bool = False) -> MqttConnection:
        connection = MqttConnection(Admission(Limits(), "local", False, lambda _: None), self.endpoint)
        connection.connection_made(Wire(connection, keeps=keeps))
        return connection


class _NoWait(DefaultSelector):
    """Never waits: the time for which it should have waited has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.passed += timeout or 0
        return super().select(None if timeout is None else 0)


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop that passes over the time in which nothing happens."""

    def __init__(self) -> None:
        self._selector_of_time = _NoWait()
        super().__init__(self._selector_of_time)

    def time(self) -> float:
        return self._selector_of_time.passed
