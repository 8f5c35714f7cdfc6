"""The commands for a running emulator."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import requests

from iot_northbound import NorthApiClient
from iot_northbound.cli.calls.emulator import ACTIONS
from iot_northbound.profiles import load_profile
from tests.cli.test_emulator import running

from .conftest import Run
from .peers import answering


def test_a_device_reports_and_follows_a_script(run: Run, device: str) -> None:
    told = run("emulator", "report", device, "WaterMeter", "valveState=OPEN")
    assert (told.status, told.out) == (0, "")
    (service,) = run("devices", "show", device, "-o", "json").json["services"]
    assert service["data"] == {"valveState": "OPEN"}
    script = run(
        "emulator", "script", device, "--answer", "fail", "--after", "1.5", "--result", '{"result": 3}', "--json"
    )
    assert (script.json["answer"], script.json["after"], script.json["result"]) == ("fail", 1.5, {"result": 3})
    assert run("emulator", "unscript", device).status == 0
    assert run("emulator", "online", device, "--no-online").status == 0
    assert run("devices", "show", device, "-o", "json").json["deviceInfo"]["status"] == "OFFLINE"


def test_time_moves(run: Run) -> None:
    assert run("emulator", "freeze", "--at", "1000000000").status == 0
    assert run("emulator", "advance", "90").status == 0
    assert run("emulator", "clock", "-o", "json").json["now"] == 1_000_000_090
    assert run("emulator", "thaw").status == 0


def test_calls_fail_on_purpose_and_the_journal_tells(run: Run) -> None:
    fault = ("emulator", "fault", "answer", "--status", "503", "--body", '"down"', "--count", "9", "-o", "json")
    assert run(*fault, "--endpoint", "GET *").json["kind"] == "answer"
    assert run("devices", "list").status == 12
    (entry,) = run("emulator", "journal", "--kind", "call", "--limit", "1", "-o", "json").json
    assert (entry["method"], entry["fault"]) == ("GET", "answer")
    assert run("emulator", "faults", "-o", "json").json[0]["struck"] > 0
    assert run("emulator", "clear-faults").status == 0
    assert run("devices", "list").status == 0


def test_settings_are_changed_by_name(run: Run) -> None:
    changed = run("emulator", "set", "transitions=timed", "transition_delay=2.5", "-o", "json")
    assert (changed.json["transitions"], changed.json["transition_delay"]) == ("timed", 2.5)
    assert run("emulator", "set", "transitions=immediate", "transition_delay=1.0").status == 0
    unknown = run("emulator", "set", "transitionz=timed")
    assert (unknown.status, "transitionz is not known" in unknown.err) == (1, True)


def test_state_is_saved_restored_and_forgotten(run: Run) -> None:
    assert run("emulator", "add-devices", "7").status == 0
    assert run("emulator", "snapshot", "seven").status == 0
    assert run("emulator", "reset").status == 0
    assert run("emulator", "status", "-o", "json").json["rows"].get("devices", 0) == 0
    assert run("emulator", "restore", "seven").status == 0
    assert run("emulator", "status", "-o", "json").json["rows"]["devices"] == 7


def test_a_new_link_opens_the_console_page(run: Run) -> None:
    link = run("emulator", "console", "-o", "json").json["link"]
    assert requests.get(link, timeout=10).url.endswith("/console/")
    assert requests.get(link, timeout=10).status_code == 401
    assert "/console/open?key=" in run("emulator", "console").out


def test_a_refusal_is_a_sentence(run: Run) -> None:
    missing = run("emulator", "report", "no/body", "WaterMeter", "x=1")
    assert (missing.status, missing.err) == (1, "iot-northbound: no device 'no/body'\n")
    wrong = run("emulator", "fault", "nonsense")
    assert (wrong.status, "'nonsense' is not one of" in wrong.err) == (2, True)


def test_an_emulator_that_does_not_run_or_is_none_is_told(run: Run, tmp_path: Path) -> None:
    nowhere = run("emulator", "clock", "--home", str(tmp_path))
    assert (nowhere.status, "start `iot-northbound emulator`" in nowhere.err) == (1, True)
    (tmp_path / "profile.toml").write_text("[default]\n")
    assert (
        "has no control plane: start it without --no-control" in run("emulator", "clock", "--home", str(tmp_path)).err
    )
    (tmp_path / "profile.toml").write_text("[[[")
    assert "cannot be read as a profile" in run("emulator", "clock", "--home", str(tmp_path)).err
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = run("emulator", "clock", "--control", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        secret = run("emulator", "clock", "--control", f"http://me:sesame@127.0.0.1:{nobody.getsockname()[1]}")
    assert (gone.status, "no emulator answers at" in gone.err) == (1, True)
    assert (secret.status, "no emulator answers at" in secret.err, "sesame" in secret.err) == (1, True, False)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://h/", "http:///x", "http://h:99999", "sesame", "http://[x"]
)
def test_what_is_no_address_of_a_control_plane_is_not_asked(run: Run, url: str, tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_text(f'[control]\nurl = "{url}"\n')
    for arguments in (("--control", url), ("--home", str(tmp_path))):
        refused = run("emulator", "clock", *arguments)
        assert (refused.status, "the URL of the control plane must be like" in refused.err) == (1, True)
        assert url not in refused.err


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"[" * 200_000,
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_another_server_is_not_taken_for_an_emulator(run: Run, answer: bytes) -> None:
    with answering(answer) as url:
        strange = run("emulator", "clock", "--control", url)
    assert (strange.status, "is not the control plane of an emulator" in strange.err) == (1, True)


@pytest.mark.parametrize("name", [each.name for each in ACTIONS])
def test_every_command_has_a_help(run: Run, name: str) -> None:
    told = run("emulator", name, "--help")
    assert (told.status, "--control URL" in told.out) == (0, True)


def test_a_log_has_a_line_for_each_call(tmp_path: Path) -> None:
    with running("--home", str(tmp_path), "--log") as (process, facts):
        with NorthApiClient(*load_profile(facts["profile"])) as client:
            list(client.data_collection.iter_devices())
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert [(each["event"], each["method"], each["status"]) for each in told] == [
        ("call", "POST", 200),
        ("call", "GET", 200),
    ]
