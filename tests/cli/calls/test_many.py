"""Commands for many devices from a file, on the embedded platform."""

from __future__ import annotations

import csv
import io
import os
import sys
import threading
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator

from .conftest import PRODUCT, Run, file_with
from .terminals import terminal


def meters(folder: Path, *more: str, name: str = "meters.csv", count: int = 5) -> str:
    lines = ["nodeId,productId,timeout", *(f"90000000000000{number},{PRODUCT},0" for number in range(count)), *more]
    return file_with(folder, name, "\n".join(lines) + "\n")


def test_devices_are_imported_exported_changed_and_deleted(run: Run, tmp_path: Path) -> None:
    imported = run("devices", "import", meters(tmp_path), "-o", "json")
    assert (imported.status, imported.json) == (0, {"done": 5, "failed": 0, "resumed": 0})
    results = tmp_path / "meters.csv.results.csv"
    rows = list(csv.DictReader(results.open()))
    assert len({row["verifyCode"] for row in rows}) == 5
    assert results.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"meters.csv", results.name}  # the journal is gone
    exported = tmp_path / "all.csv"
    assert run("devices", "export", str(exported)).status == 0
    assert len(list(csv.DictReader(exported.open()))) == 5
    changes = "".join(f"{row['deviceId']},表{row['row']}\n" for row in rows)
    assert run("devices", "update", file_with(tmp_path, "names.csv", f"deviceId,name\n{changes}")).status == 0
    assert {each["deviceInfo"]["name"] for each in run("devices", "list", "-o", "json").json} >= {"表1", "表5"}
    assert run("devices", "delete", "--from", str(exported)).status == 2
    assert run("devices", "delete", "--from", str(exported), "--dry-run").status == 0
    assert len(run("devices", "list", "-o", "json").json) == 5
    assert run("devices", "delete", "--from", str(exported), "--yes").status == 0
    assert run("devices", "list", "-o", "json").json == []


def test_a_row_that_fails_is_told_and_the_next_run_goes_on(run: Run, tmp_path: Path) -> None:
    failed = run("devices", "import", meters(tmp_path, "1,no-such-product,0"), "-o", "json")
    assert (failed.status, failed.json) == (1, {"done": 5, "failed": 1, "resumed": 0})
    assert "row 6 (1): 600002" in failed.err
    again = run("devices", "import", meters(tmp_path, f"1,{PRODUCT},0"), "-o", "json")
    assert (again.status, again.json) == (0, {"done": 6, "failed": 0, "resumed": 5})


def test_an_abort_is_told_with_how_to_go_on(emulator: Emulator, run: Run, tmp_path: Path) -> None:
    emulator.control.change_settings(device_limit=2)
    try:
        stopped = run("devices", "import", meters(tmp_path), "--threads", "1")
    finally:
        emulator.control.change_settings(device_limit=None)
    assert stopped.status == 10
    assert "run the same command again to go on" in stopped.err
    assert run("devices", "import", meters(tmp_path), "-o", "json").json["resumed"] == 2


def test_results_that_are_there_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "meters.csv.results.csv").write_text("codes that nothing else has")
    refused = run("devices", "import", meters(tmp_path))
    assert (refused.status, "give other --results" in refused.err) == (2, True)
    assert (tmp_path / "meters.csv.results.csv").read_text() == "codes that nothing else has"


def test_a_dry_run_checks_the_rows_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    checked = run("devices", "import", meters(tmp_path, "1,,-1"), "--dry-run", "-o", "json")
    assert (checked.status, checked.json["failed"]) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["meters.csv"]
    assert run("devices", "list", "-o", "json").json == []


def test_a_dry_run_that_ends_early_counts_the_rows_before_and_promises_no_journal(run: Run, tmp_path: Path) -> None:
    checked = run("devices", "import", meters(tmp_path, '"open'), "--dry-run", "-o", "json")
    assert (checked.status, checked.json["done"]) == (3, 5)
    assert "journal" not in checked.err


def test_rows_come_from_the_standard_input(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Path(meters(tmp_path)).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    refused = run("devices", "import", "-")
    assert (refused.status, "give --results FILE" in refused.err) == (2, True)
    results = tmp_path / "results.jsonl"
    assert run("devices", "import", "-", "--results", str(results)).status == 0
    assert len(results.read_text().splitlines()) == 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_every_row_of_a_pipe_is_read_once(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "rows"
    os.mkfifo(pipe)
    text = "nodeId\n" + "".join(f"device-{number}\n" for number in range(5000))
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    checked = run("devices", "import", str(pipe), "--dry-run", "-o", "json")
    writer.join()
    assert checked.json["done"] == 5000


def test_devices_that_log_in_with_a_password_get_one(run: Run, tmp_path: Path) -> None:
    file = file_with(tmp_path, "gateways.jsonl", '{"nodeId": "g1", "productId": "home-gateway-mqtt"}\n')
    assert run("devices", "import", file, "--mqtt").status == 0
    (row,) = csv.DictReader((tmp_path / "gateways.jsonl.results.csv").open())
    assert row["secret"]


@pytest.mark.parametrize(
    ("content", "words"), [("nodeId,produkt\n", "produkt"), ("", "header"), (None, "No such file or directory")]
)
def test_a_file_that_cannot_be_used_is_told(run: Run, tmp_path: Path, content: str | None, words: str) -> None:
    file = str(tmp_path / "no.csv") if content is None else file_with(tmp_path, "x.csv", content)
    refused = run("devices", "import", file)
    assert (refused.status, words in refused.err) == (2, True)


def test_a_terminal_is_asked_and_shown_a_bar(emulator: Emulator, run: Run, tmp_path: Path) -> None:
    assert run("devices", "import", meters(tmp_path)).status == 0
    results = str(tmp_path / "meters.csv.results.csv")
    for answer, status, left in (("n", 130, 5), ("y", 0, 0)):
        with terminal("devices", "delete", "--from", results) as screen:
            screen.read_until("Delete 5 devices? [y/N]")
            screen.type(f"{answer}\n")
            assert screen.read_all() == status
        assert len(run("devices", "list", "-o", "json").json) == left
    assert "5/5" in screen.shown


def test_a_row_without_an_id_is_told_by_its_number(run: Run, tmp_path: Path) -> None:
    failed = run("devices", "import", meters(tmp_path, f",{PRODUCT},0", count=0))
    assert "row 1: 1007: " in failed.err
