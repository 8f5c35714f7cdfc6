"""``iot-northbound errors``."""

from __future__ import annotations

import json

import pytest

from iot_northbound.cli import main
from iot_northbound.error_codes import ERROR_CODES, SDK_CODES


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["errors", *arguments])
    found = capsys.readouterr()
    return status, found.out, found.err


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    known = ERROR_CODES["100403"]
    status, output, _ = told(capsys, "100403")
    assert status == 0
    for text in (known.meaning, known.cause, known.remedy, "NotFoundError", "404", "exit status   7: "):
        assert text in output
    found = json.loads(told(capsys, "100403", "-o", "json")[1])
    assert (found["remedy"], found["exit"], found["statuses"]) == (known.remedy, 7, [404])


def test_all_codes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    listed = [json.loads(line)["code"] for line in told(capsys, "-o", "jsonl")[1].splitlines()]
    assert set(listed) == {*ERROR_CODES, *SDK_CODES}
    assert listed == sorted(listed, key=int)


def test_codes_are_found_by_words_and_by_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert "100428" in told(capsys, "Device", "not online")[1]
    assert told(capsys, "offline", "--service", "sdk")[0] == 1
    listed = [json.loads(line)["code"] for line in told(capsys, "--service", "sdk", "-o", "jsonl")[1].splitlines()]
    assert listed == sorted(SDK_CODES)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["100404"], "there is no error code 100404; did you mean "),
        (["7"], "there is no error code 7; `iot-northbound errors` lists all"),
        (["100403", "--service", "sdk"], "there is no error code 100403 of sdk"),
        (["--service", "devces"], "--service: "),
    ],
)
def test_a_code_that_is_unknown_is_named(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, error = told(capsys, *arguments)
    assert (status, output) == (2, "")
    assert named in error


def test_words_without_a_hit_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "xyzzy") == (1, "", "nothing found\n")
