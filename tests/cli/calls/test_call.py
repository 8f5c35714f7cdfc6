"""``iot-northbound call``, on the embedded platform."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator
from iot_northbound.services.calls import calls

from .conftest import PRODUCT, Run, file_with

REGISTER = "/iocm/app/reg/v1.1.0/deviceCredentials"
DEVICES = "/iocm/app/dm/v1.4.0/devices"


def test_fields_go_into_the_query_of_a_get(run: Run, device: str) -> None:
    for arguments in ((DEVICES, "pageNo=0", "pageSize=1"), (f"{DEVICES}?pageNo=0", "pageSize=1")):
        answer = run("call", "get", *arguments).json
        assert (answer["pageSize"], answer["devices"][0]["deviceId"]) == (1, device)


def test_fields_go_into_the_body_of_a_post(run: Run) -> None:
    made = run("call", "POST", REGISTER, 'nodeId="1"', f"productId={PRODUCT}", "timeout=0")
    assert made.json["timeout"] == 0
    answer = run("call", "DELETE", f"{DEVICES}/{made.json['deviceId']}", "cascade=true")
    assert (answer.status, answer.out) == (0, "")


def test_a_body_comes_from_a_file_or_the_standard_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"nodeId": "1", "productId": PRODUCT, "timeout": 5})
    file = file_with(tmp_path, "body.json", body)
    assert run("call", "POST", REGISTER, "--body", file, "timeout=0").json["timeout"] == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(body.replace('"1"', '"2"')))
    assert run("call", "POST", REGISTER, "--body", "-").json["timeout"] == 5


def test_a_body_is_sent_as_it_is_with_its_nulls(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.clear_journal(bodies=True)
    run("call", "PUT", f"{DEVICES}/{device}", "name=null", "location=北京")
    (entry,) = [each for each in emulator.control.journal(kind="call") if each["method"] == "PUT"]
    assert entry["request"] == {"name": None, "location": "北京"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("FETCH", "/x"), "'FETCH' is not one of GET, POST"),
        (("GET", "x"), "'x' is not a path of the platform"),
        (("GET", "//elsewhere/x"), "it must begin with one /, without a host"),
        (("GET", "https://elsewhere/x"), "is not a path of the platform"),
        (("GET", "/devices/{device_id}"), "a brace"),
        (("GET", "/a b"), "a blank"),
        (("GET", "/x", "y"), "'y' is not key=value"),
        (("POST", "/x", "--body", "/nowhere"), "cannot be read"),
    ],
)
def test_what_is_no_call_is_refused_before_it_is_sent(run: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = run("call", *arguments)
    assert (refused.status, words in refused.err) == (2, True)


def test_an_error_of_the_platform_is_a_sentence_and_a_status(run: Run) -> None:
    missing = run("call", "GET", f"{DEVICES}/nobody")
    assert (missing.status, missing.out) == (7, "")
    assert "The device does not exist" in missing.err


def test_the_documented_calls_are_listed_without_a_platform(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(tmp_path))
    told = run("call", "--list")
    assert told.status == 0
    assert len(told.out.splitlines()) == len(calls()) + 1
