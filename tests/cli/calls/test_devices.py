"""``iot-northbound devices``, on the embedded platform."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator

from .conftest import PRODUCT, Run, file_with, registered


def test_a_registered_device_can_be_found_shown_changed_and_deleted(run: Run, device: str) -> None:
    assert run("devices", "find", "860000000000001", "-o", "json").json["deviceId"] == device
    assert run("devices", "show", device, "-o", "json").json["deviceInfo"]["status"] == "ONLINE"
    changed = run("devices", "modify", device, "--name", "水表", "--location", "北京")
    assert (changed.status, changed.out) == (0, "")
    assert f"{device} is changed" in changed.err
    assert run("devices", "show", device, "-o", "json").json["deviceInfo"]["name"] == "水表"
    assert run("devices", "delete", device).status == 0
    assert run("devices", "show", device).status == 7


def test_the_answer_to_a_registration_has_the_code_that_no_other_call_returns(run: Run) -> None:
    made = run("devices", "register", "--node-id", "1", "--product-id", PRODUCT, "-o", "json")
    assert made.json["verifyCode"]
    mqtt = run("devices", "register-mqtt", "--node-id", "2", "--product-id", "home-gateway-mqtt", "-o", "json")
    assert mqtt.json["secret"]


def test_a_device_that_is_there_is_found_instead_of_registered(run: Run, device: str) -> None:
    arguments = ("devices", "ensure", "--product-id", PRODUCT, "-o", "json", "--node-id")
    assert run(*arguments, "860000000000001").json == {"deviceId": device}
    assert run(*arguments, "2").json["verifyCode"]


def test_a_secret_comes_from_a_file_or_the_standard_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = file_with(tmp_path, "code", "abc123\n")
    arguments = ("devices", "register", "--product-id", PRODUCT, "-o", "json")
    assert run(*arguments, "--node-id", "1", "--verify-code-file", code).json["verifyCode"] == "abc123"
    monkeypatch.setattr(sys, "stdin", io.StringIO("def456\n"))
    assert run(*arguments, "--node-id", "2", "--verify-code-file", "-").json["verifyCode"] == "def456"
    refused = run(*arguments, "--node-id", "3", "--verify-code", "ghi789")
    assert refused.status == 2
    assert "ghi789" not in refused.err


def test_a_secret_that_breaks_its_rule_is_not_shown(run: Run, tmp_path: Path) -> None:
    short = file_with(tmp_path, "psk", "c0ffee\n")
    refused = run("devices", "register", "--node-id", "1", "--psk-file", short)
    assert refused.status == 2
    assert "--psk-file" in refused.err
    assert "c0ffee" not in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("register", "--product-id", PRODUCT), "--node-id is needed"),
        (("register", "--node-id", "x" * 257), "--node-id = 'x"),
        (("register", "--node-id", "1", "--timeout", "-1"), "--timeout = -1: it must be 0 to 2147483647"),
        (("register", "--node-id", "1", "--timeout", "soon"), "--timeout"),
        (("list", "--start-time", "yesterday"), "--start-time: 'yesterday' is not a time: write 2026-03-01T08:00"),
        (("modify", "x", "--tags", "{"), "--tags: this is not JSON"),
        (("modify", "x", "--body", "/nowhere"), "--body: /nowhere cannot be read: No such file or directory"),
        (("shadow", "x", "valve"), "'valve' is not key=value"),
        (("shadow", "x", "valve=1"), "'valve' is not SERVICE.PROPERTY=VALUE"),
    ],
)
def test_what_breaks_a_rule_is_named_as_it_was_typed(run: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = run("devices", *arguments)
    assert refused.status == 2
    assert words in refused.err
    assert "Usage:" not in refused.err


def test_a_request_can_come_from_a_file_and_options_replace_its_values(run: Run, tmp_path: Path) -> None:
    body = {"nodeId": "1", "productId": PRODUCT, "timeout": 5}
    whole = file_with(tmp_path, "device.json", json.dumps(body))
    made = run("devices", "register", "--body", whole, "--timeout", "0", "-o", "json")
    assert made.json["timeout"] == 0
    typo = file_with(tmp_path, "typo.json", '{"nodeld": "1"}')
    assert "nodeId" in run("devices", "register", "--body", typo).err
    assert "must contain a JSON object" in run("devices", "register", "--body", file_with(tmp_path, "l", "[]")).err


def test_lists_are_for_people_and_for_programs(emulator: Emulator, run: Run) -> None:
    ids = {registered(emulator, run, f"86000000000000{number}") for number in range(3)}
    table = run("devices", "list").out.splitlines()
    assert table[0].split() == ["device", "id", "node", "id", "name", "status", "create", "time"]
    assert {line.split()[0] for line in table[1:]} == ids
    assert {each["deviceId"] for each in run("devices", "list", "-o", "json").json} == ids
    rows = list(csv.DictReader(io.StringIO(run("devices", "list", "-o", "csv").out)))
    assert {row["deviceInfo.status"] for row in rows} == {"ONLINE"}
    assert len(run("devices", "list", "--limit", "2", "-o", "jsonl").lines) == 2
    assert run("devices", "list", "--status", "OFFLINE", "-o", "jsonl").lines == []


def test_history_and_capabilities_of_a_device(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.report(device, "WaterMeter", {"valve": "OPEN"})
    (record,) = run("devices", "history", device, "-o", "json").json
    assert record["data"] == {"valve": "OPEN"}
    told = [line.split() for line in run("devices", "capabilities", device).out.splitlines()]
    assert ["WaterMeter", "property", "reportInterval", "int", "RWE", "300", "to", "604800", "s"] in told
    assert ["WaterMeter", "command", "SET_VALVE"] in told
    whole = run("devices", "capabilities", device, "-o", "json").json["deviceCapabilities"]
    assert whole[0]["deviceId"] == device


def test_desired_values_are_set_and_shown(run: Run, device: str) -> None:
    shadow = run("devices", "shadow", device, "WaterMeter.reportInterval=600", "-o", "json")
    (service,) = [each for each in shadow.json["services"] if each["serviceId"] == "WaterMeter"]
    assert service["desiredProps"] == {"reportInterval": 600}
    assert len(run("devices", "desired-history", device, "-o", "json").json) == 1


def test_what_does_not_exist_has_a_status_of_its_own(run: Run) -> None:
    for command in ("show", "status", "shadow", "find"):
        missing = run("devices", command, "nobody")
        assert (missing.status, missing.out) == (7, "")
        assert "Traceback" not in missing.err
