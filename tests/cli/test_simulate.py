import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.cli import main
from iot_northbound.cli import simulate as simulate_module
from iot_northbound.client import NorthApiClient
from iot_northbound.device.fleet import FleetCounts
from iot_northbound.device.simulate import Simulation
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile
from tests.certs import Authority
from tests.clock import eventually

MODEL = "water-meter-nb"


@pytest.fixture(scope="module", autouse=True)
def patient() -> Iterator[None]:
    """The seconds of a run begin when each device is connected or refused, however slow the machine is."""
    show = simulate_module._show

    def later(simulation: Simulation, *rest: Any) -> FleetCounts:
        def has_begun() -> bool:
            counts = simulation.fleet.counts()
            came = counts.connects - counts.reconnects
            told = came + sum(counts.refused.values()) >= counts.devices and (counts.acknowledged or not came)
            return bool(told or counts.failures)

        eventually(has_begun)
        return show(simulation, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate_module, "_show", later)
        yield


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(mqtt_port=0, folder=tmp_path_factory.mktemp("platform")) as platform:
        yield platform


@pytest.fixture(scope="module")
def credentials(platform: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the CSV file of five registered devices."""
    file = tmp_path_factory.mktemp("devices") / "devices.csv"
    profile = str(platform.profile_path)
    options = ["--model", MODEL, "--devices", "5", "--interval", "0.05", "--seconds", "0.1"]
    assert main(["simulate", "--profile", profile, "--register", "--credentials", str(file), *options]) == 0
    return file


def simulate(platform: Emulator, credentials: Path, *options: str) -> int:
    given = ("--profile", str(platform.profile_path), "--credentials", str(credentials))
    return main(["simulate", *given, "--interval", "0.05", "--seconds", "0.3", *options])


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in text.splitlines()]


def test_registered_devices_report_and_the_platform_has_every_report(
    platform: Emulator, credentials: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(credentials.read_text().splitlines()) == 6
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert simulate(platform, credentials, "--model", MODEL) == 0
    *_, summary = events(capsys.readouterr().out)
    assert (summary["event"], summary["complete"], summary["devices"]) == ("summary", True, 5)
    assert summary["reports"] == summary["acknowledged"] > 0


def test_a_device_with_a_wrong_secret_makes_the_run_fail(
    platform: Emulator, credentials: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, first, *_ = credentials.read_text().splitlines()
    (tmp_path / "c.csv").write_text(f"{head}\n{first}x\n")
    assert simulate(platform, tmp_path / "c.csv", "--model", MODEL) == 1
    shown = capsys.readouterr()
    *_, summary = events(shown.out)
    assert (summary["refused"], summary["complete"]) == ({"4": 1}, False)
    assert first.split(",")[1] not in shown.out + shown.err


def test_a_scenario_says_what_is_reported(platform: Emulator, credentials: Path, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("devices = 1\n[services.Battery]\nbatteryLevel = 41\n")
    assert simulate(platform, credentials, "--scenario", str(tmp_path / "s.toml")) == 0
    device = credentials.read_text().splitlines()[1].split(",")[0]
    with NorthApiClient(*load_profile(platform.profile_path)) as client:
        services = client.data_collection.query_single_device_info(device).services or ()
    assert [each.data["batteryLevel"] for each in services if each.service_id == "Battery" and each.data] == [41]


def test_names_that_the_model_does_not_have_are_told_at_once(
    platform: Emulator, credentials: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text("[services.Battery]\nbatterylevel = 41\n[services.WaterMetre]\nleak = false\n")
    assert simulate(platform, credentials, "--model", MODEL, "--scenario", str(tmp_path / "s.toml")) == 0
    told = capsys.readouterr().err
    assert "service Battery has no property batterylevel; did you mean batteryLevel" in told
    assert "has no service WaterMetre; did you mean WaterMeter?" in told


def test_ctrl_c_ends_the_run_with_its_summary(platform: Emulator, credentials: Path) -> None:
    command = [sys.executable, "-m", "iot_northbound", "simulate", "--profile", str(platform.profile_path)]
    with subprocess.Popen(
        [*command, "--credentials", str(credentials), "--model", MODEL, "--interval", "0.05"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while (first := json.loads(process.stdout.readline()))["connected"] < 5:
            pass
        process.send_signal(signal.SIGINT)
        *_, summary = events(process.stdout.read())
        assert process.wait(30) == 0
    assert (first["event"], summary["event"], summary["complete"]) == ("status", "summary", True)


def on_a_terminal(platform: Emulator, credentials: Path, until: bytes, *more: str) -> tuple[bytes, int]:
    """Return what a run shows on a terminal, and its exit status. It is ended once it shows a text."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "iot_northbound", "simulate", "--profile", str(platform.profile_path)]
    options = ["--credentials", str(credentials), "--model", MODEL, "--interval", "0.05"]
    with subprocess.Popen([*command, *options, *more], stdout=theirs) as process:
        os.close(theirs)
        shown, is_told = b"", False
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:
                break
            if until in shown and not is_told:
                is_told = True
                process.send_signal(signal.SIGINT)
        status = process.wait(30)
    os.close(ours)
    return shown, status


def test_a_terminal_shows_one_line_that_changes(platform: Emulator, credentials: Path) -> None:
    shown, status = on_a_terminal(platform, credentials, b"\r5/5 connected")
    assert status == 0
    assert b"none of them lost" in shown


def test_a_terminal_shows_why_no_device_connects(platform: Emulator, credentials: Path) -> None:
    shown, status = on_a_terminal(platform, credentials, b"cannot connect", "--mqtt-port", "1")
    assert status == 1
    assert shown.count(b"cannot connect: 127.0.0.1:1") == 1
    assert b"5 of 5 devices never connected" in shown


def test_a_ca_that_does_not_fit_is_named_by_its_option(
    platform: Emulator, credentials: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, _ = Authority("another").write(tmp_path, "other")
    assert simulate(platform, credentials, "--model", MODEL, "--device-ca", str(other)) == 1
    *_, summary = events(capsys.readouterr().out)
    (reason,) = summary["failures"]
    assert "Check --device-ca: it must contain the CA" in reason
    assert simulate(platform, credentials, "--model", MODEL, "--device-ca", str(tmp_path / "none.pem")) == 3
    assert "--device-ca '" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "--credentials FILE, or --register"),
        (["--credentials", "c.csv", "--mqtt-host", "iot.example.com"], "give --yes"),
        (["--credentials", "c.csv", "--mqtt-host", "127.0.0.2.example.com"], "give --yes"),
        (["--credentials", "c.csv", "--answer", "perhaps"], "is no answer"),
        (["--credentials", "c.csv", "--ramp", "0"], "above 0"),
        (["--credentials", "c.csv", "--devices", "0"], "whole number"),
        (["--credentials", "c.csv", "--interval", "-1"], "number of seconds"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *options]) == 2
    assert says in capsys.readouterr().err


def test_more_devices_than_credentials_are_refused(
    platform: Emulator, credentials: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(platform, credentials, "--model", MODEL, "--devices", "6") == 3
    assert "there are credentials for 5" in capsys.readouterr().err


def test_an_unknown_model_is_refused_with_those_there_are(
    platform: Emulator, credentials: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(platform, credentials, "--model", "water-metre-nb") == 3
    assert "did you mean water-meter-nb" in capsys.readouterr().err
