"""A SQLite file that many processes of one machine share.

SQLite's locks belong to a process, and a forked child inherits SQLite's knowledge of them, but not the locks. So a fork
waits until no step is in progress, and finds no connection open. Only SQLite opens a file that exists, because POSIX
drops a process's locks on a file when the process closes any descriptor of it.
"""

import contextlib
import os
import sqlite3
import stat
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from iot_northbound.errors import SdkCode, SharedStateError
from iot_northbound.shared.state import StateAwayError

PATIENCE = 2.0
"""Seconds that a step waits for those of other processes."""
_OURS = 0x494E4253
"""SQLite's application_id of such a file."""
_VERSION = 1
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"})
"""File systems on which the locks of other machines, or the shared memory beside the file, cannot be trusted."""
_LASTING = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
"""Errors that time does not cure."""


class SharedFile:
    """One file, opened at the first step. Threads call it side by side; a forked child opens it anew.

    Args:
        path: the file. It is made if it is missing, for this user only; its folder must exist.
        tables: SQL that makes the tables that are missing.
    """

    def __init__(self, path: str, tables: str) -> None:
        self._path = Path(os.path.realpath(path))
        self._tables = tables
        self._gate = threading.RLock()
        """Held during each step; a fork waits for it. A signal handler may make a step within a step."""
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] | None = None
        """The process, the device and the number of the opened file."""
        with _FORKING:
            _FILES.add(self)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for one SELECT.

        Raises:
            StateAwayError: the file is locked, or the disk failed.
            SharedStateError: the file cannot be used.
        """
        with self._gate, self._named():
            yield self._open()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in a transaction that no other process writes beside. If the block raises, undo it.

        Raises:
            StateAwayError: the file is locked, or the disk failed.
            SharedStateError: the file cannot be used.
        """
        with self._gate, self._named():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection. The next step opens another one."""
        with self._gate:
            connection, self._connection = self._connection, None
            if connection is not None:
                if self._opened is not None and self._opened[0] != os.getpid():
                    _INHERITED.append(connection)  # closing it would drop this process's own locks
                else:
                    connection.close()

    def _open(self) -> sqlite3.Connection:
        """Return this process's connection to the file that has the name now."""
        now = self._identity()
        if self._connection is not None and now == self._opened:
            return self._connection
        if self._connection is not None and self._opened is not None and self._opened[0] != os.getpid():
            raise _refusal(
                self._path,
                "this process was forked in a way that Python does not notice, with the file open: make the client "
                "after the fork (uWSGI: lazy-apps = true)",
            )
        self.close()
        with _OPENING:
            if now is None:
                self._make()
            self._check()
            opened = self._identity()
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=PATIENCE,
            )
            try:
                self._prepare(connection)
                if opened is None or opened != self._identity():
                    raise StateAwayError(f"{self._path}: another program deleted or replaced it at this moment")
            except BaseException:
                connection.close()
                raise
            self._connection, self._opened = connection, opened
        return connection

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return os.getpid(), found.st_dev, found.st_ino

    def _make(self) -> None:
        with contextlib.suppress(FileExistsError):
            # Always a new file: nobody has a lock on it that closing the descriptor could drop.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _check(self) -> None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            raise StateAwayError(f"{self._path}: another program deleted it at this moment") from None
        if not stat.S_ISREG(found.st_mode):
            raise _refusal(self._path, "it is not a regular file: give the path of a file")
        if os.name == "posix" and found.st_mode & 0o077:
            raise _refusal(self._path, f"other users may read or write it: run `chmod 600 {self._path}`")
        if found.st_nlink > 1:
            raise _refusal(self._path, "it has two names (hard links), under which it would be two: remove one")
        kind = _file_system(self._path)
        if kind in _REMOTE:
            raise _refusal(
                self._path, f"it lies on a network file system ({kind}): give a local disk, or use Redis or PostgreSQL"
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables that are missing; change nothing in a file that is not ours.

        Other processes may do the same at any moment. So what the file is, is read in one transaction, and read again
        in the transaction that writes.
        """
        connection.execute("BEGIN")
        self._is_new(connection)
        connection.execute("COMMIT")
        # If another process does this too, SQLite gives up at once instead of waiting.
        end = time.monotonic() + PATIENCE
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(0.01)
        connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes costs one login
        connection.execute("BEGIN IMMEDIATE")
        is_new = self._is_new(connection)
        for statement in self._tables.split(";"):
            connection.execute(statement)
        if is_new:
            connection.execute(f"PRAGMA application_id = {_OURS}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Return whether the file is empty. The caller has begun a transaction: the answer is made of three reads."""
        application, version, objects = (
            connection.execute(query).fetchone()[0]
            for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if application != _OURS and objects:
            raise _refusal(self._path, "another program made it: choose another path")
        if version > _VERSION:
            raise _refusal(self._path, f"a newer version of the SDK made it ({version}): update this one too")
        return bool(application != _OURS)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the system into those of a state."""
        try:
            yield
        except FileNotFoundError:
            raise _refusal(self._path, f"the folder {self._path.parent} does not exist: make it") from None
        except PermissionError:
            raise _refusal(self._path, "this user may not use it: let it write the file and its folder") from None
        except OSError as error:
            raise StateAwayError(f"{self._path}: {error.strerror or error}") from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LASTING:
                away = f"move it away together with {self._path.name}-wal, and a new one is made"
                raise _refusal(self._path, f"{error}. Let this user write it, or, if it is damaged, {away}") from error
            raise StateAwayError(f"{self._path}: {error}") from error


def _refusal(path: Path, why: str) -> SharedStateError:
    return SharedStateError(SdkCode.CLIENT_INTERNAL, f"the shared file {path} cannot be used: {why}")


def _file_system(path: Path) -> str:
    """Return the type of the file system that a file is on, or nothing where the system does not say it."""
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    kind, longest = "", -1
    for line in lines:
        _, folder, its_kind, *_ = [*line.split(" "), "", "", ""]
        folder = folder.replace("\\040", " ")
        if len(folder) >= longest and path.is_relative_to(folder or "/"):
            kind, longest = its_kind, len(folder)
    return kind


_OPENING = threading.RLock()
"""Held while a file is made and opened: a descriptor that is closed then must not be another object's."""
_FILES: "weakref.WeakSet[SharedFile]" = weakref.WeakSet()
_INHERITED: list[sqlite3.Connection] = []
"""Connections of a parent process. They are kept so that nothing closes them."""
_FORKING = threading.RLock()
"""Held while a fork begins and ends: the files must not become more meanwhile."""
_HELD: list[SharedFile] = []
"""The files whose steps wait while a fork is in progress."""


def _before_fork() -> None:
    _FORKING.acquire()
    _HELD.extend(_FILES)
    for each in _HELD:
        each._gate.acquire()
        each.close()
    _OPENING.acquire()


def _after_fork() -> None:
    _OPENING.release()
    for each in _HELD:
        each._gate.release()
    _HELD.clear()
    _FORKING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
