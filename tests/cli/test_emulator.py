from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.cli import main


def spawn(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "iot_northbound", "emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = spawn("--port", "0", "--control-port", "0", "--json", *arguments)
    assert process.stdout is not None
    with process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_it_prints_where_everything_is_and_that_it_is_ready(tmp_path: Path) -> None:
    process = spawn("--port", "0", "--control-port", "0", "--home", str(tmp_path))
    assert process.stdout is not None
    with process:
        told = []
        while (line := process.stdout.readline().strip()) and line != "ready":
            told.append(line)
        assert line == "ready"
        process.send_signal(signal.SIGTERM)
        _, end = process.communicate(timeout=60)
    assert (process.returncode, end) == (0, "stopped; the state was in memory and is lost\n")
    text = "\n".join(told)
    for part in ("https://127.0.0.1:", str(tmp_path / "profile.toml"), str(tmp_path / "client.p12"), "in memory"):
        assert part in text


def test_it_tells_the_ports_for_devices_and_writes_them_into_the_profile(tmp_path: Path) -> None:
    with running("--home", str(tmp_path), "--hub-port", "0") as (_, facts):
        table = tomllib.loads((tmp_path / "profile.toml").read_text())["devices"]
    assert facts["mqtt"] == f"mqtts://127.0.0.1:{table['mqtt_port']}"
    assert facts["agentlite"] == f"https://127.0.0.1:{table['agentlite_port']}"
    assert facts["hub"] == f"https://127.0.0.1:{table['hub_port']}"
    assert facts["deviceCa"] == str(tmp_path / table["ca_path"])


def test_the_ports_for_devices_may_be_closed(tmp_path: Path) -> None:
    with running("--home", str(tmp_path), "--no-mqtt") as (_, facts):
        assert (facts["mqtt"], facts["hub"]) == (None, None)


def test_a_codec_that_does_not_exist_is_an_error_in_words(tmp_path: Path) -> None:
    with spawn("--port", "0", "--home", str(tmp_path), "--codec", "meter=no_such_module:Codec") as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told.startswith("iot-northbound: the codec 'no_such_module:Codec' cannot be loaded: ")
    assert "Traceback" not in told


@pytest.mark.parametrize("strict", [False, True])
def test_strict_checking_of_certificates_is_an_option(monkeypatch: pytest.MonkeyPatch, strict: bool) -> None:
    given: dict[str, Any] = {}

    class Recorded:
        def __init__(self, *_: Any, **options: Any) -> None:
            given.update(options)

        def serve_forever(self, _: Any) -> None:
            """Be done at once."""

    monkeypatch.setattr("iot_northbound.emulator.server.Emulator", Recorded)
    assert main(["emulator", *["--strict-x509"] * strict]) == 0
    assert given["strict_x509"] is strict


def test_the_garbage_collector_seldom_makes_devices_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    before, meanwhile = gc.get_threshold(), []

    class Recorded:
        def __init__(self, *_: Any, **__: Any) -> None:
            """Take any options."""

        def serve_forever(self, _: Any) -> None:
            meanwhile.append((gc.get_threshold(), gc.get_freeze_count()))

    monkeypatch.setattr("iot_northbound.emulator.server.Emulator", Recorded)
    assert main(["emulator"]) == 0
    [((young, middle, full), frozen)] = meanwhile
    assert (young, middle) == before[:2]
    assert full > before[2]
    assert frozen > 10_000  # all modules
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_the_secret_is_printed_when_it_is_new_and_never_again(tmp_path: Path) -> None:
    with running("--home", str(tmp_path)) as (_, first):
        assert first["secret"]
    with running("--home", str(tmp_path)) as (_, second):
        assert second["secret"] is None
        assert second["appId"] == first["appId"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with running("--home", str(tmp_path)) as (process, _):
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert json.loads(errors) == {"event": "stopped"}


def test_a_taken_port_is_said_at_once_with_status_1(tmp_path: Path) -> None:
    with running("--home", str(tmp_path)) as (_, facts):
        port = facts["url"].rpartition(":")[2]
        with spawn("--port", port, "--home", str(tmp_path)) as other:
            _, errors = other.communicate(timeout=60)
    assert other.returncode == 1
    assert port in errors
    assert "another program listens there" in errors
    assert "Traceback" not in errors


def test_a_second_one_on_a_free_port_takes_a_free_control_port_too(tmp_path: Path) -> None:
    spawned = [spawn("--port", "0", "--json", "--home", str(tmp_path / name)) for name in "ab"]
    with spawned[0], spawned[1]:
        try:
            facts = [json.loads(each.stdout.readline()) for each in spawned if each.stdout]
        finally:
            for each in spawned:
                each.kill()
    assert facts[0]["control"] != facts[1]["control"]


def test_without_a_home_it_keeps_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(tmp_path))
    with running() as (_, facts):
        assert facts["profile"] == str(tmp_path / "profile.toml")


def test_its_last_line_says_what_is_left(tmp_path: Path) -> None:
    with spawn("--port", "0", "--control-port", "0", "--home", str(tmp_path), "--data-dir", str(tmp_path / "d")) as one:
        assert one.stdout is not None
        assert any(line == "ready\n" for line in one.stdout)
        one.send_signal(signal.SIGINT)
        _, errors = one.communicate(timeout=60)
    assert (one.returncode, errors) == (0, f"stopped; the state is kept in {tmp_path / 'd'}\n")


def test_a_used_data_directory_is_said_at_once_with_status_1(tmp_path: Path) -> None:
    arguments = ("--home", str(tmp_path), "--data-dir", str(tmp_path / "data"))
    with running(*arguments), spawn("--port", "0", "--control-port", "0", *arguments) as other:
        _, errors = other.communicate(timeout=60)
    assert other.returncode == 1
    assert "in use by another emulator" in errors


@pytest.mark.parametrize(
    "arguments", [["--port", "70000"], ["--port", "x"], ["--token-lifetime", "0"], ["--flow-control", "-1"]]
)
def test_bad_arguments_are_refused_by_name(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err
