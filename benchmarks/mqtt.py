"""The device side against mosquitto: CPU, memory, rates, pushes, commands, odd peers, and the fleet.

`python -m benchmarks.mqtt` measures everything in less than ten minutes, `python -m benchmarks.mqtt connect report`
only these rows. mosquitto and the emulator take turns for three rounds; figures are medians. Server, devices and
receiver run in separate processes on 127.0.0.1, and the server's CPU time is read from /proc.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from benchmarks.mqtt_load import Load
from benchmarks.mqtt_servers import Emulated, Mosquitto, measured, memory_of, mqtt_port_of

ROUNDS = 3
DEVICES = 1_000
REPORTS = 20
"""Reports per device where the CPU of a report is measured."""


@contextmanager
def homes() -> Iterator[Path]:
    """Give a folder with the certificates that both servers use."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Emulated(home):
            pass  # it has made them
        yield home


@contextmanager
def server_of(name: str, home: Path, round_number: int, *options: str) -> Iterator[Mosquitto | Emulated]:
    """Run one of the two servers, new each time."""
    if name == "durable":
        options = (*options, "--data-dir", str(home / f"data-{round_number}"))
    with Mosquitto(home) if name == "mosquitto" else Emulated(home, *options) as server:
        yield server


@contextmanager
def load_of(server: Mosquitto | Emulated, count: int = DEVICES) -> Iterator[Load]:
    """Run the process with the devices."""
    with Load(mqtt_port_of(server), server.ca, server.devices(count)) as load:
        yield load


def one_round(name: str, home: Path, number: int) -> dict[str, float]:
    """Return what connecting and reporting cost a server: CPU, time, memory, and the rate of a closed loop."""
    with server_of(name, home, number) as server, load_of(server) as load:
        load.do("connect", count=1)  # so that nothing is loaded for the first time
        before = memory_of(server.pid)
        connected, connecting = measured(server, lambda: load.do("connect", count=DEVICES - 1))
        time.sleep(1)
        grown = memory_of(server.pid) - before
        load.do("closed", count=1)
        reported, reporting = measured(server, lambda: load.do("closed", count=REPORTS))
    assert reported["acknowledged"] == DEVICES * REPORTS, reported
    return {
        "connect": connecting / DEVICES,
        "seconds": connected["seconds"],
        "KiB": grown / DEVICES / 1024,
        "report": reporting / reported["acknowledged"],
        "rate": reported["acknowledged"] / reported["seconds"],
    }


@cache
def take_turns(*names: str) -> dict[str, dict[str, float]]:
    """Return the medians of each server; two rows share the rounds of the same servers."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with homes() as home:
        for number in range(ROUNDS):
            for name in names:
                rounds[name].append(one_round(name, home, number))
    return {
        name: {key: statistics.median(each[key] for each in found) for key in found[0]}
        for name, found in rounds.items()
    }


def ratio(found: dict[str, dict[str, float]], name: str, key: str) -> float:
    """Return how many times mosquitto's value a server's is."""
    return found[name][key] / found["mosquitto"][key]


def connect() -> None:
    """CPU of a connect, and the time until all devices are connected."""
    found = take_turns("mosquitto", "emulator")
    for name, each in found.items():
        print(
            f"  {name}: {each['connect'] * 1e3:.2f} ms CPU per connect, {DEVICES:,} after {each['seconds']:.1f} s, "
            f"{each['KiB']:.1f} KiB per connection"
        )
    print(f"  CPU x{ratio(found, 'emulator', 'connect'):.2f} (at most 2.0), ", end="")
    print(f"time x{ratio(found, 'emulator', 'seconds'):.2f} (at most 1.5), ", end="")
    print(f"memory x{ratio(found, 'emulator', 'KiB'):.2f} (at most 2.0, and 40 KiB)")


def _report(name: str, limit: float) -> None:
    found = take_turns("mosquitto", name)
    for server, each in found.items():
        print(
            f"  {server}: {each['report'] * 1e6:.0f} µs CPU per report, {each['rate']:,.0f} reports/s in a closed loop"
        )
    print(f"  CPU x{ratio(found, name, 'report'):.2f} (at most {limit})")


def report() -> None:
    """CPU of a QoS 1 report, in memory, without a subscriber."""
    _report("emulator", 5.0)


def durable() -> None:
    """CPU of a QoS 1 report that is on disk before its PUBACK."""
    _report("durable", 6.0)


def rate() -> None:
    """2,500 reports per second for 20 s: acknowledged, and in the history once each."""
    with homes() as home, Emulated(home) as server:
        devices = server.devices(DEVICES)
        with Load(server.mqtt_port, server.ca, devices) as load:
            load.do("connect", count=DEVICES)
            result = load.do("paced", rate=2_500, seconds=20)
            print(
                f"  {result['acknowledged']:,} acknowledged in {result['seconds']:.1f} s, {result['open']} open,",
                end="",
            )
            print(
                f" p50 {result['p50']:.1f} ms, p99 {result['p99']:.1f} ms (at most 50), worst {result['worst']:.0f} ms"
            )
        expected = list(range(50_000 // DEVICES))
        rows = [sorted(server.in_history(each)) for each, _ in devices]
        lost = sum(len(set(expected) - set(each)) for each in rows)
        print(f"  history: {lost} lost, {sum(len(each) - len(set(each)) for each in rows)} twice")


def _rows() -> dict[str, Callable[[], None]]:
    from benchmarks import mqtt_fleet, mqtt_platform

    return {
        "connect": connect,
        "report": report,
        "durable": durable,
        "memory": connect,
        "rate": rate,
        "push": mqtt_platform.push,
        "command": mqtt_platform.command,
        "idle": mqtt_platform.idle,
        "halfopen": mqtt_platform.half_open,
        "storm": mqtt_fleet.storm,
        "simulator": mqtt_fleet.simulator,
    }


def allow_files() -> None:
    """Let this process and its children open as many files as the system permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(*names: str) -> None:
    """Run the rows with these names; without names, run all. A row that fails does not keep the others from running."""
    allow_files()
    rows = _rows()
    unknown = sorted(set(names) - set(rows))
    if unknown:
        sys.exit(f"no such row: {unknown[0]}; there are {', '.join(rows)}")
    chosen = names or [name for name in rows if name != "memory"]  # connect measures it
    failed = []
    for name in chosen:
        work = rows[name]
        print(f"{name}: {(work.__doc__ or '').splitlines()[0]} (load {os.getloadavg()[0]:.1f})", flush=True)
        started = time.monotonic()
        try:
            work()
        except Exception:  # noqa: BLE001 - whatever it is, the other rows can be measured
            failed.append(name)
            print(traceback.format_exc(), flush=True)
        print(f"  ({time.monotonic() - started:.0f} s)", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
