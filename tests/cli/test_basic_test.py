import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.basic_test import STEPS
from iot_northbound.cli import main
from iot_northbound.emulator import Emulator

MODIFY = "PUT /iocm/app/dm/v1.4.0/devices/{deviceId}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def emulator(platform: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Emulator:
    platform.control.reset()
    for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(tmp_path / "no-emulator"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # no terminal to ask for a secret
    return platform


def devices(emulator: Emulator) -> int:
    return int(emulator.control.health()["rows"].get("devices", 0))


def by_address(emulator: Emulator, folder: Path) -> list[str]:
    """Return the arguments that name the emulator without its profile."""
    password = (emulator.home.folder / "client.p12.password").read_text() + "\n"
    (folder / "password").write_text(password, encoding="utf-8-sig")  # as some editors write it
    return [
        *("--platform-ip", "127.0.0.1", "--platform-port", str(emulator.address[1]), "--app-id", emulator.app_id),
        *("--cert", str(emulator.home.client_p12), "--cert-password-file", str(folder / "password")),
        *("--ca", str(emulator.home.ca)),
    ]


def test_a_profile_is_enough(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["basic-test", "--profile", str(emulator.profile_path)]) == 0
    told = capsys.readouterr()
    *lines, last = told.out.splitlines()
    assert [line[:3] for line in lines] == ["[Y]"] * len(STEPS)
    assert last == f"{emulator.base_url}: 8 of 8 steps passed"
    assert told.err == ""


def test_a_profile_may_have_many_tables(emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in emulator.home.folder.iterdir():
        shutil.copy(file, tmp_path)
    profile = tmp_path / "profile.toml"
    profile.write_text(profile.read_text().replace("[default]", "[city]"))
    profile.chmod(0o600)
    assert main(["basic-test", "--profile", f"{profile}:city"]) == 0
    assert main(["basic-test", "--profile", str(profile)]) == 3
    assert "[default]" in capsys.readouterr().err


def test_the_emulator_by_its_folder(emulator: Emulator) -> None:
    assert main(["basic-test", "--emulator", str(emulator.home.folder)]) == 0


def test_the_emulator_by_its_variable(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(emulator.home.folder))
    assert main(["basic-test", "--emulator"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["basic-test"]) == 0
    assert "so the embedded one is used" in capsys.readouterr().err


def test_no_platform_at_all(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["basic-test"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "--platform-ip" in told
    assert "iot-northbound emulator" in told
    assert "1008" not in told
    assert "ClientInfo" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--key", "k.pem"], "--key is given without --cert: "),
        (["--expected-hostname", " "], "--expected-hostname is empty"),
        (["--app-id", "my app"], "--app-id contains a blank"),
        (["--app-id", ""], "--app-id is missing"),
        (["--platform-ip", "https://h"], "--platform-ip = 'https://h'"),
        (["--platform-ip", "h:8743"], "give a port as --platform-port"),
        ([], "the secret (--secret-file or IOT_NORTHBOUND_SECRET) contains a blank"),
    ],
)
def test_wrong_arguments_are_named_in_the_error(
    emulator: Emulator,
    arguments: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_SECRET", "a secret" if not arguments else "sesame")
    assert main(["basic-test", "--platform-ip", "h", "--app-id", "a", *arguments]) == 3
    said = capsys.readouterr().err
    assert told in said
    assert not re.search(r"ClientInfo|SSLConfig|self_|platform_", said)


def test_a_failed_step_names_the_arguments_too(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_SECRET", emulator.secret)
    arguments = by_address(emulator, tmp_path)
    at = arguments.index("--cert-password-file")
    del arguments[at : at + 2]
    assert main(["basic-test", *arguments]) == 1
    shown = capsys.readouterr().out
    assert f"--cert {str(emulator.home.client_p12)!r}: " in shown
    assert "what to do: Give its password (--cert-password-file or --ca-password-file)." in shown
    assert main(["basic-test", "--json", *arguments]) == 1
    step = json.loads(capsys.readouterr().out)["steps"][0]
    assert step["remedy"] == "Give its password (--cert-password-file or --ca-password-file)."


def test_a_profile_and_variables_keep_their_own_names(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.toml").write_text('[default]\nplatform_ip = "h"\napp_id = "a"\nsecret = "s"\nself_key_path = "k"\n')
    assert main(["basic-test", "--profile", str(tmp_path / "p.toml")]) == 3
    assert "self_key_path is given without self_cert_path" in capsys.readouterr().err
    for name, value in {"PLATFORM_IP": "h", "APP_ID": "a", "SECRET": "s", "SELF_KEY_PATH": "k"}.items():
        monkeypatch.setenv(f"IOT_NORTHBOUND_{name}", value)
    assert main(["basic-test"]) == 3
    told = capsys.readouterr().err
    assert "IOT_NORTHBOUND_SELF_KEY_PATH is given without IOT_NORTHBOUND_SELF_CERT_PATH" in told


def test_an_address_with_the_secret_in_a_file(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_text(emulator.secret + "\n")
    assert main(["basic-test", *by_address(emulator, tmp_path), "--secret-file", str(tmp_path / "secret")]) == 0
    told = capsys.readouterr()
    assert emulator.secret not in told.out + told.err


def test_an_address_with_the_secret_in_a_variable(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_SECRET", emulator.secret)
    assert main(["basic-test", *by_address(emulator, tmp_path)]) == 0


def test_a_terminal_is_asked_for_the_secret(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return emulator.secret

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.hidden_prompt_func", answer)
    assert main(["basic-test", *by_address(emulator, tmp_path)]) == 0
    assert asked == [f"secret of {emulator.app_id}: "]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_an_empty_secret_file(
    emulator: Emulator, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert main(["basic-test", *by_address(emulator, tmp_path), "--secret-file", str(tmp_path / "secret")]) == 3
    assert str(tmp_path / "secret") in capsys.readouterr().err


def test_the_variables(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    home = emulator.home
    settings = {
        "PLATFORM_IP": "127.0.0.1",
        "PLATFORM_PORT": str(emulator.address[1]),
        "APP_ID": emulator.app_id,
        "SECRET": emulator.secret,
        "SELF_CERT_PATH": str(home.client_p12),
        "SELF_CERT_PWD_FILE": str(home.folder / "client.p12.password"),
        "TRUST_CA_PATH": str(home.ca),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"IOT_NORTHBOUND_{name}", value)
    assert main(["basic-test"]) == 0


def test_half_of_the_variables_do_not_count_as_none(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(emulator.home.folder))
    monkeypatch.setenv("IOT_NORTHBOUND_APP_ID", "app")
    assert main(["basic-test"]) == 3
    assert "IOT_NORTHBOUND_PLATFORM_IP" in capsys.readouterr().err


def test_a_failure_ends_with_status_1(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.control.add_fault("reset", endpoint="POST /iocm/app/sec/v1.1.0/login")
    assert main(["basic-test", "--profile", str(emulator.profile_path)]) == 1
    told = capsys.readouterr().out
    assert "[X] login" in told
    assert told.count("[-]") == 4
    assert "likely cause: " in told
    assert "what to do: " in told
    assert told.endswith("3 of 8 steps passed\n")


def test_json_is_one_object_and_nothing_else(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.control.add_fault("answer", endpoint=MODIFY, status=500, body={"error_code": "50252"})
    assert main(["basic-test", "--json", "--profile", str(emulator.profile_path)]) == 1
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert told.err == ""
    assert (report["platform"], report["passed"]) == (emulator.base_url, False)
    steps = {step["name"]: step for step in report["steps"]}
    assert list(steps) == [*STEPS, "clean up"]
    assert [step["passed"] for step in steps.values()] == [True] * 6 + [False, None, True]
    assert all(set(step) == {"name", "passed", "seconds", "detail", "cause", "remedy"} for step in steps.values())
    assert steps["change the test device"]["cause"]


def test_the_timeout_counts_for_connection_and_answer(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.control.add_fault("stall", endpoint="POST /iocm/app/sec/v1.1.0/login", seconds=60)
    assert main(["basic-test", "--timeout", "0.3", "--profile", str(emulator.profile_path)]) == 1
    assert "no answer came in time" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_signal_cleans_up_and_ends_with_130(emulator: Emulator, number: signal.Signals, form: list[str]) -> None:
    struck = emulator.control.add_fault("stall", endpoint=MODIFY, seconds=60, count=1)["id"]
    command = [sys.executable, "-m", "iot_northbound", "basic-test", "--profile", str(emulator.profile_path)]
    with subprocess.Popen([*command, *form], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            _until_stalled(emulator, struck)
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert devices(emulator) == 0
    assert "Traceback" not in errors
    if form:
        told: dict[str, Any] = json.loads(out)
        assert (told["interrupted"], told["passed"], told["steps"][-1]["name"]) == (True, False, "clean up")
    else:
        assert "[Y] clean up" in out
        assert "interrupted" in errors


def _until_stalled(emulator: Emulator, fault: str) -> None:
    """Return once the fault has struck: with a count of one it is gone then."""
    from tests.clock import eventually

    eventually(lambda: fault not in [each["id"] for each in emulator.control.faults()], 20)


def test_a_reader_that_goes_away_leaves_no_device(emulator: Emulator) -> None:
    command = [sys.executable, "-m", "iot_northbound", "basic-test", "--profile", str(emulator.profile_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("[Y]")
        process.stdout.close()
        told = process.stderr.read()
        assert process.wait(60) in (0, 141)
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    assert devices(emulator) == 0
