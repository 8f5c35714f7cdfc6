"""The journal of a bulk job: which rows were begun, and what became of them.

A row is noted before its call is sent, and its outcome when the answer is there. So a process that is killed at any
point leaves three kinds of rows: not noted (never sent), noted with an outcome, and noted without one (perhaps sent).
The file contains the secrets of new devices, which the platform sends only once; only its owner can read it. The
secrets that rows contain are not in it: of a row it has a hash, and the other fields.
"""

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from iot_northbound import errors
from iot_northbound.bulk.results import BulkReport, BulkResult, Results
from iot_northbound.errors import InvalidArgumentError, NorthApiException, SdkCode
from iot_northbound.owned_sqlite import FileInUseError, OwnedSqlite, Schema, UnfitFileError

T = TypeVar("T")


class State(IntEnum):
    """How far a row is."""

    BEGUN = 0
    DONE = 1
    FAILED = 2
    UNKNOWN = 3
    """It failed, and may have had an effect all the same."""


class Noted(NamedTuple):
    """What the journal has of a row."""

    state: State
    digest: bytes


_ROWS = "FROM rows LEFT JOIN outcomes USING (number)"
_AT_ONCE = 100
"""Rows in one statement."""
_SCHEMA = Schema(
    "a journal of bulk jobs",
    2001,
    """
CREATE TABLE job (name TEXT NOT NULL, application TEXT NOT NULL);
CREATE TABLE rows (number INTEGER PRIMARY KEY, key TEXT, digest BLOB NOT NULL, input TEXT NOT NULL);
CREATE TABLE outcomes (
    number INTEGER PRIMARY KEY, state INTEGER NOT NULL, value TEXT, error TEXT, seconds REAL NOT NULL
);
CREATE INDEX rows_by_key ON rows (key) WHERE key IS NOT NULL;
""",
)


class Journal:
    """The rows of one job, in a file or, without a path, in a temporary file that ends with this object.

    Args:
        path: the file; it is made if it is missing.
        job: the job's name.
        application: host:port/application id of the platform.

    Raises:
        InvalidArgumentError: the file cannot be used, is damaged, is in use, or is the journal of another job (1007).
    """

    def __init__(self, path: str | os.PathLike[str] | None, job: str, application: str) -> None:
        self._owned: OwnedSqlite | None = None
        self._begun: list[tuple[Any, ...]] = []
        self._ended: list[tuple[Any, ...]] = []
        self._twins: dict[str, int] = {}
        self._last = 0
        """The last row that an earlier run noted."""
        self._lock = threading.RLock()
        if path is None:
            self._own = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._own.executescript(f"PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; {_SCHEMA.tables}")
            return
        try:
            self._path = Path(path)
            self._owned = OwnedSqlite(self._path, _SCHEMA, _check)
        except (FileInUseError, UnfitFileError, TypeError) as error:
            raise InvalidArgumentError.of("journal", str(path), str(error)) from error
        try:
            self._own = self._owned.writer
            self._claim(job, application)
        except BaseException:
            self._owned.close()
            raise

    def _claim(self, job: str, application: str) -> None:
        with self.writing():
            self._last = self._own.execute("SELECT coalesce(max(number), 0) FROM rows").fetchone()[0]
            known = self._own.execute("SELECT name, application FROM job").fetchone()
            if known is None:
                self._own.execute("INSERT INTO job VALUES (?, ?)", (job, application))
            elif known != (job, application):
                raise InvalidArgumentError.of(
                    "journal", str(self._path), f"it is the journal of {known[0]} on {known[1]}: choose another file"
                )

    def close(self) -> None:
        """Release the file. The report still reads it; a temporary file stays until the report ends."""
        if self._owned is not None:
            self._owned.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Keep what the block writes, all of it or nothing."""
        with self._transaction():
            self._begun, self._ended = [], []
            yield
            # Few statements: each of them lets the threads of the job run, and waits until they let this one go on.
            self._insert("rows", self._begun)
            self._insert("outcomes", self._ended)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._owned is not None:
            with self._owned.transaction():
                yield
            return
        with self._lock:
            self._own.execute("BEGIN")
            try:
                yield
                self._own.execute("COMMIT")
            except BaseException:
                self._own.execute("ROLLBACK")
                raise

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            places = ",".join(["(" + ",".join("?" * len(some[0])) + ")"] * len(some))
            self._own.execute(f"INSERT OR REPLACE INTO {table} VALUES {places}", [each for row in some for each in row])

    # -- inside of `writing` -----------------------------------------------------------------------------------------

    def noted(self, number: int) -> Noted | None:
        """Return what an earlier run noted of a row."""
        if number > self._last:
            return None
        query = (
            "SELECT coalesce(state, ?), digest FROM rows LEFT JOIN outcomes USING (number) WHERE rows.number = ?"
        )  # fmt: skip
        found = self._own.execute(query, (State.BEGUN, number)).fetchone()
        return Noted(State(found[0]), found[1]) if found else None

    def expect(self, keys: list[str], first: int) -> None:
        """Prepare `twin` for rows with these keys, the first of which has this number.

        What an earlier run noted of this row and the next ones does not count: they may have other keys now.
        """
        self._twins = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            places = ",".join("?" * len(some))
            query = f"SELECT key, min(number) FROM rows WHERE key IN ({places}) AND number < ? GROUP BY key"
            self._twins |= dict(self._own.execute(query, [*some, first]).fetchall())

    def twin(self, number: int, key: str) -> int | None:
        """Return the number of an earlier row with this key."""
        first = self._twins.setdefault(key, number)
        return first if first < number else None

    def begin(self, number: int, key: str | None, digest: bytes, input: str) -> None:
        """Note that a row's call may be sent from now on."""
        self._begun.append((number, key, digest, input))
        if number <= self._last:
            self._own.execute("DELETE FROM outcomes WHERE number = ?", (number,))

    def end(
        self, number: int, value: Any, error: NorthApiException | None, seconds: float, state: State | None = None
    ) -> None:
        """Note what became of a row; the error says its state if none is given."""
        if state is None:
            state = State.DONE if error is None else State.UNKNOWN if error.outcome_unknown else State.FAILED
        self._ended.append((number, state, _dump(value), None if error is None else _dump(_packed(error)), seconds))

    def forget(self, number: int) -> None:
        """Note that a row's call was not sent after all."""
        self._own.execute("DELETE FROM rows WHERE number = ?", (number,))

    # -- the report --------------------------------------------------------------------------------------------------

    def report(self, read: Callable[[Any], T], resumed: int) -> "BulkReport[T]":
        """Return the results of all rows that were begun. `read` makes the value of a result from its JSON.

        A row without an outcome may have been sent: an earlier run was killed, or its outcome could not be written.
        """

        def results(where: str) -> Results[T]:
            with self._reading() as connection:
                (count,) = connection.execute(f"SELECT count(*) {_ROWS} WHERE {where}").fetchone()
            return Results(count, lambda: self._results(where, read))

        done = results(f"state = {State.DONE}")
        return BulkReport(done, results(f"state IS NOT {State.DONE}"), results("1"), resumed)

    def _results(self, where: str, read: Callable[[Any], T]) -> Iterator[BulkResult[T]]:
        query = (
            f"SELECT rows.number, key, input, value, error, coalesce(seconds, 0.0), state {_ROWS} "
            f"WHERE {where} AND rows.number > ?"
        )
        last = 0
        while True:
            with self._reading() as connection:
                page = connection.execute(f"{query} ORDER BY rows.number LIMIT 500", (last,)).fetchall()
            if not page:
                return
            for last, key, input, value, error, seconds, state in page:
                yield BulkResult(
                    row=last,
                    key=key,
                    input=json.loads(input),
                    ok=state == State.DONE,
                    value=None if value is None else read(json.loads(value)),
                    error=lost() if state is None else None if error is None else _unpacked(json.loads(error)),
                    seconds=seconds,
                )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._owned is None:
            with self._lock:
                yield self._own
            return
        uri = f"{self._path.resolve().as_uri()}?mode=ro"
        try:
            opened = sqlite3.connect(uri, uri=True, isolation_level=None)
        except sqlite3.OperationalError:
            if self._path.exists():
                raise
            why = "it was deleted, and the results with it"
            raise InvalidArgumentError.of("journal", str(self._path), why) from None
        with contextlib.closing(opened) as connection:
            yield connection


def _check(connection: sqlite3.Connection) -> None:
    """Raise a ValueError unless everything in a journal can be read: a job must not find that out half-way."""
    for each in connection.execute("SELECT name, application FROM job"):
        if not all(type(text) is str for text in each):
            raise ValueError("what it says about its job is not text")
    query = f"SELECT rows.number, key, digest, input, state, value, error, seconds {_ROWS}"
    for number, key, digest, input, state, value, error, seconds in connection.execute(query):
        whole = type(digest) is bytes and (key is None or type(key) is str) and _is_json(input, dict)
        ended = state in _STATES and (value is None or _is_json(value)) and (error is None or _is_json(error, dict))
        if not (whole and (state is None or (ended and type(seconds) is float))):
            raise ValueError(f"row {number} has values of a wrong type")


_STATES = frozenset(State)


def _is_json(text: object, kind: type = object) -> bool:
    try:
        return type(text) is str and isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False


def lost(words: str = "an earlier run ended before the answer came") -> NorthApiException:
    """Return the error of a row whose outcome is unknown."""
    return NorthApiException(SdkCode.NO_ANSWER, words, outcome_unknown=True)


def _dump(value: Any) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


def _packed(error: NorthApiException) -> dict[str, Any]:
    facts = {name: fact for name, fact in vars(error).items() if fact is None or isinstance(fact, str | int | float)}
    return {"class": type(error).__name__, **facts}


def _unpacked(facts: dict[str, Any]) -> NorthApiException:
    cls = getattr(errors, str(facts.pop("class", "")), NorthApiException)
    if not (isinstance(cls, type) and issubclass(cls, NorthApiException)):
        cls = NorthApiException
    error = cls(facts.get("error_code", ""), facts.get("error_desc", ""))
    vars(error).update(facts)
    return error
