"""Odd packets for the MQTT port, in one process and without sockets.

Packets of logged-in devices and of strangers are cut, doubled, changed and glued together. It counts what escapes as an
exception, checks that a bystander's session answers all the time, and measures memory.
"""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import struct
import time
from collections import Counter
from typing import Any

from iot_northbound.emulator.journal import Journal
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.mqtt.session import MqttConnection
from iot_northbound.emulator.rules import commands

from . import wire as w
from .wire import Device
from .without_sockets import Port

_TEXTS = (
    *(b"", b"#", b"+", b"\0", b"\xff", b"\xed\xa0\x80", b"/", b"a" * 300, b"MQTT", b"MQIsdp", b"_0_0_2018072417"),
    *(
        b"{",
        b"}",
        b"[" * 150,
        b"null",
        b'"mid":',
        b"1e999",
        b"9" * 400,
        b'"\\ud800"',
        b"-1",
        b'"data":',
        b"\xef\xbb\xbf",
    ),
)
_JSON = (
    b'{"msgType":"deviceReq","data":[{"serviceId":"Gateway","serviceData":{"a":1},"eventTime":"20260101T000000Z"}]}',
    b'{"msgType":"deviceReq","data":[{"serviceId":"Gateway","data":{}},{"serviceId":1},null]}',
    b'{"msgType":"deviceRsp","mid":1,"errcode":0,"body":{"result":1}}',
    b'{"msgType":"deviceRsp","errcode":"x","mid":"1"}',
    b'{"header":{"to":"/data/v1.1.0/devices/x/services/Gateway","eventTime":1},"body":{}}',
    b'{"header":{"requestId":"1","deviceId":"x","statusCode":200},"body":{}}',
)


SAMPLE = 100
"""How many entries of the journal are looked at, after each thousand packets."""


class Fuzz:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.escaped: list[str] = []
        self.outcomes: Counter[str] = Counter()
        """What the journal said of a sample of the packets, by the first words."""
        self.settings = Settings(history_rows_per_device=100, mqtt_model_secrets=True)

    async def run(self, count: int) -> list[int]:
        """Feed so many packets; return the peak of memory in KiB after each tenth."""
        async with Port(self.settings) as self.port:
            return await self._run(count)

    async def _run(self, count: int) -> list[int]:
        self.runtime = self.port.runtime
        self.runtime.journal = Journal(SAMPLE)  # its texts of any length would hide a leak
        platform = self.runtime.platform
        self.devices = [self.port.register(f"gw-{number}") for number in range(5)]
        bystander = self.port.connection(keeps=True)
        bystander.data_received(self.devices[4].connect())
        start, memory = time.monotonic(), []
        for number in range(count):
            self._feed()
            if (number + 1) % (count // 10) == 0:
                memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            if number % 50 == 0:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            if number % 1_000 == 0:
                await self._look_at(bystander)
                if len(platform.table(commands.COMMANDS)) < 20:
                    self._command(self.devices[number // 1_000 % 4])
        self.seconds = time.monotonic() - start
        await self._look_at(bystander)
        return memory

    def _command(self, device: Device) -> None:
        wanted = {"serviceId": "Gateway", "method": "RESTART", "paras": {}}
        commands.create(self.runtime.platform, "app", device.device_id, wanted, expire_time=60)

    async def _look_at(self, bystander: MqttConnection) -> None:
        transport: Any = bystander.transport
        bystander.data_received(w.PINGREQ)
        for _ in range(3):
            await asyncio.sleep(0)
        if transport.closed or not transport.sent.endswith(w.PINGRESP):
            self.escaped.append("the bystander's session has ended or does not answer")
        for each in self.runtime.journal.entries(kind="mqtt", limit=SAMPLE):
            self.outcomes[f"{each['packet']}: {each['outcome'].partition(':')[0][:30]}"] += 1
        transport.sent = b""

    _open: MqttConnection | None = None

    def _feed(self) -> None:
        if self._open is None or self._open.is_over:
            self._open = self.port.connection()
            self._device_now = self.chance.choice(self.devices[:4])
            if self.chance.random() < 0.8:
                self._give(self._open, self._device_now.connect())
        self._give(self._open, self._packet(self._device_now))

    def _give(self, connection: MqttConnection, data: bytes) -> None:
        try:
            at = 0
            while at < len(data):
                size = self.chance.choice((len(data), len(data), 1, 2, 7))
                connection.data_received(data[at : at + size])
                at += size
        except Exception as error:  # noqa: BLE001 - each of them is a finding
            self.escaped.append(f"{type(error).__name__}: {error} at {data[:80]!r}")

    def _packet(self, device: Device) -> bytes:
        chance = self.chance
        payload = chance.choice(_JSON)
        if chance.random() < 0.4:
            payload = self._changed(payload)
        packet = chance.choice((
            lambda: w.publish(device.data, payload, chance.randint(0, 3)),
            lambda: w.publish("/cloud/signaltrans/v2/categories/data", payload, 1),
            lambda: w.publish("/cloud/signaltrans/v2/categories/reply", payload, 1),
            lambda: w.publish(self._changed(device.data.encode()), payload, 2),
            lambda: w.subscribe(chance.randint(0, 9), (device.command, chance.randint(0, 3)), ("#", 0)),
            lambda: w.subscribe(1, (f"/gws/{device.device_id}/signaltrans/v2/categories/#", 1)),
            lambda: w.unsubscribe(chance.randint(0, 2), device.command),
            lambda: w.puback(chance.randint(0, 30)),
            lambda: w.PINGREQ,
            lambda: w.DISCONNECT if chance.random() < 0.05 else w.PINGREQ,
            lambda: device.connect(will=("t", b"x"), keep_alive=chance.randint(0, 65_535)),
            lambda: w.connect("wm_x_1_0_2026112512", "wm", "p", level=chance.randint(2, 6)),
            lambda: w.packet(chance.randrange(256), bytes(chance.randrange(256) for _ in range(chance.randrange(12)))),
        ))()  # fmt: skip
        return self._changed(packet) if chance.random() < 0.25 else packet

    def _changed(self, data: bytes) -> bytes:
        chance = self.chance
        at = chance.randint(0, len(data))
        match chance.randrange(6):
            case 0:
                return data[:at]
            case 1:
                return data[:at] + chance.choice(_TEXTS) + data[at:]
            case 2:
                return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 3:
                return data + data
            case 4:
                return data[:at] + struct.pack(">H", chance.choice((0, 1, 255, 65_535))) + data[at + 2 :]
            case _:
                return data[at:] or b"\x30"


class Escapes(logging.Handler):
    """Counts what the port itself caught as a failure of its own."""

    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.into = into

    def emit(self, record: logging.LogRecord) -> None:
        self.into.append(f"{record.getMessage()}: {record.exc_info and record.exc_info[1]!r}")


def fuzz(count: int, seed: int = 1) -> tuple[Fuzz, list[int]]:
    """Feed so many packets; return the run, and the peak of memory in KiB after each tenth."""
    run = Fuzz(seed)
    log = logging.getLogger("iot_northbound.emulator")
    handler, spread = Escapes(run.escaped), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        return run, asyncio.run(run.run(count))
    finally:
        log.removeHandler(handler)
        log.propagate = spread
