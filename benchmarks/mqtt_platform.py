"""Rows of benchmarks.mqtt: pushes of reports, commands, many idle connections, peers that never finish."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.emulator_pushes import MEASURED_EVERY
from benchmarks.load import Spans
from benchmarks.mqtt_load import Load
from benchmarks.mqtt_servers import Emulated, cpu_of, memory_of
from benchmarks.platform_process import DEVICES as DEVICES_PATH
from benchmarks.push_receiver import PushReceiver

DEVICES = 1_000
IDLE = 10_000


def _percent(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def push() -> None:
    """1,000 reports per second, each pushed to an HTTPS receiver; then 1,500; then 10,000 in 4 s."""
    from benchmarks.mqtt import homes

    with homes() as home:
        for rate, seconds, name in ((1_000, 20, "1,000/s"), (1_500, 20, "1,500/s"), (2_500, 4, "burst")):
            with Emulated(home) as server:
                _push(server, home, rate, seconds, name)


def _push(server: Emulated, home: Path, rate: int, seconds: int, name: str) -> None:
    devices = server.devices(DEVICES)
    receiver = PushReceiver(home)
    try:
        subscription = {"notifyType": "deviceDataChanged", "callbackUrl": f"https://localhost:{receiver.port}/in"}
        server.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", subscription)
        message = server.message("GET", f"{DEVICES_PATH}/{devices[0][0]}")
        with Load(server.mqtt_port, server.ca, devices) as load:
            load.do("connect", count=DEVICES)
            idle = server.load([message], seconds=3, pause=MEASURED_EVERY)
            busy: list[Spans] = []

            def watch() -> None:
                with contextlib.suppress(RuntimeError):  # no call was answered in that time
                    busy.append(server.load([message], seconds=seconds - 1, pause=MEASURED_EVERY))

            watcher = threading.Thread(target=watch)
            watcher.start()
            result = load.do("paced", rate=rate, seconds=seconds)
            late = receiver.wait_for(rate * seconds, 60)
            watcher.join()
            moments = load.do("moments")
        arrivals = receiver.ask("which")
        spans = [at - moments[device][number] for device, number, at in arrivals]
        api = f"x{busy[0].p50 / idle.p50:.2f} of idle" if busy else "without one answer"
        unique = len({(device, number) for device, number, _ in arrivals})
        print(
            f"  {name}: {result['acknowledged']:,} acknowledged (p99 {result['p99']:.0f} ms), "
            f"{rate * seconds - unique} lost, {len(arrivals) - unique} doubled; report to push p50 "
            f"{_percent(spans, 50) * 1e3:.0f} ms, p99 {_percent(spans, 99) * 1e3:.0f} ms; last push {late:.1f} s after "
            f"the last PUBACK; API p50 {api}"
        )
    finally:
        receiver.close()


def command() -> None:
    """From sendCommand to PUBLISH at the device, among 1,000 idle devices; and 300 round trips per second."""
    from benchmarks.mqtt import homes

    with homes() as home, Emulated(home) as server:
        devices = server.devices(DEVICES)
        with Load(server.mqtt_port, server.ca, devices) as load:
            load.do("connect", count=DEVICES)
            load.do("arrivals")
            sent: dict[str, float] = {}
            for device, _ in devices[:500]:
                sent[device] = time.monotonic()
                _send(server, device)
                time.sleep(0.002)
            time.sleep(0.5)
            found = load.do("arrivals")["arrivals"]
            spans = [at - sent[device] for device, at in found]
            print(
                f"  {len(spans)} of 500 arrived, p50 {_percent(spans, 50) * 1e3:.1f} ms, "
                f"p99 {_percent(spans, 99) * 1e3:.1f} ms (at most 20)"
            )
            started = time.monotonic()
            for number in range(1_500):
                pause = started + number / 300 - time.monotonic()
                if pause > 0:
                    time.sleep(pause)
                _send(server, devices[number % DEVICES][0])
            taken = time.monotonic() - started
            time.sleep(0.5)
            found = load.do("arrivals")["arrivals"]
            print(f"  {len(found):,} of 1,500 answered by their devices, sent at {1_500 / taken:.0f}/s (300 wanted)")


def _send(server: Emulated, device: str) -> None:
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device}/services/WaterMeter/sendCommand"
    server.call("POST", path, {"header": {"mode": "NOACK", "method": "SET_VALVE"}, "body": {"state": "OPEN"}})


def idle() -> None:
    """10,000 connections that do nothing: memory and CPU."""
    from benchmarks.mqtt import homes

    with homes() as home, Emulated(home) as server:
        devices = server.devices(IDLE)
        before = memory_of(server.pid)
        with Load(server.mqtt_port, server.ca, devices) as load:
            seconds = load.do("connect", count=IDLE)["seconds"]
            time.sleep(2)
            grown, used = memory_of(server.pid) - before, cpu_of(server.pid)
            time.sleep(20)
            share = (cpu_of(server.pid) - used) / 20
        print(
            f"  connected after {seconds:.0f} s; {grown / 2**20:.0f} MiB above the start (at most 400); "
            f"{share:.1%} of a core (at most 5 %)"
        )


def half_open() -> None:
    """200 peers that never finish their handshake or their CONNECT: what others notice, and when they are gone."""
    from benchmarks.mqtt import homes

    with homes() as home, Emulated(home) as server:
        devices = server.devices(DEVICES)
        context = ssl.create_default_context(cafile=server.ca)
        with Load(server.mqtt_port, server.ca, devices) as load:
            load.do("connect", count=DEVICES)
            quiet = load.do("paced", rate=500, seconds=6)
            with ThreadPoolExecutor(20) as pool:
                peers = list(pool.map(lambda number: _peer(server.mqtt_port, context, number), range(200)))
            started = time.monotonic()
            meanwhile = load.do("paced", rate=500, seconds=6)
            gone = 0
            for peer in peers:
                peer.settimeout(max(started + 30 - time.monotonic(), 0.01))
                try:
                    gone += not peer.recv(1)
                except TimeoutError:
                    pass
                except OSError:
                    gone += 1
            print(
                f"  p99 {quiet['p99']:.1f} ms without, {meanwhile['p99']:.1f} ms with them: "
                f"x{meanwhile['p99'] / quiet['p99']:.2f} (at most 2); {gone} of 200 gone after "
                f"{time.monotonic() - started:.0f} s"
            )
            for peer in peers:
                peer.close()


def _peer(port: int, context: ssl.SSLContext, number: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port))
    if number % 2:
        return peer  # no ClientHello
    secure = context.wrap_socket(peer, server_hostname="localhost")
    secure.sendall(b"\x10\x6d\x00\x04MQ")
    return secure
