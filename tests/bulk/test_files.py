"""Files of rows, devices and results: what spreadsheets make of them."""

import csv
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import InvalidArgumentError, dto
from iot_northbound.bulk import BulkResult
from iot_northbound.bulk.files import (
    DEVICE_COLUMNS,
    RESULT_COLUMNS,
    private_file,
    read_rows,
    write_devices,
    write_results,
)
from iot_northbound.dto import QuerySingleDeviceInfoOutDTO


def rows(data: bytes | str, job: str = "register", **rest: Any) -> list[Any]:
    return list(read_rows(io.BytesIO(data.encode() if isinstance(data, str) else data), job, **rest))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_save_is_read(encoding: str, delimiter: str, end: str) -> None:
    lines = ["nodeId;timeout;name", "A1;0;路灯", ";;", 'B2;5;"two\nlines"', ""]
    text = end.join(lines).replace(";", delimiter)
    assert rows(text.encode(encoding)) == [
        {"nodeId": "A1", "timeout": "0", "name": "路灯"},
        {"nodeId": "B2", "timeout": "5", "name": "two\nlines"},
    ]


def test_json_lines_are_read_by_the_name_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "devices.JSONL"
    file.write_bytes(b'\xef\xbb\xbf{"nodeId": "A1", "deviceInfo": {"model": "L1"}}\n\n{"nodeId": "B2"}')
    wanted = [{"nodeId": "A1", "deviceInfo": {"model": "L1"}}, {"nodeId": "B2"}]
    assert list(read_rows(file, "register")) == wanted
    assert rows(file.read_bytes(), format="jsonl") == wanted


def test_each_job_has_its_columns() -> None:
    assert rows("device_id\nd1\n", "delete") == [{"device_id": "d1"}]
    assert rows("deviceId,name\nd1,x\n", "modify") == [{"deviceId": "d1", "name": "x"}]
    assert rows("deviceId,serviceId,method,paras\nd1,s,m,{}\n", "send commands")
    assert rows("nodeId,secret\nA1,x\n", "register with secret")
    with pytest.raises(InvalidArgumentError, match="must be one of register"):
        rows("", "registre")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"nodeid,timeout\nA1,2\n", "line 1.*'nodeid'.*did you mean.*nodeId"),
        (b"nodeId,colour\nA1,2\n", "line 1, column = 'colour'.*the fields are .*name, .*nodeId"),
        (b"nodeId,,timeout\nA1,,2\n", "line 1.*''.*there is no such field"),
        (b"nodeId,node_id\n", "line 1.*two columns"),
        (b"", "line 1.*header"),
        (b"\n\n", "line 1.*header"),
        (b"nodeId\nA1\n8.67531E+14\n", "line 3.*rounded a long number.*Text"),
        (b"nodeId\n8,67531E+14\n", "line 2.*more cells|line 2.*rounded"),
        (b'nodeId\nA1\n"ab', "CSV"),
        (b"nodeId\n\xff\n", "not UTF-8"),
        (b"nodeId\n" + b"a" * 200_000, "line 2.*CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(data: bytes, words: str) -> None:
    if b"8,67531" in data:
        data = data.replace(b"nodeId", b"nodeId;name")
    with pytest.raises(InvalidArgumentError, match=words):
        rows(data)


@pytest.mark.parametrize(
    ("line", "words"),
    [("{", "line 2.*JSON object"), ("[1]", "line 2.*not a list"), ("[" * 99_999, "line 2.*JSON object")],
)
def test_a_line_that_is_no_json_object_is_told(line: str, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        rows('{"nodeId": "A1"}\n' + line, format="jsonl")


def test_the_header_is_checked_before_the_first_row_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("nodid\n")
    with pytest.raises(InvalidArgumentError, match="nodid"):
        read_rows(tmp_path / "bad.csv", "register")
    with pytest.raises(InvalidArgumentError, match=r"none\.csv.*No such file"):
        read_rows(tmp_path / "none.csv", "register")


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_are_refused(data: bytes) -> None:
    for format in ("csv", "jsonl"):
        try:
            for row in rows(b"nodeId,timeout\n" + data if format == "csv" else data, format=format):
                assert isinstance(row, dict)
        except InvalidArgumentError:
            continue


def device(**info: Any) -> QuerySingleDeviceInfoOutDTO:
    return QuerySingleDeviceInfoOutDTO(device_id="d1", gateway_id="d1", device_info=dto.DeviceInfo(**info))


def test_no_cell_of_an_export_is_a_formula_and_all_come_back() -> None:
    names = ["=HYPERLINK(1)", "+49 1", "-1", "@x", "\tx", "plain", 'a "quote", and\nline', "'quoted", "'=1", "''-1"]
    file = io.StringIO(newline="")
    assert write_devices(file, [device(name=name, node_id="A1") for name in names]) == len(names)
    file.seek(0)
    reader = csv.DictReader(file)
    assert reader.fieldnames == list(DEVICE_COLUMNS)
    cells = [row["name"] for row in reader]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    again = io.StringIO(newline="")
    csv.writer(again).writerows([["nodeId", "name"], *(["A1", cell] for cell in cells)])
    assert [row["name"] for row in rows(again.getvalue())] == names


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_half_an_emoji_ends_no_export(format: Any, tmp_path: Path) -> None:
    with private_file(tmp_path / "all") as out:
        assert write_devices(out, [device(name="lamp \ud83d"), device(name="灯")], format) == 2
    text = (tmp_path / "all").read_text("utf-8")
    assert "lamp \\ud83d" in text
    assert "灯" in text


def test_empty_cells_after_the_last_column_are_nothing() -> None:
    assert rows("nodeId,name\nA1,lamp,,\n,,,\nB2,lamp\n") == [
        {"nodeId": "A1", "name": "lamp"},
        {"nodeId": "B2", "name": "lamp"},
    ]


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="needs a device")
def test_a_device_keeps_its_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[int] = []
    monkeypatch.setattr(os, "fchmod", lambda number, mode: changed.append(mode))
    with private_file("/dev/null") as out:
        write_devices(out, [device(name="lamp")])
    assert changed == []


def test_an_export_as_json_lines_has_all_that_the_platform_said_and_a_mark_is_optional() -> None:
    file = io.StringIO()
    write_devices(file, [device(name="路灯", node_id="A1")], "jsonl")
    assert json.loads(file.getvalue()) == {
        "deviceId": "d1",
        "gatewayId": "d1",
        "deviceInfo": {"name": "路灯", "nodeId": "A1"},
    }
    file = io.StringIO()
    assert write_devices(file, [], bom=True) == 0
    assert file.getvalue().startswith("\ufeffdeviceId,nodeId,")
    with pytest.raises(InvalidArgumentError, match="'csv' or 'jsonl'"):
        write_devices(file, [], "xml")  # type: ignore[arg-type]


def test_results_are_written_with_secrets_into_a_file_of_this_user_only(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_text("old")
    file.chmod(0o644)
    made = dto.RegDirectDeviceOutDTO(device_id="d1", verify_code="code-1")
    failed = InvalidArgumentError.of("timeout", "-1", "it must be more")
    with private_file(file) as out:
        write_results(
            out,
            [
                BulkResult(row=1, key="A1", input={}, ok=True, value=made),
                BulkResult(row=2, key="B2", input={}, ok=False, error=failed),
            ],
        )
    assert file.read_text().splitlines() == [
        ",".join(RESULT_COLUMNS),
        "1,A1,true,d1,code-1,,,,,",
        f"2,B2,false,,,,,,1007,{failed}",
    ]
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(InvalidArgumentError, match="cannot be written"), private_file(tmp_path):
        pass


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_line_without_an_end_is_refused(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InvalidArgumentError, match=r"line 1 .*longer than 1,048,576 characters"):
        next(read_rows(tmp_path / name, "register"))
