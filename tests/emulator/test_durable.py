from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator.durable import DataDirError, Durable


def rows(folder: Path) -> dict[tuple[str, str], object]:
    durable = Durable(folder)
    found = {(table, key): row for table, key, row in durable.rows()}
    durable.close()
    return found


def test_what_was_settled_is_there_after_a_restart(tmp_path: Path) -> None:
    async def work() -> None:
        durable = Durable(tmp_path)
        durable.take([("t", "a", {"n": 1}), ("t", "b", {"n": 2})])
        await durable.settled()
        durable.take([("t", "a", {"n": 3, "text": "ü\u0000"}), ("t", "b", None)])
        await durable.settled()
        durable.close()

    asyncio.run(work())
    assert rows(tmp_path) == {("t", "a"): {"n": 3, "text": "ü\u0000"}}


def test_within_a_transaction_the_last_change_of_a_row_counts(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    durable.take([("t", "a", {"n": 1}), ("t", "a", None), ("t", "b", None), ("t", "b", {"n": 2})])
    durable.close()
    assert rows(tmp_path) == {("t", "b"): {"n": 2}}


def test_many_waiters_share_transactions_and_each_is_told_after_its_own(tmp_path: Path) -> None:
    async def work() -> None:
        durable = Durable(tmp_path)

        async def one(number: int) -> None:
            durable.take([("t", str(number), {"n": number})])
            await durable.settled()
            written.append(durable._written)

        written: list[int] = []
        await asyncio.gather(*[one(number) for number in range(300)])
        durable.close()
        assert len(set(written)) < 300

    asyncio.run(work())
    assert len(rows(tmp_path)) == 300


def test_a_second_process_is_told_that_the_folder_is_in_use(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    code = (
        "import sys, pathlib\n"
        "from iot_northbound.emulator.durable import Durable, DataDirError\n"
        "try: Durable(pathlib.Path(sys.argv[1]))\n"
        "except DataDirError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=30)
    durable.close()
    assert "in use by another emulator" in told.stdout, told.stderr
    assert subprocess.run(command, capture_output=True, env={"PYTHONPATH": ":".join(sys.path)}).stdout == b""


def test_the_same_process_is_told_too(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    with pytest.raises(DataDirError, match="in use"):
        Durable(tmp_path)
    durable.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataDirError, match="cannot use"):
        Durable(tmp_path)


def test_a_folder_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Durable(tmp_path).close()
    with sqlite3.connect(tmp_path / "state.sqlite3") as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(DataDirError, match="another version"):
        Durable(tmp_path)


def test_what_no_answer_tells_of_is_written_but_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = threading.Event()
    commit = Durable._commit

    def slow_commit(self: Durable, changes: list[Any]) -> None:
        assert disk.wait(10)
        commit(self, changes)

    monkeypatch.setattr(Durable, "_commit", slow_commit)

    async def work() -> None:
        durable = Durable(tmp_path)
        durable.take([("t", "quiet", {"n": 1})], awaited=False)
        await asyncio.wait_for(durable.settled(), 5)
        durable.take([("t", "told", {"n": 2})])
        waiting = asyncio.ensure_future(durable.settled())
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        disk.set()
        await asyncio.wait_for(waiting, 5)
        durable.close()

    asyncio.run(work())
    assert set(rows(tmp_path)) == {("t", "quiet"), ("t", "told")}


def test_when_the_disk_fails_nobody_is_told_that_it_is_safe(tmp_path: Path) -> None:
    async def work() -> None:
        durable = Durable(tmp_path)
        durable.take([("t", "a", {"cannot": {1, 2}})])
        with pytest.raises(DataDirError, match="written"):
            await durable.settled()
        durable.take([("t", "b", {})])
        with pytest.raises(DataDirError, match="written"):
            await durable.settled()
        durable.close()

    asyncio.run(work())
    assert rows(tmp_path) == {}
