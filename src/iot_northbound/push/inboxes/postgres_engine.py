"""What a sharded inbox asks PostgreSQL for: connections, statements, and errors that say what to do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from zlib import crc32

from iot_northbound._extras import needs_extra
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import InboxConfigError, InboxError, InboxStats
from iot_northbound.push.inboxes import postgres_schema as sql
from iot_northbound.shared.postgres_link import Link, Target, is_lasting

with needs_extra("postgres"):
    import psycopg
    from psycopg.sql import SQL, Identifier, Literal

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Given = Mapping[str, Any]

PATIENCE = 8.0
"""Seconds that a statement may take: less than the time in which the platform is answered."""
_MISSING = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
_OURS_TO_BLAME = (psycopg.OperationalError, psycopg.InterfaceError)
"""Errors of the server or of the connection. All others come from what was sent."""
_IN_THE_WAY = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
"""Another process was: nothing happened, and the statement is repeated. The role may have a strict isolation level."""
_OLDEST = 120_000
_RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE"]


class AwayError(InboxError):
    """The server is away, or does not work."""


class RefusedDataError(InboxError):
    """The server does not take what was sent."""


class Session:
    """One connection for one purpose, made when it is first needed and again after a failure."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._link: Link | None = None

    def run(self, work: Callable[[Link], T]) -> T:
        """Return what `work` returns for an open connection.

        Raises:
            AwayError: the server is away. It is not known whether it did the work.
            RefusedDataError: the server refuses the statement; nothing was done.
        """
        with self._lock:
            try:
                if self._link is not None and self._link.has_news():
                    self._link.close()
                    self._link = None
                if self._link is None:
                    self._link = self._engine.target.connect(PATIENCE)
                return work(self._link)
            except psycopg.Error as error:
                self._forget()  # it may be in the middle of an answer or of a transaction
                kind = AwayError if isinstance(error, _OURS_TO_BLAME) else RefusedDataError
                raise kind(f"PostgreSQL at {self._engine.target.where}: {self._engine.target.why(error)}") from error
            except BaseException:
                self._forget()
                raise

    def rows(self, statement: str, **given: Any) -> Rows:
        """Return the rows of one statement, which is a transaction of its own."""

        def work(link: Link) -> Rows:
            while True:
                with contextlib.suppress(*_IN_THE_WAY):
                    cursor = link.execute(self._engine.sql(statement), given)
                    return cursor.fetchall() if cursor.description else []

        return self.run(work)

    def transaction(self, statement: str, given: Given) -> Rows:
        """Return the rows of a statement under the locks of `locked`, and commit. It is all sent at once."""

        def work(link: Link) -> Rows:
            with link.pipeline():
                link.execute(sql.BEGIN)
                link.execute(sql.LOCK_SHARDS, {"lock": self._engine.lock, "locked": given["locked"]})
                answer = link.execute(self._engine.sql(statement), given)
                link.execute("COMMIT")
            return answer.fetchall()

        return self.run(work)

    def _forget(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._forget()


class Engine:
    """A database and a schema in it.

    Args:
        dsn: where the database is, as libpq reads it.
        schema: the schema of the tables.

    Raises:
        InvalidArgumentError: libpq cannot read the dsn.
    """

    def __init__(self, dsn: str, schema: str) -> None:
        try:
            self.target = Target(dsn)
        except psycopg.Error:  # its text may contain the password
            rule = "PostgreSQL's library cannot read it: write it as postgresql://user:password@host:5432/database"
            raise InvalidArgumentError.of("dsn", "***", rule) from None
        self.schema = schema
        self._composed: dict[str, bytes] = {}
        self.lock = crc32(schema.encode()) - (1 << 31)
        """The first number of the advisory locks; the second one is the shard."""

    def session(self) -> Session:
        """Return a new session. It is not connected yet."""
        return Session(self)

    def sql(self, statement: str) -> bytes:
        """Return a statement on the tables of the schema."""
        if statement not in self._composed:
            self._composed[statement] = SQL(statement).format(s=Identifier(self.schema)).as_bytes(None)
        return self._composed[statement]

    def prepare(self, session: Session, shards: int) -> None:
        """Check the server, and make the tables if they are missing.

        Raises:
            InboxConfigError: the server, the role or the tables cannot be used; the text says what to do.
            InboxError: the server is away.
        """
        try:
            self._check_server(session.rows(sql.SERVER)[0])
            found = session.run(lambda link: self._meta(link, shards))
            missing = self._missing_rights(session) if found[0] == sql.VERSION else ""
        except (AwayError, RefusedDataError) as error:
            if is_lasting(str(error)) or isinstance(error, RefusedDataError):
                raise InboxConfigError(f"the inbox cannot be used: {error}") from error.__cause__
            raise InboxError(f"the inbox cannot be opened: {error}") from error.__cause__
        if missing:
            rule = f"the role has no right to {missing}; it must read and write all tables in schema {self.schema}"
            raise InboxConfigError(f"the inbox at {self.target.where} cannot be used: {rule}")
        if found[0] != sql.VERSION:
            rule = f"its tables have version {found[0]}, and this program uses {sql.VERSION}: use the same version"
            raise InboxConfigError(f"the inbox at {self.target.where} cannot be used: {rule} of iot-northbound")
        if found[1] != shards:
            rule = f"it was made with shards={found[1]}, and this program says {shards}: use the number of the inbox"
            raise InboxConfigError(f"the inbox at {self.target.where} cannot be used: {rule}")

    def _check_server(self, row: tuple[Any, ...]) -> None:
        recovering, unsynced, encoding, version = row
        where = f"the inbox at {self.target.where} cannot be used:"
        if recovering:
            raise InboxConfigError(f"{where} the server is a standby, which cannot store; name the primary")
        if encoding != "UTF8":
            raise InboxConfigError(f"{where} the database has the encoding {encoding}; make one with UTF8")
        if version < _OLDEST:
            raise InboxConfigError(f"{where} the server is older than PostgreSQL 12")
        if unsynced:
            log.warning("%s runs with fsync=off: a power cut loses messages that were answered 200", self.target.where)

    def _missing_rights(self, session: Session) -> str:
        found = session.rows(sql.MISSING_RIGHTS, schema=self.schema, rights=_RIGHTS)
        return str(found[0][0] or "")

    def _meta(self, link: Link, shards: int) -> tuple[Any, ...]:
        for _ in range(3):  # the shared state may make the schema during the first turn; the last one reads
            try:
                rows = link.execute(self.sql(sql.META)).fetchall()
            except _MISSING:
                rows = []
            if rows:
                return rows[0]
            self._make_tables(link, shards)
        raise AwayError("another process is making the tables")

    def _make_tables(self, link: Link, shards: int) -> None:
        try:
            with link.transaction():
                link.execute("SELECT pg_advisory_xact_lock(%s)", [sql.LOCK])
                if link.execute("SELECT to_regnamespace(%s)", [f'"{self.schema}"']).fetchone() == (None,):
                    link.execute(self.sql("CREATE SCHEMA {s}"))
                names = {"s": Identifier(self.schema), "version": Literal(sql.VERSION), "shards": Literal(shards)}
                for statement in (*sql.TABLES, *sql.FILL):
                    link.execute(SQL(statement).format(**names))
        except psycopg.errors.InsufficientPrivilege:
            rule = "let a role that may make them run `iot-northbound inbox init` once"
            text = f"the tables in schema {self.schema} are missing, and this role must not make them: {rule}"
            raise InboxConfigError(f"the inbox at {self.target.where} cannot be used: {text}") from None
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateSchema):
            pass  # the shared state made the schema in this very moment

    @staticmethod
    def stats(rows: Rows) -> InboxStats:
        """Return the figures of a count."""
        return InboxStats(*rows[0])


def within_bigint(ids: Sequence[int]) -> list[int]:
    """Return the ids that can be in the table."""
    return [each for each in ids if 0 < each < 1 << 63]
