"""The emulator's pushes: 10,000 reports to one receiver, how many are lost, and what API calls cost meanwhile.

`python -m benchmarks.emulator_pushes [REPORTS]`. The receiver is a bare asyncio HTTPS listener that checks only the
number of each report. Receiver, emulator and load run in separate processes, on 127.0.0.1.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.load import Spans
from benchmarks.platform_process import DEVICES, Platform
from benchmarks.push_receiver import PushReceiver

MEASURED_EVERY = 0.005


def _reports(platform: Platform, devices: list[str], count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        body = {"service_id": "WaterMeter", "data": {"totalVolume": number}}
        platform.control("POST", f"/devices/{devices[number % len(devices)]}/reports", body)
    return time.perf_counter() - started


def measure(platform: Platform, home: Path, count: int, *, watched: bool = True) -> None:
    """Print how many arrived, and the latency of an API call when idle and meanwhile."""
    receiver = PushReceiver(home)
    try:
        platform.control("POST", "/devices", {"count": 1_000})
        devices = [
            device["deviceId"]
            for number in range(4)
            for device in platform.call("GET", f"{DEVICES}?pageNo={number}&pageSize=250")["devices"]
        ]
        subscription = {"notifyType": "deviceDataChanged", "callbackUrl": f"https://localhost:{receiver.port}/in"}
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
        receiver.wait_for(count, 120)
        delivered = time.perf_counter() - started
        watcher.join()
        numbers = [number for _, number, _ in receiver.ask("which")]
        arrived = len(set(numbers))
        print(f"  reported {count:,} in {taken:.1f} s; {arrived:,} arrived after {delivered:.1f} s", end="")
        print(f" ({arrived / delivered:,.0f}/s), {count - arrived} lost, {len(numbers) - arrived} twice")
        print(f"  an API call idle: {idle}; meanwhile: {busy[0]}; p50 x{busy[0].p50 / idle.p50:.2f}")
    finally:
        receiver.close()


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
