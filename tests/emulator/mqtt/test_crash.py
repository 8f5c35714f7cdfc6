"""kill -9 while devices report: every acknowledged report is in the history."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator import Emulator
from tests.emulator.conftest import Wire

from . import wire as w
from .asking import history
from .wire import ACCEPTED, Device, Peer, acknowledged, register

DEVICES = 4
ACKNOWLEDGED = 40
"""How many reports of each device are acknowledged before the kill."""


class PeerElsewhere(Peer):
    """A connection to an emulator in another process."""

    def __init__(self, port: int, ca: str) -> None:
        context = ssl.create_default_context(cafile=ca)
        raw = socket.create_connection(("localhost", port), timeout=30)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self._data = b""


def report_until_the_end(device: Device, facts: dict[str, Any], kept: list[int], enough: threading.Event) -> None:
    peer = PeerElsewhere(int(facts["mqtt"].rpartition(":")[2]), facts["deviceCa"])
    assert peer.ask(device.connect()) == ACCEPTED
    try:
        for value in range(1, 10_000):
            peer.send(device.report(value, w.entry(value)))
            if peer.recv() != acknowledged(value):
                break
            kept.append(value)
            if len(kept) == ACKNOWLEDGED:
                enough.set()
    except OSError:
        pass
    peer.close()


def test_every_acknowledged_report_survives_a_kill(tmp_path: Path) -> None:
    folders = ["--home", str(tmp_path / "home"), "--data-dir", str(tmp_path / "data")]
    with Emulator(folder=tmp_path / "home", data_dir=tmp_path / "data") as first:
        devices = [register(Wire(first).login(), f"gw-{number}") for number in range(DEVICES)]
    process = subprocess.Popen(
        [sys.executable, "-m", "iot_northbound", "emulator", "--port", "0", "--no-control", "--json", *folders],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process:
        facts = json.loads(process.stdout.readline())
        kept: list[list[int]] = [[] for _ in devices]
        enough = [threading.Event() for _ in devices]
        work = list(zip(devices, kept, enough, strict=True))
        threads = [
            threading.Thread(target=report_until_the_end, args=(one, facts, own, done)) for one, own, done in work
        ]
        for thread in threads:
            thread.start()
        assert all(each.wait(60) for each in enough)
        process.kill()
        for thread in threads:
            thread.join()
    with Emulator(folder=tmp_path / "home", data_dir=tmp_path / "data") as again:
        wire = Wire(again).login()
        for device, acknowledged_ones in zip(devices, kept, strict=True):
            values = {row["data"]["signalStrength"] for row in pages(wire, device)}
            assert set(acknowledged_ones) <= values
            _, answer = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device.device_id}")
            assert answer["deviceInfo"]["status"] == "OFFLINE"


def pages(wire: Wire, device: Device) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while more := history(wire, device, len(found) // 250):
        found += more
        if len(more) < 250:
            break
    return found


@pytest.fixture
def durable(home_folder: Path, tmp_path: Path) -> Any:
    with Emulator(folder=home_folder, mqtt_port=0, data_dir=tmp_path) as emulator:
        yield emulator


def test_with_a_data_directory_devices_are_answered_in_order(durable: Emulator) -> None:
    device = register(Wire(durable).login())
    with Peer(durable) as peer:
        peer.send(device.connect(), *(device.report(number) for number in range(1, 101)), w.PINGREQ)
        assert peer.recv() == ACCEPTED
        assert [peer.recv() for _ in range(101)] == [*map(acknowledged, range(1, 101)), w.PINGRESP]


def test_a_disk_that_fails_ends_all_sessions_and_acknowledges_nothing(
    durable: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(durable).login()
    device, other = register(wire), register(wire, "gw-2")
    with Peer(durable) as peer, Peer(durable) as bystander:
        assert peer.ask(device.connect()) == ACCEPTED
        assert bystander.ask(other.connect()) == ACCEPTED

        def fail(_: Any) -> None:
            raise OSError("no space left on device")

        assert durable._runtime is not None
        monkeypatch.setattr(durable._runtime.durable, "_commit", fail)
        assert peer.ask(device.report(1)) == b""
        assert bystander.recv() == b""
