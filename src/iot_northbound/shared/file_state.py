"""The shared state on a file: for the processes of one machine. It needs nothing but Python."""

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from iot_northbound.shared.file import SharedFile
from iot_northbound.shared.file_limit import LIMIT_TABLES, FileLimit
from iot_northbound.shared.state import (
    COOL_DOWN,
    FORGET,
    ROUNDING,
    Acquired,
    Busy,
    Failed,
    Forbidden,
    Mine,
    Newer,
    StateStatus,
    TokenRecord,
    plain,
)
from iot_northbound.shared.url import StateUrl

if TYPE_CHECKING:
    from iot_northbound.shared import Clock

_TABLES = """
CREATE TABLE IF NOT EXISTS token (
    application TEXT PRIMARY KEY, gen INTEGER NOT NULL, record BLOB, granted REAL NOT NULL, answered REAL NOT NULL,
    lifetime REAL NOT NULL, fence INTEGER NOT NULL, owner TEXT NOT NULL, until REAL NOT NULL, ttl REAL NOT NULL,
    failed_at REAL NOT NULL, failure TEXT NOT NULL, forbidden TEXT NOT NULL
) WITHOUT ROWID"""


class FileState(FileLimit):
    """The steps on a SQLite file; `now` is this machine's time of day.

    If the time of day is set back, what lies too far in the future counts as over.
    """

    def __init__(self, url: StateUrl, application: str, clock: "Clock") -> None:
        self.shown = url.shown
        self.lease = url.lease
        self._application = application
        self._clock = clock
        self._file = SharedFile(url.target, f"{_TABLES};{LIMIT_TABLES}")

    def read(self) -> TokenRecord:
        """Return the stored token, and how long it lasts."""
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT gen, record, granted, lifetime FROM token WHERE application = ?", (self._application,)
            ).fetchone()
        if found is None:
            return TokenRecord(0, None, 0.0, 0.0)
        gen, record, granted, lifetime = found
        return TokenRecord(gen, record, _left(granted, lifetime, self._clock.now()), lifetime)

    def acquire(self, owner: str, ttl: float, seen_gen: int) -> Acquired:
        """Take the lease to renew the generation that was seen."""
        with self._file.writing() as connection:
            row = self._row(connection)
            now = self._clock.now()
            if row["record"] is not None and row["gen"] != seen_gen:
                return Newer()
            if row["failure"] and 0 <= now - row["failed_at"] < COOL_DOWN:
                return Failed(row["failure"])
            left = row["until"] - now
            if 0 < left <= row["ttl"] + ROUNDING:
                return Busy(left)
            fence = row["fence"] + 1
            self._set(connection, fence=fence, owner=owner, until=now + ttl, ttl=ttl)
            return Mine(fence)

    def extend(self, fence: int, ttl: float) -> bool:
        """Let the lease last `ttl` from now; False if it is another's."""
        with self._file.writing() as connection:
            row = self._row(connection)
            if row["fence"] != fence or not row["until"]:
                return False
            self._set(connection, until=self._clock.now() + ttl, ttl=ttl)
            return True

    def time(self) -> float:
        """Return this machine's time of day."""
        return self._clock.now()

    def save(self, fence: int, record: bytes, lifetime: float, sent: float) -> int | None:
        """Store a token, and return its generation; None if it is older than the stored one."""
        with self._file.writing() as connection:
            row = self._row(connection)
            now = self._clock.now()
            mine = fence != 0 and row["fence"] == fence
            if not mine and row["record"] is not None and sent <= row["answered"]:
                return None
            gen: int = row["gen"] + 1
            times = {"granted": min(sent, now), "answered": now, "lifetime": lifetime}
            self._set(connection, gen=gen, record=record, until=0.0, failure="", **times)
            return gen

    def fail(self, fence: int, failure: str) -> None:
        """End the lease and store why nothing was renewed."""
        with self._file.writing() as connection:
            if self._row(connection)["fence"] == fence:
                told = {"failure": plain(failure), "failed_at": self._clock.now()} if failure else {}
                self._set(connection, until=0.0, **told)

    def forbid(self, endpoint: str, pause: float, gen: int) -> None:
        """Note that this endpoint refused a new token; a pause of 0 removes its note."""
        with self._file.writing() as connection:
            now = self._clock.now()
            notes = _young(self._row(connection)["forbidden"], now)
            notes.pop(endpoint, None)
            if pause:
                notes[endpoint] = [now, pause, gen]
            self._set(connection, forbidden=json.dumps(notes))

    def forbidden(self) -> Mapping[str, Forbidden]:
        """Return the notes that are younger than FORGET."""
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT forbidden FROM token WHERE application = ?", (self._application,)
            ).fetchone()
        return _notes(found[0] if found else "{}", self._clock.now())

    def clear(self) -> None:
        """Remove token, failure and notes. The generation stays."""
        with self._file.writing() as connection:
            self._row(connection)
            self._set(connection, record=None, failure="", forbidden="{}")

    def status(self) -> StateStatus:
        """Return what is stored."""
        with self._file.writing() as connection:
            row = self._row(connection)
            now = self._clock.now()
        lease = row["until"] - now
        return StateStatus(
            gen=row["gen"],
            present=row["record"] is not None,
            left=_left(row["granted"], row["lifetime"], now),
            lifetime=row["lifetime"],
            age=now - row["granted"],
            owner=row["owner"],
            lease_left=lease if 0 < lease <= row["ttl"] + ROUNDING else 0.0,
            failure=row["failure"],
            failed_ago=now - row["failed_at"],
            forbidden=_notes(row["forbidden"], now),
            **self.limit_status()._asdict(),
        )

    def close(self) -> None:
        """Close the file. A later step opens it again."""
        self._file.close()

    # -- the row -----------------------------------------------------------------------------------------------------

    def _row(self, connection: sqlite3.Connection) -> dict[str, Any]:
        """Return the application's row, which is made if it is missing."""
        connection.execute(
            "INSERT OR IGNORE INTO token VALUES (?, 0, NULL, 0, 0, 0, 0, '', 0, 0, 0, '', '{}')", (self._application,)
        )
        found = connection.execute("SELECT * FROM token WHERE application = ?", (self._application,))
        names = [each[0] for each in found.description]
        return dict(zip(names, found.fetchone(), strict=True))

    def _set(self, connection: sqlite3.Connection, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        connection.execute(
            f"UPDATE token SET {columns} WHERE application = ?",
            (*values.values(), self._application),
        )


def _left(granted: float, lifetime: float, now: float) -> float:
    return min(granted + lifetime - now, lifetime)


def _young(text: str, now: float) -> dict[str, list[float]]:
    notes: dict[str, list[float]] = json.loads(text)
    return {endpoint: note for endpoint, note in notes.items() if 0 <= now - note[0] < FORGET}


def _notes(text: str, now: float) -> dict[str, Forbidden]:
    return {endpoint: Forbidden(now - at, pause, int(gen)) for endpoint, (at, pause, gen) in _young(text, now).items()}
