"""A file that many processes share: who may read it, what else it could be, and what a fork does to it."""

import contextlib
import functools
import os
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import SharedStateError
from iot_northbound.shared import StateAwayError
from iot_northbound.shared import file as file_module
from iot_northbound.shared.file import SharedFile
from tests.clock import eventually

TABLES = "CREATE TABLE IF NOT EXISTS t (x)"
_STATEMENTS = 15
"""How many statements an opening is."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.sqlite3"


@pytest.fixture
def shared(path: Path) -> Iterator[SharedFile]:
    file = SharedFile(str(path), TABLES)
    yield file
    file.close()


def add(file: SharedFile, value: int) -> None:
    with file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (?)", (value,))


def values(file: SharedFile) -> list[int]:
    with file.reading() as connection:
        return [row[0] for row in connection.execute("SELECT x FROM t ORDER BY x")]


def in_child(work: object) -> int:
    """Do it in a forked child and return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()  # type: ignore[operator]
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_only_this_user_may_read_what_it_makes(shared: SharedFile, path: Path) -> None:
    before = os.umask(0)
    try:
        add(shared, 1)
    finally:
        os.umask(before)
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()}
    assert modes == dict.fromkeys((path.name, f"{path.name}-wal", f"{path.name}-shm"), "0o600")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_others_may_use_is_refused(shared: SharedFile, path: Path, mode: int) -> None:
    path.touch()
    path.chmod(mode)
    with pytest.raises(SharedStateError, match="other users may read or write it: run `chmod 600 "):
        values(shared)
    path.chmod(0o600)
    assert values(shared) == []


def test_a_file_with_two_names_is_refused(shared: SharedFile, path: Path) -> None:
    path.touch(0o600)
    os.link(path, path.with_name("other"))
    with pytest.raises(SharedStateError, match="two names"):
        values(shared)


def test_a_symbolic_link_is_the_file_that_it_names(shared: SharedFile, path: Path) -> None:
    add(shared, 1)
    link = path.with_name("link")
    link.symlink_to(path)
    other = SharedFile(str(link), TABLES)
    assert values(other) == [1]
    other.close()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SharedStateError, match=f"the folder {tmp_path}/missing does not exist: make it"):
        values(SharedFile(str(tmp_path / "missing" / "x"), TABLES))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(SharedStateError, match="it is not a regular file"):
        values(SharedFile(str(tmp_path), TABLES))


def test_another_programs_database_is_left_alone(shared: SharedFile, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(SharedStateError, match="another program made it: choose another path"):
        values(shared)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(shared: SharedFile, path: Path) -> None:
    path.write_text("my notes, which are longer than a header of SQLite has to be\n" * 20)
    path.chmod(0o600)
    with pytest.raises(SharedStateError, match="move it away together with"):
        values(shared)
    assert path.read_text().startswith("my notes")


def test_a_newer_version_is_left_alone(shared: SharedFile, path: Path) -> None:
    add(shared, 1)
    with shared.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    shared.close()
    with pytest.raises(SharedStateError, match="a newer version of the SDK made it"):
        values(shared)


def test_a_network_file_system_is_refused(shared: SharedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "_file_system", lambda path: "nfs4")
    with pytest.raises(SharedStateError, match=r"a network file system \(nfs4\): give a local disk, or use Redis"):
        values(shared)


def test_the_file_system_of_this_test_is_known_where_the_system_says_it(tmp_path: Path) -> None:
    assert bool(file_module._file_system(tmp_path)) == Path("/proc/self/mounts").exists()


def test_a_locked_file_is_away(shared: SharedFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "PATIENCE", 0.01)
    add(shared, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateAwayError, match="locked"):
        add(SharedFile(str(path), TABLES), 2)
    other.execute("ROLLBACK")
    other.close()
    assert values(shared) == [1]


def test_a_step_that_fails_writes_nothing(shared: SharedFile) -> None:
    def fail() -> None:
        with shared.writing() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert values(shared) == []


def test_a_step_inside_a_step_of_the_same_thread_is_away_and_harms_nothing(shared: SharedFile) -> None:
    with shared.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(StateAwayError):
            add(shared, 2)
    assert values(shared) == [1]


def test_a_file_that_was_deleted_or_replaced_is_opened_anew(shared: SharedFile, path: Path) -> None:
    other = SharedFile(str(path), TABLES)
    add(shared, 1)
    assert values(other) == [1]
    for each in path.parent.iterdir():
        each.unlink()
    add(shared, 2)
    assert values(other) == values(shared) == [2]
    other.close()


def test_processes_that_make_the_file_at_once_all_get_it(path: Path) -> None:
    code = (
        "import sys; from iot_northbound.shared.file import SharedFile\n"
        "f = SharedFile(sys.argv[1], sys.argv[2])\n"
        "for i in range(20):\n"
        "    with f.writing() as c: c.execute('INSERT INTO t VALUES (1)')\n"
    )
    crew = [subprocess.Popen([sys.executable, "-c", code, str(path), TABLES]) for _ in range(4)]
    assert [each.wait(60) for each in crew] == [0] * 4
    assert len(values(SharedFile(str(path), TABLES))) == 80


class TestOpening:
    """What another process does between two statements of an opening."""

    @pytest.fixture
    def before(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, Callable[[], object]], None]]:
        """Do something before the statement of this number is executed."""
        executed: list[str] = []
        plans: dict[int, Callable[[], object]] = {}

        class Interrupted(sqlite3.Connection):
            def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
                plans.pop(len(executed), lambda: None)()
                executed.append(statement)
                return super().execute(statement, *values)

        monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Interrupted))
        monkeypatch.setattr(file_module, "PATIENCE", 0.01)
        yield plans.__setitem__
        assert not plans, "the opening has fewer statements"

    @pytest.mark.parametrize("number", range(_STATEMENTS))
    def test_a_process_that_makes_the_file_meanwhile_is_no_other_program(
        self, shared: SharedFile, path: Path, before: Callable[[int, Callable[[], object]], None], number: int
    ) -> None:
        code = (
            "import contextlib, sys; from iot_northbound.shared import StateAwayError, file\n"
            "file.PATIENCE = 0.01\n"
            "with contextlib.suppress(StateAwayError):\n"
            "    with file.SharedFile(*sys.argv[1:]).writing() as c: c.execute('INSERT INTO t VALUES (1)')\n"
        )
        theirs = [sys.executable, "-c", code, str(path), TABLES]
        before(number, lambda: subprocess.run(theirs, check=True, timeout=60))
        with contextlib.suppress(StateAwayError):  # they have it locked
            add(shared, 2)
        add(shared, 3)
        assert values(shared) in ([1, 3], [2, 3], [1, 2, 3])

    @pytest.mark.parametrize("number", range(_STATEMENTS))
    def test_a_file_that_is_replaced_meanwhile_is_opened_anew(
        self, shared: SharedFile, path: Path, before: Callable[[int, Callable[[], object]], None], number: int
    ) -> None:
        def replace() -> None:
            for each in path.parent.iterdir():
                each.rename(each.with_name(f"{each.name}.old"))
            path.touch(0o600)

        before(number, replace)
        with contextlib.suppress(StateAwayError):
            add(shared, 2)
        add(shared, 3)
        assert values(shared)[-1] == 3
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert (3,) in connection.execute("SELECT x FROM t").fetchall()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
class TestForks:
    def test_a_child_has_a_connection_of_its_own_and_the_parent_keeps_its(self, shared: SharedFile) -> None:
        add(shared, 1)
        assert in_child(lambda: (add(shared, 2), shared.close())) == 0
        add(shared, 3)
        assert values(shared) == [1, 2, 3]

    def test_nothing_is_open_while_the_process_forks(self, shared: SharedFile) -> None:
        add(shared, 1)

        def check() -> None:
            assert shared._connection is None

        assert in_child(check) == 0

    def test_a_fork_waits_for_a_step_of_another_thread(self, shared: SharedFile) -> None:
        add(shared, 1)
        inside, go_on = threading.Event(), threading.Event()

        def slow() -> None:
            with shared.writing() as connection:
                connection.execute("INSERT INTO t VALUES (2)")
                inside.set()
                go_on.wait(30)

        thread = threading.Thread(target=slow)
        thread.start()
        inside.wait(30)
        codes: list[int] = []
        forking = threading.Thread(target=lambda: codes.append(in_child(lambda: add(shared, 3))))
        forking.start()
        eventually(lambda: file_module._HELD)
        assert codes == []
        go_on.set()
        forking.join(30)
        thread.join(30)
        assert codes == [0]
        assert values(shared) == [1, 2, 3]

    def test_a_file_that_is_made_when_a_fork_has_begun_waits_for_its_end(
        self, shared: SharedFile, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        came, lock, made = threading.Event(), threading.RLock(), []

        def make() -> None:
            made.append(SharedFile(f"{path}-2", TABLES))
            came.set()

        maker = threading.Thread(target=make)

        class Seen:
            acquire, release = lock.acquire, lock.release

            def __enter__(self) -> None:
                came.set()
                lock.acquire()

            def __exit__(self, *_: object) -> None:
                lock.release()

        class Files(weakref.WeakSet[SharedFile]):
            def __iter__(self) -> Iterator[SharedFile]:
                for each in super().__iter__():
                    yield each
                    if not maker.ident:
                        maker.start()
                        came.wait(60)

        monkeypatch.setattr(file_module, "_FORKING", Seen())
        monkeypatch.setattr(file_module, "_FILES", Files([shared]))
        file_module._before_fork()
        assert not made
        file_module._after_fork()
        maker.join(60)
        assert set(file_module._FILES) == {shared, *made}

    def test_a_parent_that_ends_takes_no_lock_from_its_child(self, path: Path) -> None:
        code = (
            "import os, sys; from iot_northbound.shared.file import SharedFile\n"
            "f = SharedFile(sys.argv[1], sys.argv[2])\n"
            "with f.writing() as c: c.execute('INSERT INTO t VALUES (1)')\n"
            "r, w = os.pipe()\n"
            "if os.fork() == 0:\n"
            "    with f.writing() as c: c.execute('INSERT INTO t VALUES (2)')\n"
            "    os.write(w, b'x'); sys.stdin.readline()\n"
            "    with f.writing() as c: c.execute('INSERT INTO t VALUES (4)')\n"
            "    print('done', flush=True); os._exit(0)\n"
            "os.read(r, 1)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path), TABLES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        child.wait(60)  # the parent has ended, and its connection is closed
        third = SharedFile(str(path), TABLES)
        add(third, 3)
        third.close()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n"
        assert values(third) == [1, 2, 3, 4]
        child.stdin.close()
        child.stdout.close()

    def test_a_fork_that_python_was_not_told_of_is_refused(
        self, shared: SharedFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(shared, 1)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(SharedStateError, match="make the client after the fork"):
            add(shared, 2)
        monkeypatch.undo()
        assert values(shared) == [1]
