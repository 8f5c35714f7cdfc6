"""Devices in a separate process: the bytes of MQTT over TLS on uvloop, so that the server is measured and not a client.

The process reads one JSON object per line with a task, and prints one with its result. The connections stay open from
task to task. `Load` starts it and talks to it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

AT_ONCE = 50
"""Handshakes at the same time."""

NOW = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
"""The event time of all reports: of today, because the history forgets what is old."""


class Load:
    """The process with the devices."""

    def __init__(self, port: int, ca: str, devices: Sequence[tuple[str, str]]) -> None:
        command = [sys.executable, "-m", "benchmarks.mqtt_load"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.do("open", port=port, ca=ca, devices=list(devices))

    def begin(self, task: str, **how: Any) -> None:
        """Begin a task."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"task": task, **how}) + "\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Return the result of the task that was begun."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load process has ended")
        result: dict[str, Any] = json.loads(line)
        return result

    def do(self, task: str, **how: Any) -> dict[str, Any]:
        """Do a task and return its result."""
        self.begin(task, **how)
        return self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def _text(text: str) -> bytes:
    return struct.pack("!H", len(text.encode())) + text.encode()


def _packet(first: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, byte = divmod(size, 128)
        length += bytes([byte | (128 if size else 0)])
        if not size:
            return bytes([first]) + length + body


class Device(asyncio.Protocol):
    """One device. Its packets are short, so the length of what it gets is one byte or two."""

    arrivals: list[tuple[str, float]] = []  # noqa: RUF012 - of all devices of this process

    def __init__(self, device_id: str, secret: str) -> None:
        self.id, self._secret = device_id, secret
        self.ready = asyncio.get_running_loop().create_future()
        self.sent: dict[int, float] = {}
        self.spans: list[float] = []
        self.moments: list[float] = []
        self.left = 0
        self.number = 0
        self.done: asyncio.Future[None] | None = None
        self.lost = False
        self._buffer = b""
        self._topic = _text(f"/huawei/v1/devices/{device_id}/data/json")

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        stamp = f"{datetime.now(UTC):%Y%m%d%H}"
        password = hmac.new(stamp.encode(), self._secret.encode(), hashlib.sha256).hexdigest()
        body = _text("MQTT") + b"\x04\xc2" + struct.pack("!H", 0)
        transport.write(_packet(0x10, body + _text(f"{self.id}_0_1_{stamp}") + _text(self.id) + _text(password)))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            size, at = self._buffer[1], 2
            if size & 128:
                if len(self._buffer) < 3:
                    return
                size, at = (size & 127) | self._buffer[2] << 7, 3
            if len(self._buffer) < at + size:
                return
            first, body, self._buffer = self._buffer[0], self._buffer[at : at + size], self._buffer[at + size :]
            self._handle(first, body)

    def _handle(self, first: int, body: bytes) -> None:
        if first == 0x40:
            self.spans.append(time.monotonic() - self.sent.pop(struct.unpack("!H", body)[0]))
            if self.left:
                self.left -= 1
                self.report()
            elif self.done is not None and not self.sent and not self.done.done():
                self.done.set_result(None)
        elif first == 0x20:
            if body[1]:
                self.ready.set_exception(RuntimeError(f"{self.id} is refused with code {body[1]}"))
            topic = _text(f"/huawei/v1/devices/{self.id}/command/json")
            self.transport.write(_packet(0x82, b"\x00\x01" + topic + b"\x01"))
        elif first == 0x90:
            self.ready.set_result(None)
        elif first >> 4 == 3:
            self.arrivals.append((self.id, time.monotonic()))
            at = 2 + struct.unpack_from("!H", body)[0]
            self.transport.write(b"\x40\x02" + body[at : at + 2])
            mid = json.loads(body[at + 2 :])["mid"]
            answer = {"msgType": "deviceRsp", "mid": mid, "errcode": 0, "body": {}}
            self.publish(json.dumps(answer).encode(), qos=0)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(RuntimeError(f"{self.id} was cut: {error}"))
        if self.done is not None and not self.done.done():
            self.done.set_exception(RuntimeError(f"{self.id} was cut: {error}"))

    def report(self) -> None:
        """Send the next report."""
        data = {"serviceId": "WaterMeter", "serviceData": {"totalVolume": self.number}, "eventTime": NOW}
        self.number += 1
        self.moments.append(time.monotonic())
        self.publish(json.dumps({"msgType": "deviceReq", "data": [data]}, separators=(",", ":")).encode())

    def publish(self, payload: bytes, qos: int = 1) -> None:
        """Send a message."""
        if not qos:
            self.transport.write(_packet(0x30, self._topic + payload))
            return
        mid = self.number % 65_535 + 1
        self.sent[mid] = time.monotonic()
        self.transport.write(_packet(0x32, self._topic + struct.pack("!H", mid) + payload))


class Process:
    """What this process does."""

    async def open(self, port: int, ca: str, devices: list[list[str]]) -> dict[str, Any]:
        self.port, self.context = port, ssl.create_default_context(cafile=ca)
        self.known, self.devices = devices, [Device("", "")][:0]
        return {}

    async def connect(self, count: int) -> dict[str, Any]:
        """Connect so many more devices."""
        loop, turns = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
        new = [Device(*each) for each in self.known[len(self.devices) : len(self.devices) + count]]

        async def one(device: Device) -> None:
            async with turns:
                await loop.create_connection(
                    lambda: device, "127.0.0.1", self.port, ssl=self.context, server_hostname="localhost"
                )
                await device.ready

        started = time.monotonic()
        await asyncio.gather(*map(one, new))
        self.devices += new
        return {"seconds": time.monotonic() - started}

    async def closed(self, count: int) -> dict[str, Any]:
        """Each device sends so many reports, the next one after the PUBACK of the one before."""
        started = self._begin()
        self._await()
        for each in self.devices:
            each.left = count - 1
            each.report()
        return await self._end(started)

    async def paced(self, rate: float, seconds: float) -> dict[str, Any]:
        """The devices take turns, so many reports per second together."""
        started = self._begin()
        for number in range(round(rate * seconds)):
            pause = started + number / rate - time.monotonic()
            if pause > 0.001:
                await asyncio.sleep(pause)
            elif number % 50 == 0:
                await asyncio.sleep(0)
            device = self.devices[number % len(self.devices)]
            if not device.lost:
                device.report()
        self._await()
        for each in self.devices:
            if not each.sent and each.done is not None:
                each.done.set_result(None)
        return await self._end(started)

    def _begin(self) -> float:
        for each in self.devices:
            each.spans.clear()
            each.done = None
        return time.monotonic()

    def _await(self) -> None:
        for each in self.devices:
            each.done = asyncio.get_running_loop().create_future()

    async def _end(self, started: float) -> dict[str, Any]:
        waiting = [each.done for each in self.devices if each.done is not None]
        await asyncio.wait(waiting, timeout=60)
        spans = sorted(span for each in self.devices for span in each.spans)
        return {
            "acknowledged": len(spans),
            "open": sum(len(each.sent) for each in self.devices),
            "cut": sum(each.lost for each in self.devices),
            "seconds": time.monotonic() - started,
            "p50": spans[len(spans) // 2] * 1e3,
            "p99": spans[len(spans) * 99 // 100] * 1e3,
            "worst": spans[-1] * 1e3,
        }

    async def moments(self) -> dict[str, Any]:
        """Return when each report was sent, by device and number."""
        return {each.id: each.moments for each in self.devices}

    async def arrivals(self) -> dict[str, Any]:
        """Return when commands have come, and forget it."""
        found = Device.arrivals[:]
        Device.arrivals.clear()
        return {"arrivals": found}


async def _run() -> None:
    process, loop = Process(), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        how = json.loads(line)
        print(json.dumps(await getattr(process, how.pop("task"))(**how)), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(_run())
