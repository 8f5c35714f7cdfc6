"""A SQLite file with one owner. The receiver's inbox and the emulator's state use it.

SQLite's locks belong to a process and a file, and three things break them without an error:

- When a process closes any descriptor of a file, POSIX drops all locks of the process on this file. The next program
  that reads the file then seems to be its last user, and SQLite deletes the log. So only SQLite opens existing files
  here.
- A forked child has copies of the connections but not the locks. So forks wait until no transaction is open, and
  no connection is in exclusive locking mode: closing such a copy would delete the log.
- SQLite names the log after the file. So a file with two names (hard links) has two logs, and is refused.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .owned_sqlite_claim import (
    BESIDE,
    CLAIMING,
    Claim,
    FileInUseError,
    UnfitFileError,
    beside,
    ended_uncleanly,
    refuse_orphan,
)
from .owned_sqlite_log import lost_in

__all__ = ["FileInUseError", "OwnedSqlite", "Schema", "UnfitFileError", "damaged"]

log = logging.getLogger("iot_northbound.files")

_AROUND = (
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
)
"""Errors caused by the disk, the permissions or another program. All other errors mean that the file is damaged."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The required content of a file.

    Attributes:
        what: its name in error texts, with the article.
        version: its ``user_version``.
        tables: SQL that creates its tables and indexes.
        pragmas: settings of each connection that writes. Settings of the file itself count when it is created.
    """

    what: str
    version: int
    tables: str
    pragmas: tuple[str, ...] = ()


class OwnedSqlite:
    """A SQLite file that only this object uses. It is created if it is missing.

    Other programs may read it with SQLite at any time. Only the user who owns it can read it.

    Args:
        path: the file; its folder must exist.
        schema: its content.
        read: loads the content of the file, from a connection that cannot write. If it raises a ValueError or
            TypeError, the file is damaged.

    Raises:
        FileInUseError: another process, or another object of this process, uses it or could use it unnoticed.
        UnfitFileError: it cannot be opened, is damaged, or is another kind of file. Its bytes are not changed.
    """

    def __init__(self, path: Path, schema: Schema, read: Callable[[sqlite3.Connection], None]) -> None:
        self._connections: list[sqlite3.Connection] = []
        self.gate = threading.Lock()
        """Locked while something is written; a fork waits for it."""
        self._claim: Claim | None = None
        try:
            self.path = path.resolve()
            self._claim = Claim(self.path)
            self.ended_uncleanly = ended_uncleanly(self.path)
            """Whether the last owner did not close it. Looked at under the claim: until then it may be closing it."""
            self._make(schema, read)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error | OSError | ValueError | TypeError | RuntimeError):
                raise UnfitFileError(_advice(path, error)) from error
            raise
        with CLAIMING:
            _OPEN.add(self)

    @property
    def inherited(self) -> bool:
        """Whether this process got the object by a fork. The file then belongs to another process."""
        return self._claim is not None and self._claim.process != os.getpid()

    def _make(self, schema: Schema, read: Callable[[sqlite3.Connection], None]) -> None:
        if (problem := lost_in(beside(self.path, "-wal"))) is not None:
            raise UnfitFileError(
                f"{self.path.name}-wal, the log of what was written last, is damaged: {problem}. Both files were left "
                f"as they are. To go on without what is in the log, move it away; to begin anew, move it away with "
                f"{self.path.name}"
            )
        # Read-only first: a connection that can write would clean up the log of a file that is not ours.
        try:
            with contextlib.closing(_connect(self.path, "ro")) as reader:
                is_new = _inspect(reader, schema, read)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                raise
            with contextlib.closing(_connect(self.path, "rw")) as healer:  # undoes a change that a crash cut short
                is_new = _inspect(healer, schema, read)
        if is_new:
            refuse_orphan(self.path)
        self.writer = self.connect()
        for pragma in (*schema.pragmas, "synchronous = FULL", "fullfsync = ON"):
            self.writer.execute(f"PRAGMA {pragma}")  # fullfsync: on macOS, also write the drive's own cache
        if is_new:  # before there is a log, so that a file without tables never has one
            self.writer.executescript(f"BEGIN; {schema.tables} PRAGMA user_version = {schema.version}; COMMIT;")
        self.writer.execute("PRAGMA journal_mode = WAL")
        self.writer.execute("SELECT 1 FROM sqlite_master").fetchall()  # takes the lock that protects the log
        for each in (self.path, *[beside(self.path, suffix) for suffix in BESIDE]):
            _make_private(each)

    def connect(self) -> sqlite3.Connection:
        """Return another connection. It is closed with the file."""
        connection = _connect(self.path, "rw")
        self._connections.append(connection)
        return connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block writes; if it raises, write nothing.

        Raises:
            FileInUseError: another process may use the file now; nothing more is written.
        """
        with self.gate:
            if self._claim is not None:
                self._claim.renew()
            self.writer.execute("BEGIN IMMEDIATE")
            try:
                yield self.writer
                self.writer.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self.writer.execute("ROLLBACK")
                raise

    def close(self, *, delete: bool = False) -> None:
        """Close every connection, then release the file. If a forked child calls this, the parent keeps the file.

        Args:
            delete: delete the file before it is released, so that no other process can have it meanwhile.
        """
        with self.gate:
            for connection in reversed(self._connections):
                connection.close()
            self._connections.clear()
        if self._claim is not None:
            if delete and not self.inherited:
                self._claim.delete(self.path)
            self._claim.release()
            self._claim = None
        with CLAIMING:
            _OPEN.discard(self)


def damaged(error: BaseException) -> bool:
    """Return whether an error means that a file is damaged. Then a second try does not help."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0)
    connection.text_factory = bytes.decode  # sqlite3's own error would repeat a text that is not UTF-8
    return connection


def _inspect(connection: sqlite3.Connection, schema: Schema, read: Callable[[sqlite3.Connection], None]) -> bool:
    """Return whether the file is empty; if not, read its content, and raise if it is damaged or of another kind."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    found = _objects(connection)
    if not version and not found:
        return True
    with contextlib.closing(sqlite3.connect(":memory:")) as pattern:
        pattern.executescript(schema.tables)
        expected = _objects(pattern)
    if version != schema.version or not expected <= found:
        raise UnfitFileError(
            f"it is not {schema.what}: another version or another program wrote it (it says version {version}, and "
            f"this program reads {schema.version}). Choose another path, or move it away"
        )
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(" ".join(problem.split()))
    try:
        read(connection)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(str(error)) from error
    return False


def _objects(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    rows: Iterable[tuple[str, str, str]] = connection.execute("SELECT type, name, sql FROM sqlite_master")
    return set(rows)


def _advice(path: Path, error: BaseException) -> str:
    away = (
        f"move it away with what is beside it ({path.name}-wal), and a new one is made; "
        f"`sqlite3 {path.name} .recover` reads what can still be read"
    )
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_READONLY:
        return f"{error}: let this user write the file and its folder. If that is so, the file is damaged: {away}"
    if isinstance(error, OSError) or code in _AROUND:
        return str(error)
    if isinstance(error, sqlite3.Error | UnicodeDecodeError):
        return f"it is damaged, or no SQLite file ({error}). It was left as it is: {away}"
    return f"{error}: give the path of a file"


def _make_private(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and os.name == "posix":
            try:
                path.chmod(mode & 0o700)
            except OSError as error:
                log.warning("others may read %s, and that cannot be changed: %s", path, error)


_OPEN: weakref.WeakSet[OwnedSqlite] = weakref.WeakSet()
_HELD: list[OwnedSqlite] = []
"""The files whose writes wait while a fork is in progress."""


def _before_fork() -> None:
    CLAIMING.acquire()
    _HELD.extend(_OPEN)
    for each in _HELD:
        each.gate.acquire()


def _after_fork() -> None:
    for each in _HELD:
        each.gate.release()
    _HELD.clear()
    CLAIMING.release()


def _after_fork_in_child() -> None:
    _OPEN.clear()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
