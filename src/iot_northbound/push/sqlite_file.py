"""The SQLite file of the durable inbox: its tables, its owner, its statements."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from iot_northbound.owned_sqlite import FileInUseError, OwnedSqlite, Schema, UnfitFileError, damaged
from iot_northbound.push.duplicates import Trace
from iot_northbound.push.inbox import InboxError, InboxInUseError, MessageGoneError
from iot_northbound.push.parse import NotAMessageError

_VERSION = 3
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
CREATE TABLE seen (
    identity BLOB NOT NULL,
    at REAL NOT NULL,
    era INTEGER NOT NULL,
    certain INTEGER NOT NULL
);
"""
_BEGUN = "CREATE TABLE IF NOT EXISTS begun (id INTEGER PRIMARY KEY, times INTEGER NOT NULL)"
"""Not among the tables above, because files of earlier versions lack it, and earlier versions can do without it."""
_HIGHEST_ID = 1 << 62
_EARLIEST, _LATEST = -62_135_596_800.0, 253_402_300_800.0
"""The years 1 and 10000: a number outside is not a time of arrival."""
_FORGET_AT_ONCE = 2_000
"""Old entries of `seen` deleted in one transaction; more would delay the answers that wait for it."""
_SPARE_PAGES = 4_096
"""Empty pages of 4 KiB that the file keeps for the next messages."""
_SHRINK_PAGES = 1_024
"""Empty pages given back to the disk in one transaction."""
_LOG_BYTES = 32 * 1024 * 1024
"""Size to which the write-ahead log is cut after it was larger."""
_SCHEMA = Schema("an inbox", _VERSION, _TABLES, ("auto_vacuum = INCREMENTAL", f"journal_size_limit = {_LOG_BYTES}"))


@attrs.frozen
class Left:
    """A message of a file that another process left.

    Attributes:
        id: its id in that file.
        kind: its kind.
        device: the key of its order.
        received_at: when it came, in seconds since the epoch.
        body: its body.
        dead: 1 if it is a dead letter, else 0.
        attempts: how often its handlers failed, if it is a dead letter.
        error: how they failed.
        begun: how often a process that ended without a word may have begun it.
    """

    id: int
    kind: str
    device: str
    received_at: float
    body: bytes = attrs.field(repr=False)
    dead: int
    attempts: int
    error: str
    begun: int


class Transaction:
    """One transaction on the file; it is committed and synced as a whole."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, rows: list[tuple[int, str, str, float, bytes]]) -> None:
        """Add messages: id, kind, device, received_at, body."""
        self._many("INSERT INTO messages (id, kind, device, received_at, body) VALUES (?, ?, ?, ?, ?)", rows)

    def remember(self, traces: list[Trace]) -> None:
        """Add the traces by which repetitions are recognised."""
        rows = [(each.identity, each.at, each.era, each.certain) for each in traces]
        self._many("INSERT INTO seen (identity, at, era, certain) VALUES (?, ?, ?, ?)", rows)

    def delete(self, rows: list[tuple[int]]) -> None:
        """Delete messages by id."""
        self._many("DELETE FROM messages WHERE id = ?", rows)

    def bury(self, rows: list[tuple[int, str, int]]) -> None:
        """Turn messages into dead letters: attempts, error, id."""
        self._many("UPDATE messages SET dead = 1, attempts = ?, error = ? WHERE id = ?", rows)

    def begin(self, rows: list[tuple[int, int]]) -> None:
        """Note how often messages were begun: id, times."""
        self._many("INSERT OR REPLACE INTO begun (id, times) VALUES (?, ?)", rows)

    def bring(self, rows: list[tuple[int, Left]]) -> None:
        """Add messages of another file, with their ids here."""
        self.insert([(new, left.kind, left.device, left.received_at, left.body) for new, left in rows])
        self.bury([(left.attempts, left.error, new) for new, left in rows if left.dead])
        self.begin([(new, left.begun) for new, left in rows if left.begun])

    def dead(self, ids: list[int] | None) -> list[tuple[int, str]]:
        """Return id and device of the dead letters with these ids, or of all."""
        if ids is None:
            return self._connection.execute("SELECT id, device FROM messages WHERE dead ORDER BY id").fetchall()
        found = []
        for message_id in ids:
            query = self._connection.execute("SELECT id, device FROM messages WHERE id = ? AND dead", (message_id,))
            found += query.fetchall()
        return found

    def revive(self, old: int, new: int) -> None:
        """Turn a dead letter into a waiting message at the end."""
        # Inserted again, because SQLite notes the highest id ever given only when it inserts.
        columns = "kind, device, received_at, body"
        self._connection.execute(
            f"INSERT INTO messages (id, {columns}) SELECT ?, {columns} FROM messages WHERE id = ?",
            (new, old),
        )
        self.delete([(old,)])

    def forget_old(self, before: float, most: int) -> None:
        """Delete entries of `seen` that are older, or more than the number that is remembered."""
        # Two queries: for min and max in one query, SQLite reads the whole table.
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


class Content:
    """The content of an inbox file at the start."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def seen(self) -> Iterable[Trace]:
        """Return the traces by which repetitions are recognised, oldest first.

        Raises:
            ValueError: it is damaged.
        """
        statement = "SELECT identity, at, era, certain FROM seen ORDER BY rowid"
        for identity, at, era, certain in self._connection.execute(statement):
            if not (type(identity) is bytes and _is_time(at) and type(era) is int and certain in (0, 1)):
                raise ValueError("a trace by which repetitions are recognised has values of a wrong type")
            yield Trace(identity, at, era, bool(certain))

    def messages(self) -> Iterable[tuple[int, str, float, int, int]]:
        """Return id, device, received_at, size and `dead` of every message, in order of arrival.

        Raises:
            ValueError: one is damaged.
        """
        statement = (
            "SELECT id, kind, device, received_at, typeof(body), length(body), dead, attempts, error"
            " FROM messages ORDER BY id"
        )
        for message_id, kind, device, at, body, size, dead, attempts, error in self._connection.execute(statement):
            texts = type(kind) is type(device) is type(error) is str
            if not (texts and _is_time(at) and body == "blob" and dead in (0, 1) and type(attempts) is int):
                raise ValueError(f"message {message_id} has values of a wrong type")
            yield message_id, device, at, size, dead

    def begun(self) -> dict[int, int]:
        """Return how often messages were begun by processes that ended without a word, for those that are known.

        Raises:
            ValueError: a number is damaged.
        """
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'begun'").fetchone():
            return {}
        found = dict(self._connection.execute("SELECT id, times FROM begun"))
        if any(type(times) is not int for times in found.values()):
            raise ValueError("how often a message was begun is not a number")
        return found

    def last_id(self) -> int:
        """Return the highest id ever given.

        Raises:
            ValueError: it is lower than one in use, or not a number.
        """
        given = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        used = self._connection.execute("SELECT max(id) FROM messages").fetchone()[0] or 0
        last = given[0] if given else 0
        if type(last) is not int or not used <= last < _HIGHEST_ID:
            raise ValueError("the number of the last message is wrong")
        return last


def _is_time(value: object) -> bool:
    return type(value) is float and _EARLIEST <= value < _LATEST


class InboxFile:
    """An open inbox file. One thread may write, any thread may read.

    Args:
        path: the file.
        read: called with its content, before anything is written.

    Raises:
        InboxInUseError: another receiver has it open.
        InboxError: it cannot be opened, is damaged, or is not an inbox of this version.
    """

    def __init__(self, path: Path, read: Callable[[Content], None] = lambda content: None) -> None:
        self._reading = threading.Lock()
        try:
            self._file = OwnedSqlite(path, _SCHEMA, lambda connection: read(Content(connection)))
        except FileInUseError as error:
            raise InboxInUseError(
                f"{path} is in use by another receiver ({error}): give each process an inbox of its own"
            ) from None
        except UnfitFileError as error:
            raise InboxError(f"the inbox {path} cannot be opened: {error}") from error
        self.suspect = self._file.ended_uncleanly
        """Whether the last owner ended without a word, perhaps because of one of the messages."""
        self._write, self._read = self._file.writer, self._file.connect()
        try:
            with self._file.transaction() as connection:
                connection.execute(_BEGUN)
                connection.execute("DELETE FROM begun WHERE id NOT IN (SELECT id FROM messages WHERE NOT dead)")
                # Changes nothing, but is written: from now on a log is there until the file is closed.
                connection.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.Error as error:
            self._file.close()
            raise InboxError(f"the inbox {path} cannot be written: {error}") from error

    @property
    def inherited(self) -> bool:
        """Whether this process was forked from the one that opened the file."""
        return self._file.inherited

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit what the block writes; if it raises, write nothing."""
        with self._file.transaction() as connection:
            yield Transaction(connection)

    def shrink(self) -> None:
        """Return some space to the disk if much of the file is empty after many messages."""
        with self._file.gate:
            if self._write.execute("PRAGMA freelist_count").fetchone()[0] > _SPARE_PAGES:
                # As a script, because a single statement is executed for one step and frees one page.
                self._write.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")

    def body(self, message_id: int) -> tuple[bytes, float]:
        """Return the body and the time of arrival of a message.

        Raises:
            MessageGoneError: there is no such message.
            NotAMessageError: the file is damaged there.
        """
        statement = "SELECT body, received_at FROM messages WHERE id = ?"
        try:
            with self._reading:
                row = self._read.execute(statement, (message_id,)).fetchone()
        except sqlite3.Error as error:
            if damaged(error):
                raise NotAMessageError(f"the inbox is damaged at message {message_id}: {error}") from error
            raise
        if row is None:
            raise MessageGoneError(f"message {message_id} is no longer in the inbox")
        body, received_at = row
        if type(body) is not bytes or not _is_time(received_at):
            raise NotAMessageError(f"the inbox is damaged at message {message_id}")
        return body, received_at

    def left(self, after: int, limit: int) -> list[Left]:
        """Return the messages with a higher id, the oldest first, for another inbox."""
        statement = (
            "SELECT messages.id, kind, device, received_at, body, dead, attempts, error, coalesce(times, 0)"
            " FROM messages LEFT JOIN begun USING (id) WHERE messages.id > ? ORDER BY messages.id LIMIT ?"
        )
        with self._reading:
            rows = self._read.execute(statement, (after, limit)).fetchall()
        return [Left(*row) for row in rows]

    def dead_letters(self, limit: int) -> list[tuple[int, str, str, float, int, str, bytes]]:
        """Return id, kind, device, received_at, attempts, error and body of the oldest dead letters."""
        statement = (
            "SELECT id, kind, device, received_at, attempts, error, body FROM messages WHERE dead ORDER BY id LIMIT ?"
        )
        try:
            with self._reading:
                return self._read.execute(statement, (limit,)).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise InboxError(f"the dead letters cannot be read: {error}") from error

    def close(self, *, delete: bool = False) -> None:
        """Close it, and delete it if it is needed no more."""
        self._file.close(delete=delete)
