"""The emulator: its start compared with moto, calls per second with 100,000 devices, a page's cost, memory, durability.

`python -m benchmarks.emulator [DEVICES]`. Emulator and load run in separate processes, on 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.platform_process import DEVICES, Platform

FEW = 1_000
CONNECTIONS = 8
STATUS = "/iocm/app/reg/v1.1.0/deviceCredentials"
IN_PROCESS = """
import http.client, ssl, sys, time
importing = time.perf_counter()
from iot_northbound.emulator import Emulator
started = time.perf_counter()
with Emulator(folder=sys.argv[1]) as platform:
    context = ssl.create_default_context(cafile=str(platform.home.ca))
    context.load_cert_chain(platform.home.folder / "client.pem", platform.home.folder / "client.key")
    connection = http.client.HTTPSConnection("localhost", platform.address[1], context=context)
    connection.request("POST", "/iocm/app/sec/v1.1.0/login", f"appId={platform.app_id}&secret={platform.secret}",
                       {"Content-Type": "application/x-www-form-urlencoded"})
    assert connection.getresponse().status == 200
    print(time.perf_counter() - (importing if sys.argv[2:] else started))
"""


def in_process(home: Path, *importing: str) -> float:
    """Return the seconds from creating an Emulator, or from importing it, to the answer to the first login."""
    command = [sys.executable, "-c", IN_PROCESS, str(home), *importing]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def as_command(home: Path) -> float:
    """Return the seconds from starting the command to the answer to the first login."""
    started = time.perf_counter()
    with Platform(home):
        return time.perf_counter() - started


def moto(_: Path) -> float:
    """Return the seconds from starting moto's server to its first answer: an empty list of buckets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = time.perf_counter()
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], **quiet)
    try:
        while server.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            with contextlib.suppress(OSError):
                connection.request("GET", "/", headers={"Host": "s3.amazonaws.com"})
                connection.getresponse().read()
                return time.perf_counter() - started
            time.sleep(0.005)
        raise RuntimeError("moto's server has ended; is moto[server] installed?")
    finally:
        server.terminate()
        server.wait()


def starting(home: Path) -> None:
    """Print medians of alternating rounds."""
    sides: dict[str, Callable[[Path], float]] = {
        "in process, imported before": in_process,
        "in process, imports included": lambda home: in_process(home, "importing"),
        "as a command": as_command,
        "moto's server, as a command": moto,
    }
    spans: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(5):
        for name, side in sides.items():
            spans[name].append(side(home))
    print("start to the first answered call, median of 5")
    for name, each in spans.items():
        print(f"  {name:30} {statistics.median(each) * 1e3:6.0f} ms")


def pages(total: int) -> dict[str, str]:
    """Return queries for a page of ten: the first, one in the middle, the last, and filtered ones."""
    middle, last = total // 20, total // 10 - 1
    return {
        "first page": "pageNo=0&pageSize=10",
        "middle page": f"pageNo={middle}&pageSize=10",
        "last page": f"pageNo={last}&pageSize=10",
        "filtered, first page": "pageNo=0&pageSize=10&status=OFFLINE&deviceType=WaterMeter",
        "filtered, last page": f"pageNo={last}&pageSize=10&status=OFFLINE&deviceType=WaterMeter",
    }


def page_costs(few: Platform, many: Platform, devices: int) -> None:
    """Print what a page costs on one connection, alternating between the two platforms."""
    print(f"a page of ten, p50 in ms and CPU of the emulator in us: among {FEW:,} devices, among {devices:,}")
    sides = ((few, pages(FEW)), (many, pages(devices)))
    for name in pages(FEW):
        spans: tuple[list[float], list[float]] = ([], [])
        cpu: tuple[list[float], list[float]] = ([], [])
        for platform, queries in sides:
            platform.call("GET", f"{DEVICES}?{queries[name]}")  # builds the index, if it is the first to need it
        for _ in range(5):
            for side, (platform, queries) in enumerate(sides):
                used = platform.cpu()
                spans_of = platform.load([platform.message("GET", f"{DEVICES}?{queries[name]}")], seconds=1)
                spans[side].append(spans_of.p50)
                cpu[side].append((platform.cpu() - used) / spans_of.calls * 1e6)
        times, used_ = [statistics.median(each) for each in spans], [statistics.median(each) for each in cpu]
        print(
            f"  {name:30} {times[0]:6.2f} {times[1]:6.2f} x{times[1] / times[0]:.2f}"
            f"   {used_[0]:5.0f} {used_[1]:5.0f} x{used_[1] / used_[0]:.2f}"
        )


def throughput(home: Path, devices: int) -> None:
    """Print memory, pages among few and many devices, and calls per second among many."""
    with Platform(home) as platform:
        platform.control("POST", "/devices", {"count": FEW, "prefix": "first"})
        platform.call("GET", f"{DEVICES}?pageNo=0")
        before = platform.memory()
        started = time.perf_counter()
        platform.control("POST", "/devices", {"count": devices - FEW, "prefix": "more"})
        added = time.perf_counter() - started
        memory = (platform.memory() - before) / (devices - FEW)
        print(f"memory per device: {memory / 1024:.2f} KiB; adding {(devices - FEW) / added:,.0f} devices per second")
        other = home / "few"
        with Platform(other) as few:
            few.control("POST", "/devices", {"count": FEW})
            page_costs(few, platform, devices)
        sample = []
        for number in range(50):  # every connection asks for other devices
            page = platform.call("GET", f"{DEVICES}?pageNo={number * (devices // 50 // 10)}&pageSize=10")
            sample += [device["deviceId"] for device in page["devices"]]
        print(f"calls per second over mutual TLS, kept alive, {CONNECTIONS} connections, {devices:,} devices")
        mixes = {
            "one device": [platform.message("GET", f"{DEVICES}/{each}") for each in sample],
            "activation status": [platform.message("GET", f"{STATUS}/{each}") for each in sample],
            "a page of ten": [platform.message("GET", f"{DEVICES}?pageNo={n}&pageSize=10") for n in range(100)],
            "changing a device": [platform.message("PUT", f"{DEVICES}/{each}", {"name": "x"}) for each in sample],
        }
        for name, messages in mixes.items():
            used = platform.cpu()
            spans = platform.load(messages, connections=CONNECTIONS, seconds=5)
            emulator, own = (platform.cpu() - used) / spans.seconds, spans.own_cpu / spans.seconds
            print(f"  {name:30} {spans.rate:7,.0f}/s  {spans}; CPU {emulator:.0%}, of the load {own:.0%}")


def writing(home: Path) -> None:
    """Print changes per second in memory, and with each change on disk before its answer."""
    print("changing a device")
    for name, options in (("in memory", ()), ("durable", ("--data-dir", str(home / "data")))):
        with Platform(home, *options) as platform:
            platform.control("POST", "/devices", {"count": FEW})
            listed = platform.call("GET", f"{DEVICES}?pageNo=0&pageSize=100")["devices"]
            messages = [platform.message("PUT", f"{DEVICES}/{each['deviceId']}", {"name": "x"}) for each in listed]
            for connections in (1, 16):
                spans = platform.load(messages, connections=connections)
                print(f"  {name}, {connections:2} connections{'':10} {spans.rate:7,.0f}/s  {spans}")


def main(devices: int = 100_000) -> None:
    """Measure and print."""
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Platform(home):
            pass  # makes the certificates
        starting(home)
        throughput(home, devices)
        writing(home)


if __name__ == "__main__":
    main(*[int(argument) for argument in sys.argv[1:]])
