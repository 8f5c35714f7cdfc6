"""Rows of benchmarks.mqtt: the fleet, its memory and CPU, and its return after the platform was away."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from benchmarks.mqtt_servers import Emulated, Mosquitto, cpu_of, free_port, memory_of, mqtt_port_of
from iot_northbound.device import DeviceCredentials
from iot_northbound.device.fleet import Fleet

COUNT = 10_000
STORMED = 1_000
ROUNDS = 5


def simulator() -> None:
    """10,000 devices in one process, against mosquitto: memory and CPU per device and report."""
    from benchmarks.mqtt import homes

    with homes() as home, Mosquitto(home) as server:
        command = [sys.executable, "-m", "benchmarks.mqtt_fleet", str(server.port), server.ca]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        found = json.loads(done.stdout)
    print(
        f"  {found['connected']:,} connected after {found['seconds']:.0f} s with {found['threads']} threads; "
        f"{found['KiB']:.1f} KiB per device (at most 60), {found['connect'] * 1e3:.2f} ms CPU per connect, "
        f"{found['report'] * 1e6:.0f} µs CPU per report (at most 250), {found['lost']} of {found['reports']:,} lost"
    )


def _measure(port: int, ca: str) -> dict[str, float]:
    import os

    fleet = Fleet("localhost", port, ca_path=ca)
    for number in range(COUNT):
        fleet.add(DeviceCredentials(f"device-{number:06d}", "secret"))
    before, started, used = memory_of(os.getpid()), time.monotonic(), cpu_of(os.getpid())
    fleet.start()
    while fleet.counts().connected < COUNT and time.monotonic() < started + 300:
        time.sleep(0.2)
    seconds, connecting = time.monotonic() - started, cpu_of(os.getpid()) - used
    connected, threads = fleet.counts().connected, threading.active_count() - 1
    used = cpu_of(os.getpid())
    for number in range(ROUNDS):

        def report(number: int = number) -> None:
            for each in fleet.devices:
                each.report([("WaterMeter", {"totalVolume": number}, "20260101T120000Z")])

        fleet.call_soon(report)
        fleet.drain(120)
    reporting, counts = cpu_of(os.getpid()) - used, fleet.counts()
    grown = memory_of(os.getpid()) - before
    fleet.close()
    return {
        "connected": connected,
        "seconds": seconds,
        "threads": threads,
        "KiB": grown / COUNT / 1024,
        "connect": connecting / COUNT,
        "report": reporting / counts.acknowledged,
        "reports": counts.reports,
        "lost": counts.lost,
    }


def storm() -> None:
    """1,000 devices lose the emulator for 5 s: when they are back, how spread, and what is lost."""
    from benchmarks.mqtt import homes

    count = STORMED
    with homes() as home:
        options = ("--mqtt-port", str(free_port()), "--data-dir", str(home / "data"))
        with Emulated(home, *options) as server:
            devices = server.devices(count)
            fleet = Fleet("localhost", mqtt_port_of(server), ca_path=server.ca)
            for each in devices:
                fleet.add(DeviceCredentials(*each))
            fleet.start()
            while fleet.counts().connected < count:
                time.sleep(0.1)
            server.process.kill()
            server.process.wait()
        for number in range(5):
            for device in fleet.devices:
                device.report([("WaterMeter", {"totalVolume": number})])
        time.sleep(5)
        with Emulated(home, *options) as server:
            back = time.monotonic()
            connects, per_second = fleet.counts().reconnects, Counter[int]()
            while (now := fleet.counts()).connected < count and time.monotonic() < back + 120:
                per_second[int(time.monotonic() - back)] += now.reconnects - connects
                connects = now.reconnects
                time.sleep(0.05)
            per_second[int(time.monotonic() - back)] += now.reconnects - connects
            seconds, drained = time.monotonic() - back, fleet.drain(60)
            fleet.close()
            wrong = sum(sorted(server.in_history(each)) != list(range(5)) for each, _ in devices)
    print(
        f"  all {now.connected:,} back {seconds:.0f} s after the start of the emulator (at most 65), at most "
        f"{max(per_second.values()) / count:.1%} in one second (at most 10 %); "
        f"{'all' if drained else 'NOT ALL'} reports acknowledged, {wrong} devices with a gap or a double in the history"
    )


if __name__ == "__main__":
    from benchmarks.mqtt import allow_files

    allow_files()
    print(json.dumps(_measure(int(sys.argv[1]), str(Path(sys.argv[2])))))
