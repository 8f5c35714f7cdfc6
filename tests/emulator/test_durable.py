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
from tests.locks import LOOKS, locks, look, needs_proc_locks


def rows(folder: Path) -> dict[tuple[str, str], object]:
    durable = Durable(folder)
    found = {(table, key): row for table, key, row in durable.rows()}
    durable.close()
    return found


def test_settled_changes_survive_a_restart(tmp_path: Path) -> None:
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


def test_many_waiters_share_transactions_and_each_goes_on_after_its_own(tmp_path: Path) -> None:
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


def test_a_second_process_fails_because_the_folder_is_in_use(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    code = (
        "import sys, pathlib\n"
        "from iot_northbound.emulator.durable import Durable, DataDirError\n"
        "try: Durable(pathlib.Path(sys.argv[1]))\n"
        "except DataDirError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=60)
    durable.close()
    assert "in use by another emulator" in told.stdout, told.stderr
    assert subprocess.run(command, capture_output=True, env={"PYTHONPATH": ":".join(sys.path)}).stdout == b""


def test_the_same_process_fails_too(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    with pytest.raises(DataDirError, match="in use"):
        Durable(tmp_path)
    durable.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataDirError, match="cannot use"):
        Durable(tmp_path)


@pytest.mark.parametrize("version", [1, 99])
def test_the_folder_of_an_earlier_or_later_version_is_refused_and_left_as_it_is(tmp_path: Path, version: int) -> None:
    durable = Durable(tmp_path)
    durable.take([("devices", "a", {"of": "another shape"})])
    durable.close()
    file = tmp_path / "state.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute(f"PRAGMA user_version={version}")
    database.close()
    before = file.read_bytes()
    with pytest.raises(DataDirError, match=f"another version.* version {version}.* Choose another path, or move it"):
        Durable(tmp_path)
    assert file.read_bytes() == before


def test_a_change_that_no_answer_reports_is_written_but_not_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    commit = Durable._commit

    def slow_commit(self: Durable, changes: list[Any]) -> None:
        assert disk.wait(60)
        commit(self, changes)

    monkeypatch.setattr(Durable, "_commit", slow_commit)

    async def work() -> None:
        durable = Durable(tmp_path)
        durable.take([("t", "quiet", {"n": 1})], awaited=False)
        await asyncio.wait_for(durable.settled(), 60)
        durable.take([("t", "told", {"n": 2})])
        waiting = asyncio.ensure_future(durable.settled())
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        disk.set()
        await asyncio.wait_for(waiting, 60)
        durable.close()

    asyncio.run(work())
    assert set(rows(tmp_path)) == {("t", "quiet"), ("t", "told")}


def test_when_the_disk_fails_no_call_is_confirmed(tmp_path: Path) -> None:
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


PLATFORM = """
import asyncio, os, pathlib, sys
from iot_northbound.emulator.durable import DataDirError, Durable

durable = Durable(pathlib.Path(sys.argv[1]))

def keep(number):
    async def work():
        durable.take([("t", str(number), {})])
        await durable.settled()
    asyncio.run(work())

for line in sys.stdin:
    if line == "fork\\n":
        child = os.fork()
        if not child:
            exec(sys.argv[2])
        os.waitpid(child, 0)
    elif line == "again\\n":
        try:
            Durable(pathlib.Path(sys.argv[1]))
        except DataDirError as error:
            print(error, end=" ")
    else:
        keep(line.strip())
    print("ok", flush=True)
"""


class Process:
    def __init__(self, folder: Path, child: str = "") -> None:
        command = [sys.executable, "-c", PLATFORM, str(folder), child]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def tell(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=60)


@needs_proc_locks
@pytest.mark.parametrize("how", LOOKS)
def test_a_check_of_the_state_loses_nothing_of_it(tmp_path: Path, how: str) -> None:
    process = Process(tmp_path)
    process.tell("0")
    look(tmp_path / "state.sqlite3", how)
    assert "in use by another emulator" in process.tell("again")
    assert "POSIX READ" in locks(tmp_path / "state.sqlite3", process.pid)
    process.tell("1")
    process.kill()
    assert set(rows(tmp_path)) == {("t", "0"), ("t", "1")}


@needs_proc_locks
@pytest.mark.parametrize("end", ["durable._file.close()", "sys.exit()", "os._exit(0)"])
def test_a_forked_child_leaves_the_state_to_its_parent(tmp_path: Path, end: str) -> None:
    process = Process(tmp_path, end + "; os._exit(0)")
    process.tell("0")
    process.tell("fork")
    assert "POSIX READ" in locks(tmp_path / "state.sqlite3", process.pid)
    process.tell("1")
    process.kill()
    assert set(rows(tmp_path)) == {("t", "0"), ("t", "1")}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rows SET row = 'no json'",
        "UPDATE rows SET row = '[]'",
        "UPDATE rows SET row = x'7b7d'",
        "UPDATE rows SET key = CAST(x'ff' AS TEXT)",
        "ALTER TABLE rows ADD COLUMN more",
        "DROP TABLE rows",
        "PRAGMA user_version = 7",
    ],
)
def test_a_damaged_state_is_refused_and_left_as_it_is(tmp_path: Path, change: str) -> None:
    durable = Durable(tmp_path)
    durable.take([("t", "a", {})])
    durable.close()
    file = tmp_path / "state.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute(change)
    database.close()
    before = file.read_bytes()
    with pytest.raises(DataDirError, match="move it away"):
        Durable(tmp_path)
    assert file.read_bytes() == before


def test_the_state_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE customers (name)")
    database.close()
    before = file.read_bytes()
    with pytest.raises(DataDirError, match="another program"):
        Durable(tmp_path)
    assert file.read_bytes() == before


def test_a_state_that_another_process_may_have_taken_is_written_no_more(tmp_path: Path) -> None:
    async def work() -> None:
        durable = Durable(tmp_path)
        (tmp_path / "state.sqlite3-owner").unlink()
        durable.take([("t", "a", {})])
        await durable.settled()  # made anew
        (tmp_path / "state.sqlite3-owner").unlink()
        (tmp_path / "state.sqlite3-owner").touch()
        for key in "bc":
            durable.take([("t", key, {})])
            with pytest.raises(DataDirError, match="another process may work on the file"):
                await durable.settled()
        durable.close()

    asyncio.run(work())
    assert set(rows(tmp_path)) == {("t", "a")}
