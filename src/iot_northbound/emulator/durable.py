"""The state on disk: SQLite, one row of JSON per row of state, committed before the answer is sent.

A thread of its own writes, so that the event loop never waits for the disk. The changes that come while one transaction
is being synced go into the next one together (group commit).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iot_northbound.owned_sqlite import FileInUseError, OwnedSqlite, Schema, UnfitFileError

log = logging.getLogger("iot_northbound.emulator")

Change = tuple[str, str, dict[str, Any] | None]

# Made once: json.dumps makes one for each row. Rows are values, so none contains itself.
_text = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

_SCHEMA = Schema(
    what="the state of an emulator",
    # Add one when the rows of any table get another shape. An older state is then refused and not misread.
    version=3,
    tables="CREATE TABLE rows (tab TEXT, key TEXT, row TEXT NOT NULL, PRIMARY KEY (tab, key)) WITHOUT ROWID;",
)


class DataDirError(RuntimeError):
    """Raised when the data directory cannot be used; the message says why."""


class Durable:
    """The database of one data directory, used by this process alone.

    Args:
        folder: The data directory, made when missing.

    Raises:
        DataDirError: Another process uses it, it is damaged, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.sqlite3"
        self._rows: list[tuple[str, str, dict[str, Any]]] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = OwnedSqlite(self.path, _SCHEMA, self._read)
        except FileInUseError as error:
            raise DataDirError(
                f"{folder} is in use by another emulator ({error}); stop that one, or give this one a folder of its own"
            ) from None
        except (UnfitFileError, OSError) as error:
            raise DataDirError(f"cannot use {folder}: {error}") from error
        self._pending: list[Change] = []
        self._taken = self._awaited = self._written = 0
        self._waiters: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._wake = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._writer = threading.Thread(target=self._write, name="iot-northbound-durable", daemon=True)
        self._writer.start()

    def _read(self, connection: sqlite3.Connection) -> None:
        for table, key, text in connection.execute("SELECT tab, key, row FROM rows ORDER BY tab, key"):
            row = json.loads(text)
            if not (type(table) is type(key) is type(text) is str and type(row) is dict):
                raise ValueError("a row of the state is not a JSON object")
            self._rows.append((table, key, row))

    def rows(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield all rows that were stored before the start as (table, key, row), once."""
        rows, self._rows = self._rows, []
        yield from rows

    def unfit(self, error: Exception) -> DataDirError:
        """Return the refusal of rows that the platform cannot go on from."""
        return DataDirError(
            f"cannot use {self.path}: another version or another program wrote what is in it ({error}). It was left as "
            "it is: choose another folder, or move it away"
        )

    def take(self, changes: list[Change], *, awaited: bool = True) -> None:
        """Take changes over for the next transaction. `settled` waits for them only if they are awaited."""
        if changes:
            with self._wake:
                self._pending += changes
                self._taken += 1
                if awaited:
                    self._awaited = self._taken
                self._wake.notify()

    async def settled(self) -> None:
        """Return once all awaited changes so far are on disk.

        A call that only reads waits too: its answer must not report a change that can still be lost.

        Raises:
            DataDirError: The disk failed; the state in memory is ahead of it.
        """
        with self._wake:
            if self._written >= self._awaited and self._failure is None:
                return
            self._raise_failure()
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            self._waiters.append((self._awaited, loop, future))
        await future

    def close(self) -> None:
        """Write the pending changes and release the directory."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._writer.join()
        self._file.close()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise DataDirError(f"the state can no longer be written to {self.path}: {self._failure}")

    def _write(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._pending or self._closing)
                if not self._pending:
                    return
                changes, self._pending, upto = self._pending, [], self._taken
            failure: BaseException | None = None
            try:
                self._commit(changes)
            except (sqlite3.Error, FileInUseError, OSError, TypeError, ValueError) as error:
                failure = error
                log.exception("the state could not be written to %s", self.path)
            with self._wake:
                if failure is not None:
                    self._failure = failure
                else:
                    self._written = upto
                done = [one for one in self._waiters if failure is not None or one[0] <= upto]
                self._waiters = [one for one in self._waiters if one not in done]
            for loop in {loop for _, loop, _ in done}:
                futures = [future for _, its, future in done if its is loop]
                with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                    loop.call_soon_threadsafe(self._settle, futures)
            if failure is not None:
                return  # after a gap, more writes would leave a state on disk that never existed

    def _settle(self, futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            if future.done():
                continue
            if self._failure is None:
                future.set_result(None)
            else:
                future.set_exception(DataDirError(f"the state could not be written: {self._failure}"))

    def _commit(self, changes: list[Change]) -> None:
        last = {(table, key): row for table, key, row in changes}
        gone = [key for key, row in last.items() if row is None]
        kept = [(*key, _text(row)) for key, row in last.items() if row is not None]
        with self._file.transaction() as db:
            if gone:
                db.executemany("DELETE FROM rows WHERE tab = ? AND key = ?", gone)
            if kept:
                db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", kept)
