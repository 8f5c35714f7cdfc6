from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from iot_northbound import NorthApiClient
from iot_northbound.cli import main
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile

PRODUCT = "water-meter-nb"


class Ran(NamedTuple):
    """What a command has left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as one JSON value."""
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Its output as lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("home")) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An empty platform, which commands find by themselves."""
    running.control.reset()
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(running.home.folder))
    return running


@pytest.fixture
def run(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command through the entry point."""

    def run_it(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return Ran(status, out, err)

    return run_it


@pytest.fixture
def client(emulator: Emulator) -> Iterator[NorthApiClient]:
    """A client of the same application: its token replaces that of no command, because each command logs in."""
    with NorthApiClient(*load_profile(emulator.profile_path)) as client:
        yield client


@pytest.fixture
def device(emulator: Emulator, run: Run) -> str:
    """A device that is online."""
    return registered(emulator, run, "860000000000001")


def registered(emulator: Emulator, run: Run, node_id: str) -> str:
    made = run("devices", "register", "--node-id", node_id, "--product-id", PRODUCT, "--timeout", "0", "-o", "json")
    assert made.status == 0, made.err
    device_id = str(made.json["deviceId"])
    emulator.control.set_online(device_id)
    return device_id


def file_with(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)
