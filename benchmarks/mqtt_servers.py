"""The two servers that take turns in benchmarks.mqtt: mosquitto, which keeps nothing, and the whole emulator."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any, Self

from benchmarks.platform_process import Platform

REGISTER = "/iocm/app/reg/v2.0.0/deviceCredentials"
HISTORY = "/iocm/app/data/v1.2.0/deviceDataHistory"
MODEL = "water-meter-nb"


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Mosquitto:
    """A broker with a TLS listener, anonymous and without persistence."""

    name = "mosquitto"

    def __init__(self, home: Path, port: int = 0) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise SystemExit("this benchmark needs mosquitto: apt-get install mosquitto")
        self.port, self.ca = port or free_port(), str(home / "ca.pem")
        lines = (
            "user root",
            "allow_anonymous true",
            "persistence false",
            "log_dest none",
            "max_inflight_messages 0",
            f"listener {self.port} 127.0.0.1",
            f"certfile {home / 'server.pem'}",
            f"keyfile {home / 'server.key'}",
        )
        (home / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen([program, "-c", str(home / "mosquitto.conf")], stderr=subprocess.DEVNULL)
        wait_for(self.port)

    @property
    def pid(self) -> int:
        """The process to measure."""
        return self.process.pid

    def devices(self, count: int) -> list[tuple[str, str]]:
        """Return ids and secrets; it takes any."""
        return [(f"device-{number:06d}", "secret") for number in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


class Emulated(Platform):
    """The emulator, started as a user starts it."""

    name = "emulator"

    def __init__(self, home: Path, *options: str) -> None:
        super().__init__(home, *options)
        self.options = options
        devices = tomllib.loads((home / "profile.toml").read_text())["devices"]
        self.mqtt_port, self.ca = int(devices["mqtt_port"]), str(home / "ca.pem")
        self._port_of_api = self.port

    @property
    def pid(self) -> int:
        """The process to measure."""
        return self.process.pid

    def devices(self, count: int) -> list[tuple[str, str]]:
        """Register so many devices; return their ids and secrets."""
        found = []
        for number in range(count):
            body = {"deviceInfo": {"nodeId": f"bench-{number:06d}"}, "productId": MODEL, "mqttConnect": True}
            made = self.call("POST", REGISTER, body)
            found.append((made["deviceId"], made["secret"]))
        return found

    def in_history(self, device_id: str) -> list[int]:
        """Return the numbers that a device has reported, as its history has them."""
        numbers: list[int] = []
        while True:
            page = len(numbers) // 250
            query = f"deviceId={device_id}&gatewayId={device_id}&pageNo={page}&pageSize=250"
            rows = self.call("GET", f"{HISTORY}?{query}")["deviceDataHistoryDTOs"]
            numbers += [row["data"]["totalVolume"] for row in rows]
            if len(rows) < 250:
                return numbers


def mqtt_port_of(server: Mosquitto | Emulated) -> int:
    """Return where a server's MQTT is."""
    return server.mqtt_port if isinstance(server, Emulated) else server.port


def wait_for(port: int) -> None:
    """Return when somebody listens there."""
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def measured(server: Any, work: Any) -> tuple[Any, float]:
    """Return what the work returns, and the CPU seconds that the server used meanwhile."""
    before = cpu_of(server.pid)
    result = work()
    return result, cpu_of(server.pid) - before
