"""The limit on a file: the rule of `shared.slots` on two tables."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from iot_northbound.shared import slots as rule
from iot_northbound.shared.file import SharedFile
from iot_northbound.shared.state import HeldSlot, Slot

if TYPE_CHECKING:
    from iot_northbound.shared import Clock

LIMIT_TABLES = """
CREATE TABLE IF NOT EXISTS limit_flow (application TEXT PRIMARY KEY, flow TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS limit_slot (
    application TEXT NOT NULL, id TEXT NOT NULL, ends REAL NOT NULL, PRIMARY KEY (application, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS limit_slot_ends ON limit_slot (application, ends)"""


class FileSlots:
    """The slots of one application, in a transaction."""

    def __init__(self, connection: sqlite3.Connection, application: str) -> None:
        self._connection = connection
        self._application = application

    def drop(self, now: float) -> None:
        """Remove the slots that ended."""
        self._connection.execute("DELETE FROM limit_slot WHERE application = ? AND ends <= ?", (self._application, now))

    def count(self) -> int:
        """Return how many slots there are."""
        found = self._connection.execute("SELECT count(*) FROM limit_slot WHERE application = ?", (self._application,))
        count: int = found.fetchone()[0]
        return count

    def end(self, position: int) -> float:
        """Return the end of the slot at this position."""
        found = self._connection.execute(
            "SELECT ends FROM limit_slot WHERE application = ? ORDER BY ends LIMIT 1 OFFSET ?",
            (self._application, position),
        )
        end: float = found.fetchone()[0]
        return end

    def has(self, id: str) -> bool:
        """Return whether this slot is there."""
        found = self._connection.execute(
            "SELECT 1 FROM limit_slot WHERE application = ? AND id = ?", (self._application, id)
        )
        return found.fetchone() is not None

    def put(self, id: str, end: float) -> None:
        """Store a slot, or its new end."""
        self._connection.execute("INSERT OR REPLACE INTO limit_slot VALUES (?, ?, ?)", (self._application, id, end))

    def free(self, id: str) -> None:
        """Remove a slot, if it is there."""
        self._connection.execute("DELETE FROM limit_slot WHERE application = ? AND id = ?", (self._application, id))


class FileLimit:
    """The steps of the limit on a file; `now` is this machine's time of day."""

    _file: SharedFile
    _application: str
    _clock: "Clock"

    def take(self, owner: str, turn: int, limit: int, hold: float, id: str) -> Slot:
        """Take a slot for one call, or learn when to ask again."""
        with self._step() as (flow, held):
            return rule.take(flow, held, self._clock.now(), owner, turn, limit, hold, id)

    def settle(self, id: str, seconds: float) -> None:
        """Let a slot end `seconds` from now; 0 frees it at once."""
        with self._step() as (flow, held):
            rule.settle(flow, held, self._clock.now(), id, seconds)

    def pause(self, seconds: float) -> None:
        """Let nobody take a slot for this long."""
        with self._step() as (flow, _):
            rule.pause(flow, self._clock.now(), seconds)

    def put_back(self, slots: Sequence[HeldSlot]) -> None:
        """Store slots again, after the file was lost."""
        with self._step() as (flow, there):
            rule.put_back(flow, there, self._clock.now(), slots)

    def limit_status(self) -> rule.LimitStatus:
        """Return what is stored for the limit."""
        with self._step() as (flow, held):
            return rule.status(flow, held, self._clock.now())

    @contextlib.contextmanager
    def _step(self) -> Iterator[tuple[rule.Flow, FileSlots]]:
        with self._file.writing() as connection:
            where = (self._application,)
            found = connection.execute("SELECT flow FROM limit_flow WHERE application = ?", where).fetchone()
            flow = rule.Flow.load(found[0] if found else None)
            yield flow, FileSlots(connection, self._application)
            connection.execute("INSERT OR REPLACE INTO limit_flow VALUES (?, ?)", (self._application, flow.dump()))
