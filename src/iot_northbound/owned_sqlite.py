"""A SQLite file with one owner. The receiver's inbox and the emulator's state use it.

SQLite's locks belong to a process and a file, and three things break them without an error:

- When a process closes any descriptor of a file, POSIX drops all locks of the process on this file. The next program
  that opens the file then believes that it is the last user, and deletes the log. So only SQLite opens existing files
  here.
- A forked child has copies of the connections, but not the locks. So forks wait until no transaction is open, and no
  connection is in exclusive locking mode: if such a copy were closed, this would delete the log.
- SQLite names the log after the file. So a file with two names (hard links) has two logs, and is refused.

The owner of a file holds `flock` on a second file, ``<file>-owner``. This lock belongs to an open descriptor: a
program that reads the second file changes nothing, and the kernel releases the lock when the process ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

log = logging.getLogger("iot_northbound.files")

_BESIDE = ("-wal", "-shm")
"""The files that SQLite keeps next to a file in use."""
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
"""Errors of the disk, the rights or another program; all others mean that the file is damaged."""


class FileInUseError(Exception):
    """Another object works on the file, in this process or in another one."""


class UnfitFileError(Exception):
    """The file cannot be used; the text says why, and what to do."""


@attrs.frozen
class Schema:
    """The required content of a file.

    Attributes:
        what: its name in errors, with its article.
        version: its ``user_version``.
        tables: SQL that makes its tables and indexes.
        pragmas: settings of each connection that writes. A setting of the file itself has an effect when the file is
            made.
    """

    what: str
    version: int
    tables: str
    pragmas: tuple[str, ...] = ()


class OwnedSqlite:
    """A SQLite file that only this object works on. It is made if it is missing.

    Other programs may read it with SQLite at any time. Only its owner can read it.

    Args:
        path: the file; its folder must exist.
        schema: its content.
        read: reads the content of the file, from a connection that cannot write. If it raises a ValueError or a
            TypeError, the file is damaged.

    Raises:
        FileInUseError: another process, or another object of this one, works on it or could do so unnoticed.
        UnfitFileError: it cannot be opened, is damaged, or is something else. Its bytes are not changed.
    """

    def __init__(self, path: Path, schema: Schema, read: Callable[[sqlite3.Connection], None]) -> None:
        self._connections: list[sqlite3.Connection] = []
        self.gate = threading.Lock()
        """Held while something is written; a fork waits for it."""
        self._claim: _Claim | None = None
        try:
            self.path = path.resolve()
            self._claim = _Claim(self.path)
            self._make(schema, read)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error | OSError | ValueError | TypeError | RuntimeError):
                raise UnfitFileError(_advice(path, error)) from error
            raise
        with _CLAIMING:
            _OPEN.add(self)

    @property
    def inherited(self) -> bool:
        """Whether this process got the object from a fork; then another process owns the file."""
        return self._claim is not None and self._claim.process != os.getpid()

    def _make(self, schema: Schema, read: Callable[[sqlite3.Connection], None]) -> None:
        # Read-only first: a connection that can write would clean up the log of another program's file.
        try:
            with contextlib.closing(_connect(self.path, "ro")) as reader:
                is_new = _inspect(reader, schema, read)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                raise
            with contextlib.closing(_connect(self.path, "rw")) as healer:  # undoes a change that a crash interrupted
                is_new = _inspect(healer, schema, read)
        self.writer = self.connect()
        for pragma in (*schema.pragmas, "journal_mode = WAL", "synchronous = FULL", "fullfsync = ON"):
            self.writer.execute(f"PRAGMA {pragma}")  # fullfsync: on macOS, through the drive's own cache
        if is_new:
            self.writer.executescript(f"BEGIN; {schema.tables} PRAGMA user_version = {schema.version}; COMMIT;")
        for each in (self.path, *[_beside(self.path, suffix) for suffix in _BESIDE]):
            _make_private(each)

    def connect(self) -> sqlite3.Connection:
        """Return another connection, which is closed with the file."""
        connection = _connect(self.path, "rw")
        self._connections.append(connection)
        return connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything that the block writes, or nothing if it raises an exception."""
        with self.gate:
            self.writer.execute("BEGIN IMMEDIATE")
            try:
                yield self.writer
                self.writer.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self.writer.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close every connection, then release the file. In a forked child, the parent keeps it."""
        with self.gate:
            for connection in reversed(self._connections):
                connection.close()
            self._connections.clear()
        if self._claim is not None:
            self._claim.release()
            self._claim = None
        with _CLAIMING:
            _OPEN.discard(self)


def damaged(error: BaseException) -> bool:
    """Return whether an error means that a file is damaged, so that a second try does not help."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _Claim:
    """The ownership of one file. A table shows it to this process, and a lock to other processes."""

    def __init__(self, path: Path) -> None:
        self.process = os.getpid()
        self._keys: tuple[object, ...] = ()
        self._lock: int | None = None
        with _CLAIMING:
            if path in _CLAIMED:
                raise FileInUseError("this process has it open")
            # With the owner's lock, so that two processes cannot make it at the same time.
            self._lock = _lock(_beside(path, "-owner"))
            try:
                found = _regular(path)
                inode = (found.st_dev, found.st_ino)
                if inode in _CLAIMED:
                    raise FileInUseError("this process has it open under another name")
                if found.st_nlink > 1:
                    raise FileInUseError(
                        f"it has {found.st_nlink} names (hard links), and may be in use under another: SQLite keeps a "
                        "log for each name. Delete the other names, or make a copy"
                    )
            except BaseException:
                os.close(self._lock)
                raise
            self._keys = (path, inode)
            _CLAIMED.update(self._keys)

    def release(self) -> None:
        """Release the file, if this process owns it."""
        if self.process == os.getpid():
            with _CLAIMING:
                _CLAIMED.difference_update(self._keys)
                self.drop_lock()

    def drop_lock(self) -> None:
        """Close the descriptor of the lock. Copies that a fork has made keep the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(path: Path) -> int:
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        except BlockingIOError:
            os.close(lock)
            raise FileInUseError("another process has it open") from None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # it was deleted in the meantime: the locked file no longer belongs to anyone


def _regular(path: Path) -> os.stat_result:
    """Return the file's status. If it is missing, make it so that only its owner can read it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        new = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.chmod(path, 0o600)  # with any umask
        finally:
            os.close(new)
        found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise UnfitFileError(f"{path} is {'a folder' if stat.S_ISDIR(found.st_mode) else 'not a file'}: give a file")
    left = _beside(path, "-wal")
    if not found.st_size and left.exists() and left.stat().st_size:
        raise UnfitFileError(
            f"{path} is empty, and {left.name} is left of an earlier one: put that one back, or move {left.name} away"
        )
    return found


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0)
    connection.text_factory = bytes.decode  # sqlite3's own error would repeat a text that is not UTF-8
    return connection


def _inspect(connection: sqlite3.Connection, schema: Schema, read: Callable[[sqlite3.Connection], None]) -> bool:
    """Return whether the file is empty. Read its content, and raise if it is damaged or something else."""
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
        f"move it away together with {path.name}-wal, and a new one is made; "
        f"`sqlite3 {path.name} .recover` reads what can still be read"
    )
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_READONLY:
        return f"{error}: let this user write the file and its folder. If that is so, the file is damaged: {away}"
    if isinstance(error, OSError) or code in _AROUND:
        return str(error)
    if isinstance(error, sqlite3.Error | UnicodeDecodeError):
        return f"it is damaged, or not a SQLite file ({error}). It was not changed: {away}"
    return f"{error}: give the path of a file"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _make_private(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and os.name == "posix":
            try:
                path.chmod(mode & 0o700)
            except OSError as error:
                log.warning("other users can read %s, and this cannot be changed: %s", path, error)


_CLAIMING = threading.Lock()
_CLAIMED: set[object] = set()
"""What this process owns: paths, and pairs of device and inode."""
_OPEN: weakref.WeakSet[OwnedSqlite] = weakref.WeakSet()
_HELD: list[OwnedSqlite] = []
"""What a fork under way holds still."""


def _before_fork() -> None:
    _CLAIMING.acquire()
    _HELD.extend(_OPEN)
    for each in _HELD:
        each.gate.acquire()


def _after_fork() -> None:
    for each in _HELD:
        each.gate.release()
    _HELD.clear()
    _CLAIMING.release()


def _after_fork_in_child() -> None:
    for each in _HELD:
        if each._claim is not None:
            each._claim.drop_lock()  # it ends with the parent, not with the last child
    _CLAIMED.clear()
    _OPEN.clear()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
