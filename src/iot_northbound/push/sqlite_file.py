"""The SQLite file of the durable inbox: its tables, its owner, its statements."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from iot_northbound.push.inbox import InboxError, InboxInUseError, MessageGoneError

_VERSION = 1
_TABLES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    device TEXT NOT NULL,
    received_at REAL NOT NULL,
    body BLOB NOT NULL,
    dead INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX dead_letters ON messages (id) WHERE dead;
CREATE TABLE seen (slot BLOB NOT NULL, identity BLOB NOT NULL, at REAL NOT NULL);
"""
_FORGET_AT_ONCE = 2_000
"""Old entries of `seen` deleted in one transaction; more would hold up the answers that wait for it."""


_SPARE_PAGES = 4_096
"""Empty pages of 4 KiB that the file keeps for the next messages."""
_SHRINK_PAGES = 1_024
"""Empty pages given back to the disk in one transaction."""
_LOG_BYTES = 32 * 1024 * 1024
"""What the write-ahead log beside the file is cut to once a larger one was used up."""


class Transaction:
    """What may be written; committed and synced as a whole."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, rows: list[tuple[int, str, str, float, bytes]]) -> None:
        """Add messages: id, kind, device, received_at, body."""
        self._many("INSERT INTO messages (id, kind, device, received_at, body) VALUES (?, ?, ?, ?, ?)", rows)

    def remember(self, rows: list[tuple[bytes | None, bytes, float]]) -> None:
        """Add what repetitions are recognised by: slot, identity, time."""
        self._many("INSERT INTO seen (slot, identity, at) VALUES (?, ?, ?)", rows)

    def delete(self, rows: list[tuple[int]]) -> None:
        """Delete messages by id."""
        self._many("DELETE FROM messages WHERE id = ?", rows)

    def bury(self, rows: list[tuple[int, str, int]]) -> None:
        """Turn messages into dead letters: attempts, error, id."""
        self._many("UPDATE messages SET dead = 1, attempts = ?, error = ? WHERE id = ?", rows)

    def dead(self, ids: list[int] | None) -> list[tuple[int, str]]:
        """Return id and device of the dead letters named, or of all."""
        if ids is None:
            return self._connection.execute("SELECT id, device FROM messages WHERE dead ORDER BY id").fetchall()
        found = []
        for message_id in ids:
            query = self._connection.execute("SELECT id, device FROM messages WHERE id = ? AND dead", (message_id,))
            found += query.fetchall()
        return found

    def revive(self, old: int, new: int) -> None:
        """Make a dead letter a waiting message at the end."""
        # Inserted anew, as SQLite notes the highest id ever given at insertions alone.
        columns = "kind, device, received_at, body"
        self._connection.execute(
            f"INSERT INTO messages (id, {columns}) SELECT ?, {columns} FROM messages WHERE id = ?",
            (new, old),
        )
        self.delete([(old,)])

    def forget_old(self, before: float, most: int) -> None:
        """Delete entries of `seen` that are older, or beyond the number that is remembered."""
        # Two queries in one, as SQLite reads the whole table for min and max of one.
        bounds = "SELECT (SELECT min(rowid) FROM seen), (SELECT max(rowid) FROM seen)"
        first, last = self._connection.execute(bounds).fetchone()
        if first is None:
            return
        until = min(max(last - most, first - 1), first + _FORGET_AT_ONCE)
        oldest = self._connection.execute("SELECT at FROM seen WHERE rowid = ?", (first,)).fetchone()
        if until >= first or oldest[0] < before:
            self._connection.execute(
                "DELETE FROM seen WHERE rowid <= ? OR (rowid < ? AND at < ?)", (until, first + _FORGET_AT_ONCE, before)
            )

    def _many(self, statement: str, rows: list[Any]) -> None:
        if rows:
            self._connection.executemany(statement, rows)


class InboxFile:
    """An open inbox file. Writing is for one thread, reading for any.

    Raises:
        InboxInUseError: another receiver has it open.
        InboxError: it cannot be opened, or is something else than an inbox of this version.
    """

    def __init__(self, path: Path) -> None:
        self._reading = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        path = path.resolve()  # two names of one file have one owner
        try:
            self._own(Path(f"{path}-owner"))
            self._write = self._connect(path)
            self._prepare()
            self._read = self._connect(path)
        except InboxError:
            self.close()
            raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise InboxError(f"the inbox {path} cannot be opened: {error}") from error

    def _connect(self, path: Path, timeout: float = 10.0) -> sqlite3.Connection:
        # Only its owner may read the devices' data; SQLite gives the log beside a file the same rights.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=timeout)
        self._open.append(connection)
        return connection

    def _own(self, path: Path) -> None:
        """Hold a lock that ends with this process, however it ends: an open transaction on a file of its own."""
        try:
            self._connect(path, timeout=0).execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise InboxInUseError(
                f"{path.with_name(path.name.removesuffix('-owner'))} is in use by another receiver ({error}): "
                "give each process an inbox of its own"
            ) from None

    def _prepare(self) -> None:
        version = self._write.execute("PRAGMA user_version").fetchone()[0]
        tables = self._write.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version not in (0, _VERSION) or (version == 0 and tables):
            raise InboxError(f"the file is not an inbox of this version (it says {version}): choose another path")
        self._write.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts before the first table alone
        self._write.execute("PRAGMA journal_mode = WAL")
        self._write.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        self._write.execute("PRAGMA synchronous = FULL")
        self._write.execute("PRAGMA fullfsync = ON")  # macOS: through the drive's own cache
        if not tables:
            self._write.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit what the block writes, or nothing of it where it raises."""
        self._write.execute("BEGIN IMMEDIATE")
        try:
            yield Transaction(self._write)
            self._write.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._write.execute("ROLLBACK")
            raise

    def shrink(self) -> None:
        """Give some room back to the disk, where much of the file is empty after a crowd of messages."""
        if self._write.execute("PRAGMA freelist_count").fetchone()[0] > _SPARE_PAGES:
            # As a script, since a single statement is stepped once, and frees one page.
            self._write.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")

    def seen(self) -> Iterable[tuple[bytes, bytes, float]]:
        """Return what repetitions are recognised by, oldest first."""
        return self._write.execute("SELECT slot, identity, at FROM seen ORDER BY rowid")

    def messages(self) -> Iterable[tuple[int, str, float, int, int]]:
        """Return id, device, received_at, size and whether dead of every message, in order of arrival."""
        return self._write.execute("SELECT id, device, received_at, length(body), dead FROM messages ORDER BY id")

    def last_id(self) -> int:
        """Return the highest id ever given."""
        row = self._write.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        return int(row[0]) if row else 0

    def body(self, message_id: int) -> tuple[bytes, float]:
        """Return body and time of arrival of a message.

        Raises:
            MessageGoneError: there is no such message.
        """
        with self._reading:
            row = self._read.execute("SELECT body, received_at FROM messages WHERE id = ?", (message_id,)).fetchone()
        if row is None:
            raise MessageGoneError(f"message {message_id} is no longer in the inbox")
        return row[0], row[1]

    def dead_letters(self, limit: int) -> list[tuple[int, str, str, float, int, str, bytes]]:
        """Return id, kind, device, received_at, attempts, error and body of the oldest dead letters."""
        statement = (
            "SELECT id, kind, device, received_at, attempts, error, body FROM messages WHERE dead ORDER BY id LIMIT ?"
        )
        with self._reading:
            return self._read.execute(statement, (limit,)).fetchall()

    def close(self) -> None:
        """Close every connection; the owner's lock goes last."""
        for connection in reversed(self._open):
            connection.close()
        self._open.clear()
