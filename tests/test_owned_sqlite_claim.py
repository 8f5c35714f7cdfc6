"""The owner of a SQLite file: one object of one process, under any name of the file, until the lock is lost."""

import contextlib
import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from iot_northbound.owned_sqlite import FileInUseError, OwnedSqlite, UnfitFileError
from tests.locks import locks, needs_proc_locks
from tests.test_owned_sqlite import SCHEMA, filled, opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.sqlite3"


def by_a_link(path):
    name = path.with_name("link")
    name.symlink_to(path)
    return name


def by_a_hard_link(path):
    name = path.with_name("hard-link")
    os.link(path, name)
    return name


def by_a_way_round(path):
    return path.parent / ".." / path.parent.name / path.name


def by_a_relative_path(path):
    return Path(os.path.relpath(path))


@needs_proc_locks
@pytest.mark.parametrize(
    "another_name", [lambda path: path, by_a_link, by_a_hard_link, by_a_way_round, by_a_relative_path]
)
def test_a_second_owner_in_the_process_is_refused_under_any_name(path, another_name):
    file = opened(path)
    owner = path.with_name("file.sqlite3-owner")
    before = locks(path, os.getpid()), locks(owner, os.getpid())
    name = another_name(path)
    for _ in range(3):
        with pytest.raises(FileInUseError, match="this process"):
            opened(name)
    assert (locks(path, os.getpid()), locks(owner, os.getpid())) == before
    assert all(before)
    file.close()


def test_a_closed_file_can_be_owned_again(path):
    for _ in range(3):
        file = opened(path)
        file.close()
        file.close()


def test_a_failed_start_owns_nothing(path):
    path.write_bytes(b"no database" * 100)
    for _ in range(2):
        with pytest.raises(UnfitFileError, match="damaged"):
            opened(path)
    path.unlink()
    opened(path).close()


def test_only_one_of_many_starts_at_once_succeeds(path):
    files, refused, together = [], [], threading.Barrier(8)

    def start():
        together.wait()
        try:
            files.append(opened(path))
        except FileInUseError as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(files), len(refused)) == (1, 7)
    files[0].close()


def test_a_file_with_a_second_name_is_refused_as_it_would_have_two_logs(path):
    opened(path).close()
    by_a_hard_link(path)
    with pytest.raises(FileInUseError, match="2 names"):
        opened(path)
    path.with_name("hard-link").unlink()
    opened(path).close()


def test_a_lock_file_that_was_deleted_is_made_anew(path):
    opened(path).close()
    path.with_name("file.sqlite3-owner").unlink()
    opened(path).close()


def in_another_process(path):
    """Open the file in another process, which writes a row and ends; return what it says."""
    code = (
        "import pathlib, sys\n"
        "from tests.test_owned_sqlite import filled\n"
        "try: filled(pathlib.Path(sys.argv[1]), rows=1).close()\n"
        "except Exception as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=True)
    return told.stdout


def write(file, name):
    with file.transaction() as db:
        db.execute("INSERT INTO things VALUES (?)", (name,))


def count(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM things").fetchone()[0]


def owner_file(path):
    return path.with_name("file.sqlite3-owner")


def test_a_lock_file_that_is_deleted_while_in_use_is_made_anew_by_the_next_transaction(path, caplog):
    file = opened(path)
    for number in range(3):
        owner_file(path).unlink()
        write(file, f"{number}")
        assert "another process has it open" in in_another_process(path)
    assert "deleted while it was in use" in caplog.text
    file.close()
    assert in_another_process(path) == ""
    assert count(path) == 4


def replaced(path):
    owner_file(path).unlink()
    owner_file(path).touch()


def renamed(path):
    owner_file(path).rename(path.with_name("elsewhere"))
    owner_file(path).touch()


def taken_by_another(path):
    owner_file(path).unlink()
    assert in_another_process(path) == ""


@pytest.mark.parametrize("take", [replaced, renamed, taken_by_another])
def test_an_owner_that_may_have_lost_its_lock_writes_no_more_even_if_the_other_one_is_gone(path, take):
    file = opened(path)
    write(file, "1")
    take(path)
    before = count(path)
    for _ in range(2):
        with pytest.raises(FileInUseError, match="start this one again"):
            write(file, "2")
        owner_file(path).unlink(missing_ok=True)
    file.close()
    assert count(path) == before
    again = opened(path)
    write(again, "3")
    again.close()


def test_an_owner_that_another_one_has_locked_out_writes_no_more(path):
    file = opened(path)
    owner_file(path).unlink()
    with owner_file(path).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(FileInUseError, match="another process may work on"):
            write(file, "1")
    with pytest.raises(FileInUseError):
        write(file, "2")
    file.close()


@pytest.mark.parametrize("end", ["-owner", "-wal", "-shm", "-journal", "-WAL"])
def test_a_name_that_belongs_to_another_files_companion_is_refused(path, end):
    file = filled(path)
    for name in (path.with_name(path.name + end), path.with_name("nothing" + end)):
        with pytest.raises(UnfitFileError, match="choose a name that does not end in -wal, -shm"):
            opened(name)
        link = path.with_name("link")
        link.symlink_to(name)
        with pytest.raises(UnfitFileError, match="choose a name"):
            opened(link)
        link.unlink()
    assert not path.with_name("nothing" + end).exists()
    assert len(list(file.writer.execute("SELECT name FROM things"))) == 200
    file.close()


def test_a_second_file_that_its_owner_deletes_in_this_very_moment_is_made_anew(path, monkeypatch):
    fstat, owner = os.fstat, path.with_name("file.sqlite3-owner")

    def meanwhile(descriptor):
        monkeypatch.undo()
        owner.unlink()
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", meanwhile)
    file = opened(path)
    assert owner.exists()
    with file.transaction() as db:
        db.execute("INSERT INTO things VALUES ('it is its owner')")
    file.close()


def test_a_log_that_its_owner_deletes_in_this_very_moment_is_none(path, monkeypatch):
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda each, **rest: each.name.endswith("-wal") or exists(each, **rest))
    file = opened(path)
    assert not file.ended_uncleanly
    file.close()


def in_child_until_told(begin):
    """Do this, and fork within it; return what lets the child end."""
    (told, tell), (began, begins) = os.pipe(), os.pipe()
    children = []

    def fork():
        children.append(os.fork())
        if not children[-1]:
            os.close(tell)
            os.write(begins, b"x")
            os.read(told, 1)
            os._exit(0)
        os.read(began, 1)  # the child has dropped what it does not own

    begin(fork)
    for each in (told, began, begins):
        os.close(each)
    return lambda: (os.close(tell), os.waitpid(children[0], 0))


def test_a_child_that_was_forked_during_the_opening_does_not_keep_the_lock(path):
    filled(path).close()
    files = []
    end = in_child_until_told(lambda fork: files.append(OwnedSqlite(path, SCHEMA, lambda _: fork())))
    files[0].close()
    try:
        opened(path).close()
    finally:
        end()


def test_a_child_does_not_keep_the_lock_of_a_claim_without_a_database(path):
    code = (
        "import os, sys; from pathlib import Path; from iot_northbound.owned_sqlite_claim import Claim\n"
        "claim, (told, tell), (began, begins) = Claim(Path(sys.argv[1])), os.pipe(), os.pipe()\n"
        "if not os.fork():\n"
        "    os.close(tell); os.write(begins, b'x'); os.read(told, 1); os._exit(0)\n"
        "os.read(began, 1)\n"
        "claim.release()\n"
        "Claim(Path(sys.argv[1])).release()\n"
        "assert 'iot_northbound.owned_sqlite' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
