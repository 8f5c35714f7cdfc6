"""The emulator: start, throughput over mutual TLS with 100,000 devices, cost of a page, memory, pushes; moto's start.

`python -m benchmarks.emulator [DEVICES]`. The emulator and the load run as processes of their own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from iot_northbound.serving import GuardedServer

SECONDS = 3.0
REPORTS = 10_000


class Platform:
    """An emulator in a process of its own, with its control plane and raw connections to it."""

    def __init__(self, home: Path, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "iot_northbound.cli",
            "emulator",
            "--port",
            "0",
            "--control-port",
            "0",
            "--json",
        ]
        self.process = subprocess.Popen([*command, "--home", str(home), *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        facts = json.loads(self.process.stdout.readline())
        self.port = int(facts["url"].rpartition(":")[2])
        self.context = ssl.create_default_context(cafile=str(home / "ca.pem"))
        self.context.load_cert_chain(home / "client.pem", home / "client.key")
        self._control = http.client.HTTPConnection(facts["control"].removeprefix("http://"))
        profile = tomllib.loads((home / "profile.toml").read_text())["default"]
        self.app_id = profile["app_id"]
        form = urlencode({"appId": self.app_id, "secret": profile["secret"]})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection = self.connection()
        connection.request("POST", "/iocm/app/sec/v1.1.0/login", form, kind)
        token = json.loads(connection.getresponse().read())["accessToken"]
        self.headers = {"app_key": self.app_id, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", self.port, context=self.context)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        connection = self.connection()
        connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
        content = connection.getresponse().read()
        connection.close()
        return json.loads(content) if content else None

    def control(self, method: str, path: str, body: Any = None) -> Any:
        self._control.request(method, path, json.dumps(body) if body is not None else None)
        content = self._control.getresponse().read()
        return json.loads(content) if content else None

    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def load(
        self, path: str, connections: int, seconds: float = SECONDS, pause: float = 0.0, put: str = ""
    ) -> list[float]:
        """Call as fast as the answers come, or every `pause` seconds; return the sorted seconds of all calls."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head += f"content-length: {len(put)}\r\n" if put else ""
        message = f"{'PUT' if put else 'GET'} {path} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{put}".encode()
        spans: list[float] = []

        def work() -> None:
            raw = socket.create_connection(("127.0.0.1", self.port))
            with self.context.wrap_socket(raw, server_hostname="localhost") as peer:
                end = time.perf_counter() + seconds
                while (started := time.perf_counter()) < end:
                    peer.sendall(message)
                    answer = peer.recv(65_536)
                    while b"\r\n\r\n" not in answer:
                        answer += peer.recv(65_536)
                    head, _, body = answer.partition(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 20"), answer[:300]
                    told_length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    length = int(told_length or 0)
                    while len(body) < length:
                        body += peer.recv(65_536)
                    spans.append(time.perf_counter() - started)
                    if pause:
                        time.sleep(pause)

        threads = [threading.Thread(target=work) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(spans)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def told(spans: list[float]) -> str:
    return f"p50 {spans[len(spans) // 2] * 1e3:.2f} ms, p99 {spans[len(spans) * 99 // 100] * 1e3:.2f} ms"


def starting(home: Path) -> None:
    """In process and as a command, to the first answered call; moto's server beside them."""
    code = (
        "import sys, time, http.client, ssl, pathlib\n"
        "from iot_northbound.emulator.server import Emulator\n"
        "started = time.perf_counter()\n"
        "with Emulator(folder=sys.argv[1]) as one:\n"
        "    context = ssl.create_default_context(cafile=str(one.home.ca))\n"
        "    context.load_cert_chain(one.home.folder / 'client.pem', one.home.folder / 'client.key')\n"
        "    connection = http.client.HTTPSConnection('localhost', one.address[1], context=context)\n"
        "    connection.request('GET', '/')\n"
        "    connection.getresponse().read()\n"
        "    print(time.perf_counter() - started)\n"
    )
    spans = [
        float(subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    print(f"start to first answered call, in process: {sorted(spans)[1] * 1e3:.0f} ms")
    as_command = []
    for _ in range(3):
        started = time.perf_counter()
        platform = Platform(home)
        as_command.append(time.perf_counter() - started)
        platform.close()
    print(f"start to first answered call, as a command: {sorted(as_command)[1]:.2f} s")
    with contextlib.suppress(ImportError):
        import flask_cors  # noqa: F401 - without it there is moto, but not its server
        import moto  # noqa: F401

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        started = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while server.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            with contextlib.suppress(OSError):
                connection.request("GET", "/moto-api/")
                connection.getresponse().read()
                break
            time.sleep(0.01)
        print(f"moto's server, to its first answered call: {time.perf_counter() - started:.2f} s")
        server.terminate()
        server.wait()


def throughput(home: Path, devices: int) -> None:
    """Calls a second, a page's cost at a hundredth of the devices and at all of them, memory a device."""
    platform = Platform(home)
    page = "/iocm/app/dm/v1.4.0/devices?pageNo=3&pageSize=10"
    platform.control("POST", "/seed", {"count": devices // 100, "prefix": "first"})
    few = platform.load(page, 1)
    before = platform.memory()
    platform.control("POST", "/seed", {"count": devices, "prefix": "more"})
    print(f"memory a device: {(platform.memory() - before) / devices / 1024:.1f} KiB")
    many = platform.load(page, 1)
    print(f"a page of ten among {devices // 100:,} devices: {told(few)}; among {devices * 101 // 100:,}: {told(many)}")
    device = platform.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=1")["devices"][0]["deviceId"]
    for name, path in (
        ("one device", f"/iocm/app/dm/v1.4.0/devices/{device}"),
        ("activation status", f"/iocm/app/reg/v1.1.0/deviceCredentials/{device}"),
        ("a page of ten", page),
    ):
        for connections in (1, 8):
            spans = platform.load(path, connections)
            print(f"{name}, {connections} connections: {len(spans) / SECONDS:,.0f} calls/s, {told(spans)}")
    platform.close()


def writing(home: Path) -> None:
    """Changes a second in memory, and with every one of them synced to disk before its answer."""
    for name, options in (("in memory", ()), ("durable", ("--data-dir", str(home / "data")))):
        platform = Platform(home, *options)
        platform.control("POST", "/seed", {"count": 1_000})
        page = platform.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=1")
        path = f"/iocm/app/dm/v1.4.0/devices/{page['devices'][0]['deviceId']}"
        for connections in (1, 16):
            spans = platform.load(path, connections, put='{"name": "other"}')
            print(f"changing a device, {name}, {connections} connections: {len(spans) / SECONDS:,.0f}/s, {told(spans)}")
        platform.close()


class _Receiver:
    def __init__(self) -> None:
        self.count = 0
        self.all = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await receive()
            self.count += 1
            if self.count >= REPORTS:
                self.all.set()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})


@contextlib.contextmanager
def _reporting(platform: Platform, devices: list[str]) -> Iterator[None]:
    def report() -> None:
        for number in range(REPORTS):
            body = {"service_id": "WaterMeter", "data": {"totalVolume": number / 10}}
            platform.control("POST", f"/devices/{devices[number % len(devices)]}/reports", body)

    thread = threading.Thread(target=report)
    thread.start()
    yield
    thread.join()


def pushing(home: Path) -> None:
    """10,000 reports to one receiver, and what API calls cost meanwhile."""
    platform, receiver = Platform(home), _Receiver()
    with GuardedServer(receiver) as server:
        platform.control("POST", "/seed", {"count": 250})
        page = platform.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=250")
        devices = [device["deviceId"] for device in page["devices"]]
        url = f"http://localhost:{server.port}/"
        subscription = {"notifyType": "deviceDataChanged", "callbackUrl": url}
        platform.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", subscription)
        path = f"/iocm/app/dm/v1.4.0/devices/{devices[0]}"
        idle = platform.load(path, 1, pause=0.005)
        started = time.perf_counter()
        with _reporting(platform, devices):
            busy = platform.load(path, 1, pause=0.005)
        arrived = receiver.all.wait(60)
        span = time.perf_counter() - started
        print(
            f"{receiver.count:,} of {REPORTS:,} pushes in {span:.1f} s ({receiver.count / span:,.0f}/s), all: {arrived}"
        )
        print(f"an API call idle: {told(idle)}; while pushing: {told(busy)}")
    platform.close()


def main(devices: int = 100_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        Platform(home).close()  # makes the certificates
        starting(home)
        throughput(home, devices)
        writing(home)
        pushing(home)


if __name__ == "__main__":
    main(*[int(argument) for argument in sys.argv[1:]])
