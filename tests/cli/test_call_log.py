"""The line per call of `emulator --log`."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from iot_northbound.cli.call_log import CallLog, call_as_json, call_line

CALL: dict[str, Any] = {
    "kind": "call",
    "method": "GET",
    "path": "/iocm/app/dm/v1.4.0/devices",
    "status": 200,
    "errorCode": None,
    "durationMs": 1.26,
    "fault": None,
}


def lines_of(descriptor: int) -> list[str]:
    with os.fdopen(descriptor) as reader:
        return reader.read().splitlines()


def test_a_line_has_time_method_path_status_and_duration() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /iocm/app/dm/v1.4.0/devices 200 1\.3 ms", call_line(CALL))


def test_a_refused_call_has_its_code_and_a_broken_one_its_fault() -> None:
    refused = call_line({**CALL, "status": 404, "errorCode": "100403"})
    assert refused.endswith(" 404 1.3 ms 100403")
    assert call_line({**CALL, "status": None, "fault": "reset"}).endswith(" - 1.3 ms (fault: reset)")


def test_a_path_cannot_control_the_terminal() -> None:
    assert "\x1b" not in call_line({**CALL, "path": "/\x1b[2J"})


def test_a_line_for_programs_is_json() -> None:
    told = json.loads(call_as_json(CALL))
    assert told == {"event": "call", **{name: CALL[name] for name in told if name != "event"}}
    assert told["durationMs"] == 1.26


def test_what_waits_is_written_at_the_end() -> None:
    reader, writer = os.pipe()
    with CallLog(writer, as_json=True) as log:
        for number in range(50):
            log({**CALL, "path": f"/{number}"})
    os.close(writer)
    assert [json.loads(line)["path"] for line in lines_of(reader)] == [f"/{number}" for number in range(50)]


def test_a_reader_that_does_not_read_costs_lines_and_not_the_emulator() -> None:
    reader, writer = os.pipe()
    log = CallLog(writer, waiting=1)
    with log:
        for _ in range(3000):  # far more than fit into the pipe
            log({**CALL, "path": f"/{'x' * 100}"})
        told = b""
        while b"are left out, because nobody read them in time" not in told:
            told += os.read(reader, 1 << 20)
    os.close(writer)
    os.close(reader)


def test_a_reader_that_goes_away_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with CallLog(writer) as log:
        for _ in range(20):
            log(CALL)
    os.close(writer)
