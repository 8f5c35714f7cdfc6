"""The emulator's pushes: 10,000 reports to one receiver, how many are lost, and what API calls cost meanwhile.

`python -m benchmarks.emulator_pushes [REPORTS]`. The receiver is a bare asyncio HTTPS listener that checks only the
number of each report. Receiver, emulator and load run in separate processes, on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import ssl
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.load import Spans
from benchmarks.platform_process import DEVICES, Platform

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
MEASURED_EVERY = 0.005


class _Listener(asyncio.Protocol):
    """Answers each POST with 200 and notes the number in it."""

    numbers: dict[int, int] = {}  # noqa: RUF012 - shared by all connections of this process

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            announced = _LENGTH.search(self.buffer, 0, end)
            size = end + 4 + (int(announced[1]) if announced else 0)
            if len(self.buffer) < size:
                return
            body, self.buffer = self.buffer[end + 4 : size], self.buffer[size:]
            number = json.loads(body)["service"]["data"]["totalVolume"]
            self.numbers[number] = self.numbers.get(number, 0) + 1
            self.transport.write(ANSWER)


def _listen(home: Path, pipe: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(home / "server.pem", home / "server.key")
        server = await loop.create_server(_Listener, "127.0.0.1", 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            await loop.run_in_executor(None, pipe.recv)
            pipe.send((len(_Listener.numbers), sum(_Listener.numbers.values())))

    import uvloop

    uvloop.run(serve())


def _reports(platform: Platform, devices: list[str], count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        body = {"service_id": "WaterMeter", "data": {"totalVolume": number}}
        platform.control("POST", f"/devices/{devices[number % len(devices)]}/reports", body)
    return time.perf_counter() - started


def measure(platform: Platform, home: Path, count: int, *, watched: bool = True) -> None:
    """Print how many arrived, and the latency of an API call when idle and meanwhile."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_listen, args=(home, its), daemon=True)
    process.start()
    try:
        port = ours.recv()
        platform.control("POST", "/devices", {"count": 1_000})
        devices = [
            device["deviceId"]
            for number in range(4)
            for device in platform.call("GET", f"{DEVICES}?pageNo={number}&pageSize=250")["devices"]
        ]
        subscription = {"notifyType": "deviceDataChanged", "callbackUrl": f"https://localhost:{port}/in"}
        platform.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", subscription)
        message = platform.message("GET", f"{DEVICES}/{devices[0]}")
        idle = platform.load([message], seconds=3, pause=MEASURED_EVERY)
        busy: list[Spans] = []
        seconds = count / 2_000

        def watch() -> None:
            busy.append(platform.load([message], seconds=seconds, pause=MEASURED_EVERY))

        watcher = threading.Thread(target=watch)
        started = time.perf_counter()
        watcher.start()
        taken = _reports(platform, devices, count)
        arrived: tuple[int, int] = (0, 0)
        while time.perf_counter() < started + 120:
            ours.send("how many?")
            arrived = ours.recv()
            if arrived[0] >= count:
                break
            time.sleep(0.02)
        delivered = time.perf_counter() - started
        watcher.join()
        print(f"  reported {count:,} in {taken:.1f} s; {arrived[0]:,} arrived after {delivered:.1f} s", end="")
        print(f" ({arrived[0] / delivered:,.0f}/s), {count - arrived[0]} lost, {arrived[1] - arrived[0]} twice")
        print(f"  an API call idle: {idle}; meanwhile: {busy[0]}; p50 x{busy[0].p50 / idle.p50:.2f}")
    finally:
        process.kill()
        process.join()


def main(count: int = 10_000) -> None:
    """Measure in memory and with a data directory."""
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, options in (("in memory", ()), ("durable", ("--data-dir", str(home / "data")))):
            print(f"{count:,} device reports to one HTTPS receiver, {name}")
            with Platform(home, *options) as platform:
                measure(platform, home, count)


if __name__ == "__main__":
    main(*[int(argument) for argument in sys.argv[1:]])
