"""What commands print: for people, for programs, on a terminal and into a pipe."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from iot_northbound.cli.output import FORMATS, Column, Output, json_text, safe_cell, table_of
from iot_northbound.dto import QuerySingleDeviceInfoOutDTO

COLUMNS = (Column("name", "name"), Column("device", "info.id"), Column("data", "data"))
METERS = [
    {"name": "水表一号", "info": {"id": "d-1"}, "data": None},
    {"name": "meter", "info": {"id": "d-2"}, "data": {"level": 81, "on": True}},
    {"name": "x\x1b[2J\u202e", "info": None, "data": ["a", "b"]},
]


def told(capsys: pytest.CaptureFixture[str], form: str, items: Any = METERS) -> str:
    Output(form).rows(items, COLUMNS)
    return capsys.readouterr().out


def test_columns_are_aligned_whatever_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, "table").splitlines()
    assert len(lines) == 1 + len(METERS)
    starts = {cell_len(line[: line.index(word)]) for line, word in zip(lines, ("device", "d-1", "d-2"), strict=False)}
    assert len(starts) == 1
    assert lines[2].endswith('{"level": 81, "on": true}')
    assert not any(line.endswith(" ") for line in lines)


@pytest.mark.parametrize("form", FORMATS)
def test_a_name_cannot_control_the_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    if form != "csv":  # CSV is data for a program, which gets it as it is
        assert not re.search("[\x1b\u202e]", told(capsys, form))


def test_json_has_all_values_and_lines_of_json_come_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(told(capsys, "json")) == METERS
    assert "水表一号" in told(capsys, "json")

    def items() -> Iterator[Any]:
        yield METERS[0]
        assert json.loads(capsys.readouterr().out) == METERS[0]  # it was written before the next one came
        yield METERS[1]

    assert json.loads(told(capsys, "jsonl", items())) == METERS[1]


def test_csv_has_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.reader(io.StringIO(told(capsys, "csv"))))
    assert rows[:3] == [
        ["name", "info.id", "data"],
        ["水表一号", "d-1", ""],
        ["meter", "d-2", '{"level": 81, "on": true}'],
    ]
    assert told(capsys, "csv", []) == "name,info.id,data\n"


def test_nothing_found_is_a_note_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    for form, out, err in (("table", "", "nothing found\n"), ("json", "[]\n", ""), ("jsonl", "", "")):
        assert Output(form).rows([], COLUMNS) == 0
        assert tuple(capsys.readouterr()) == (out, err)


@settings(max_examples=40)
@given(st.text(max_size=20) | st.sampled_from(["=1+1", "+a", "-2+3", "@SUM(1)", "\t=1", "-5", "+86 10", "-1e5"]))
def test_no_text_in_csv_is_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert cell.lstrip("'") == text.lstrip("'")
    assert not cell.startswith(("=", "@", "\t", "\r"))
    if cell.startswith(("+", "-")):
        float(cell)


def test_a_number_in_csv_stays_one() -> None:
    assert [safe_cell(each) for each in (-5, -2.5, "-5", True, None)] == ["-5", "-2.5", "-5", "true", ""]


VALUES = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(max_examples=40)
@given(VALUES)
def test_json_says_what_it_was_given_and_controls_nothing(value: Any) -> None:
    text = json_text(value)
    assert text.isprintable()
    assert json.loads(text) == value


def test_one_thing_is_lines_for_people_and_its_own_names_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    info = {"name": "水表", "status": "ONLINE"}
    device = QuerySingleDeviceInfoOutDTO.from_json({"deviceId": "d-1", "deviceInfo": info})
    Output("table").item(device)
    assert "deviceInfo.name    水表\n" in capsys.readouterr().out
    Output("json").item(device)
    assert json.loads(capsys.readouterr().out)["deviceInfo"]["status"] == "ONLINE"
    Output("jsonl").item(device)
    assert json.loads(capsys.readouterr().out)["deviceId"] == "d-1"
    Output("csv").item({"a": {"b": "=1"}, "c": None})
    assert capsys.readouterr().out == "a.b,c\n'=1,\n"
    Output("table").item({"left": "out"}, {"shown": "yes", "empty": ""})
    assert capsys.readouterr().out == "shown  yes\n"


def shown_on_a_terminal(columns: int, **variables: str) -> str:
    """Return what a terminal of this width gets from `errors offline`."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", **variables}
    command = [sys.executable, "-m", "iot_northbound", "errors", "offline"]
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(60) == 0
    os.close(ours)
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_a_terminal_gets_colours_and_80_columns_are_enough(tmp_path: Path) -> None:
    shown = shown_on_a_terminal(80)
    assert "\x1b[1m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(cell_len(line.rstrip("\r")) for line in plain.split("\n")) <= 80
    assert "\x1b[3" not in shown_on_a_terminal(80, NO_COLOR="1")
    assert "\x1b" not in shown_on_a_terminal(80, TERM="dumb")


def test_a_pipe_gets_no_colours_and_whole_lines() -> None:
    environment = {**os.environ, "COLUMNS": "20", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "iot_northbound", "errors", "--service", "sdk"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    assert "\x1b" not in done.stdout
    assert "The application id or the secret contains a blank." in done.stdout


def test_an_id_in_the_first_column_stays_in_one_piece() -> None:
    row = {"deviceId": "0" * 36, "nodeId": "1" * 15, "name": "2" * 20, "createTime": "3" * 16}
    console = Console(width=80)
    with console.capture() as written:
        console.print(table_of([row], [Column(each, each) for each in row]))
    lines = written.get().splitlines()
    assert any("0" * 36 in line for line in lines)
    assert max(map(cell_len, lines)) <= 80
    assert sum(line.count("2") for line in lines) == 20
