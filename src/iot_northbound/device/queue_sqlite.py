"""A queue in a SQLite file: what it took is sent, whatever happens to the process."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

from iot_northbound.device.failures import QueueError, QueueInUseError
from iot_northbound.device.queue import Message, checked_limit
from iot_northbound.errors import InvalidArgumentError, SdkCode
from iot_northbound.owned_sqlite import FileInUseError, OwnedSqlite, Schema, UnfitFileError, damaged

_TABLES = """
CREATE TABLE device (id TEXT NOT NULL);
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    qos INTEGER NOT NULL
);
"""
_LOG_BYTES = 4 * 1024 * 1024
_SCHEMA = Schema("the queue of a device", 1, _TABLES, (f"journal_size_limit = {_LOG_BYTES}",))


class SqliteQueue:
    """Messages wait in a file, which belongs to one device and one client at a time.

    A message is on disk when `report` returns. It is removed after its PUBACK, so a process that ends in between sends
    it a second time: at least once, never less.

    Args:
        path: the file; it is created if it is missing, and only its owner can read it. Its folder must exist.
        limit: how many messages may wait. If there are more, the oldest is dropped.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
    """

    def __init__(self, path: str | PathLike[str], limit: int = 10_000) -> None:
        try:
            self.path = Path(path).expanduser()
        except (TypeError, RuntimeError) as error:
            raise InvalidArgumentError.of("SqliteQueue.path", repr(path)[:80], f"it must be a path ({error})") from None
        self.limit = checked_limit("SqliteQueue.limit", limit)
        self._file: OwnedSqlite | None = None

    def open(self, device_id: str) -> list[tuple[int, Message]]:
        """Open the file, and return what an earlier run has left, oldest first.

        Raises:
            QueueInUseError: another client, or another process, has it open.
            QueueError: it cannot be opened, is damaged, or belongs to another device. It was left as it is.
        """
        left: list[tuple[int, Message]] = []
        owners: list[str] = []

        def read(connection: sqlite3.Connection) -> None:
            owners.extend(each for (each,) in connection.execute("SELECT id FROM device"))
            left.extend(_messages(connection))

        try:
            if self._file is not None:
                raise FileInUseError("this queue is open already")
            file = OwnedSqlite(self.path, _SCHEMA, read)
        except FileInUseError as error:
            raise QueueInUseError(
                SdkCode.QUEUE, f"the queue {self.path} is in use ({error}): give each device a file of its own"
            ) from None
        except UnfitFileError as error:
            raise QueueError(SdkCode.QUEUE, f"the queue {self.path} cannot be opened: {error}") from error
        if owners and owners != [device_id]:
            file.close()
            raise QueueError(
                SdkCode.QUEUE, f"the queue {self.path} belongs to the device {owners[0]}, not to {device_id}"
            )
        self._file = file
        if not owners:
            with self._transaction() as connection:
                connection.execute("INSERT INTO device (id) VALUES (?)", (device_id,))
        return left

    def add(self, message: Message, instead_of: Sequence[int] = ()) -> int:
        """Write a message, delete those with the given numbers, and return the number of the new one.

        Raises:
            QueueError: the file cannot be written; nothing was changed.
        """
        with self._transaction() as connection:
            connection.executemany("DELETE FROM messages WHERE seq = ?", [(each,) for each in instead_of])
            cursor = connection.execute(
                "INSERT INTO messages (topic, payload, qos) VALUES (?, ?, ?)",
                (message.topic, message.payload, message.qos),
            )
            seq = cursor.lastrowid
        return int(seq or 0)

    def remove(self, seqs: Sequence[int]) -> None:
        """Delete the messages with these numbers.

        Raises:
            QueueError: the file cannot be written.
        """
        with self._transaction() as connection:
            connection.executemany("DELETE FROM messages WHERE seq = ?", [(each,) for each in seqs])

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._file is None:
            raise QueueError(SdkCode.QUEUE, f"the queue {self.path} is not open")
        if self._file.inherited:
            raise QueueInUseError(SdkCode.QUEUE, f"the queue {self.path} belongs to the process that opened it")
        try:
            with self._file.transaction() as connection:
                yield connection
        except FileInUseError as error:
            raise QueueInUseError(SdkCode.QUEUE, f"the queue {self.path}: {error}") from error
        except (sqlite3.Error, OSError) as error:
            what = "it is damaged" if damaged(error) else "it cannot be written"
            raise QueueError(SdkCode.QUEUE, f"the queue {self.path}: {what} ({error})") from error


def _messages(connection: sqlite3.Connection) -> Iterator[tuple[int, Message]]:
    for seq, topic, payload, qos in connection.execute("SELECT seq, topic, payload, qos FROM messages ORDER BY seq"):
        if type(topic) is not str or type(payload) is not bytes or qos not in (0, 1):
            raise ValueError(f"message {seq} has values of a wrong type")
        yield seq, Message(topic, payload, qos)
