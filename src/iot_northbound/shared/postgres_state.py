"""The shared state on PostgreSQL: each step is one statement."""

import os
import threading
from collections.abc import Mapping
from typing import Any

from iot_northbound._extras import needs_extra
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.shared import postgres_schema as sql
from iot_northbound.shared.postgres_link import Link, Target, is_lasting
from iot_northbound.shared.remote import ENDS, PATIENCE, Look, RefusedError, RemoteState
from iot_northbound.shared.state import (
    COOL_DOWN,
    FORGET,
    Acquired,
    Busy,
    Failed,
    Forbidden,
    Mine,
    Newer,
    StateAwayError,
    StateStatus,
    TokenRecord,
    plain,
)
from iot_northbound.shared.url import StateUrl

with needs_extra("postgres"):
    import psycopg
    from psycopg.sql import SQL, Identifier

CONNECTIONS = 4
"""How many connections a process has at most: PostgreSQL accepts 100 by default."""
TURN = 3 * PATIENCE
"""Seconds that a step waits for one of them: on a busy machine, those before it may each need a while."""
_MISSING = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
_LASTING = (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedColumn, psycopg.errors.WrongObjectType)


class _Pool:
    """The connections of one process."""

    def __init__(self) -> None:
        self.turns = threading.Semaphore(CONNECTIONS)
        self.idle: list[Link] = []

    def take(self) -> Link | None:
        """Return an idle connection, and keep it no longer; None if there is none. Another thread may take the last."""
        try:
            return self.idle.pop()
        except IndexError:
            return None

    def close(self) -> None:
        """Close the idle connections."""
        while (connection := self.take()) is not None:
            connection.close()


class PostgresState(RemoteState):
    """What is shared, in rows of one application."""

    def __init__(self, where: StateUrl, application: str) -> None:
        super().__init__(where.shown, where.lease)
        self._application = application
        self._schema = where.options.get("schema", sql.DEFAULT_SCHEMA)
        try:
            self._target = Target(where.target)
        except psycopg.Error:  # its text may contain the password
            rule = "PostgreSQL's library cannot read it: write it as postgresql://user:password@host:5432/database"
            raise InvalidArgumentError.of("shared", where.shown, rule) from None
        self._pools: dict[int, _Pool] = {}
        """Those of each process: a forked child leaves the connections of its parent alone."""

    # -- the token ---------------------------------------------------------------------------------------------------

    def read(self) -> TokenRecord:
        """Return the stored token, and how long it lasts."""
        rows = self._run(sql.READ)
        if not rows or rows[0][1] is None:
            return TokenRecord(rows[0][0] if rows else 0, None, 0.0, 0.0)
        return TokenRecord(*rows[0])

    def acquire(self, owner: str, ttl: float, seen_gen: int) -> Acquired:
        """Take the lease to renew the generation that was seen."""
        values = {"owner": owner, "ttl": ttl, "seen": seen_gen, "cool_down": COOL_DOWN}
        while True:
            if mine := self._run(sql.ACQUIRE, **values):
                return Mine(mine[0][0])
            for is_newer, failure, left, longest in self._run(sql.WHY_NOT, **values):
                if is_newer:
                    return Newer()
                if failure:
                    return Failed(failure)
                if 0 < left <= longest:
                    return Busy(left)

    def extend(self, fence: int, ttl: float) -> bool:
        """Let the lease last `ttl` from now; False if it is another's."""
        return bool(self._run(sql.EXTEND, fence=fence, ttl=ttl))

    def time(self) -> float:
        """Return the server's time."""
        return float(self._run(sql.TIME)[0][0])

    def save(self, fence: int, record: bytes, lifetime: float, sent: float) -> int | None:
        """Store a token; return its generation, or None if it is older than the stored one."""
        rows = self._run(sql.SAVE, fence=fence, record=record, lifetime=lifetime, sent=sent)
        return rows[0][0] if rows else None

    def fail(self, fence: int, failure: str) -> None:
        """End the lease and store why nothing was renewed; nothing happens if the lease is another's."""
        self._run(sql.FAIL, fence=fence, failure=plain(failure))

    def forbid(self, endpoint: str, pause: float, gen: int) -> None:
        """Note that this endpoint refused a new token; a pause of 0 removes its note."""
        if pause:
            self._run(sql.FORBID, endpoint=endpoint, pause=pause, gen=gen)
        else:
            self._run(sql.ALLOW, endpoint=endpoint)

    def forbidden(self) -> Mapping[str, Forbidden]:
        """Return the notes that are younger than FORGET."""
        return {endpoint: Forbidden(*note) for endpoint, *note in self._run(sql.FORBIDDEN, forget=FORGET)}

    def clear(self) -> None:
        """Remove token, failure and notes. The generation stays."""
        self._run(sql.CLEAR)

    # -- both --------------------------------------------------------------------------------------------------------

    def status(self) -> StateStatus:
        """Return what is stored."""
        rows = self._run(sql.TOKEN_STATUS)
        gen, present, left, lifetime, age, owner, lease_left, failure, failed_ago = (
            rows[0] if rows else (0, False, 0.0, 0.0, 0.0, "", 0.0, "", 0.0)
        )
        return StateStatus(
            gen=gen,
            present=present,
            left=left if present else 0.0,
            lifetime=lifetime,
            age=age if present else 0.0,
            owner=owner,
            lease_left=lease_left,
            failure=failure,
            failed_ago=failed_ago if failure else 0.0,
            forbidden=self.forbidden(),
            **self.limit_status()._asdict(),
        )

    def close(self) -> None:
        """Close this process's connections. What is stored stays."""
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()

    def _look(self, id: str) -> Look:
        return Look(*self._execute(sql.LOOK, {"id": id, "ends": ENDS})[0])

    def _change(self, look: Look, flow: str, now: float, changes: Mapping[str, float | None]) -> bool:
        kept = {id: end for id, end in changes.items() if end is not None}
        values = {
            "before": look.flow,
            "flow": flow,
            "now": now,
            "freed": [id for id, end in changes.items() if end is None],
            "kept": list(kept),
            "ends": list(kept.values()),
        }
        return bool(self._execute(sql.CHANGE, values)[0][0])

    # -- the server --------------------------------------------------------------------------------------------------

    def _run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._try(self._execute, statement, values)

    def _execute(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a statement. If the tables are missing, make them first.

        Raises:
            StateAwayError: the server did not answer, or refused to work.
            RefusedError: it refuses us.
        """
        pool = self._pools.setdefault(os.getpid(), _Pool())
        if not pool.turns.acquire(timeout=TURN):
            raise StateAwayError(f"none of the {CONNECTIONS} connections was free in {TURN:g} s")
        try:
            connection = self._connection(pool)
            try:
                rows = self._rows(connection, statement, values)
            except BaseException:
                connection.close()  # it may be in the middle of an answer
                raise
            pool.idle.append(connection)
            if self._pools.get(os.getpid()) is not pool:  # closed meanwhile, and nobody else closes this one
                pool.close()
            return rows
        finally:
            pool.turns.release()

    def _rows(self, connection: Link, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        while True:
            try:
                cursor = connection.execute(self._sql(statement), {"app": self._application, **values})
                return cursor.fetchall() if cursor.description else []
            except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
                continue  # nothing happened; the role's own isolation level may be a stricter one
            except _MISSING:
                self._make_tables(connection)
            except _LASTING as error:
                raise RefusedError(
                    f"{self._target.why(error)}: the role must read and write all tables there"
                ) from None
            except psycopg.Error as error:
                raise StateAwayError(self._target.why(error)) from None

    def _make_tables(self, connection: Link) -> None:
        try:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [sql.LOCK])
                if connection.execute("SELECT to_regnamespace(%s)", [f'"{self._schema}"']).fetchone() == (None,):
                    connection.execute(self._sql("CREATE SCHEMA {s}"))
                for table in sql.TABLES:
                    connection.execute(self._sql(table))
        except psycopg.errors.InsufficientPrivilege:
            once = f"let a role that may make them run `iot-northbound token status --shared {self.shown}` once"
            raise RefusedError(f"the tables in schema {self._schema} are missing: {once}") from None
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateSchema):
            pass  # the inbox made the schema in this very moment
        except psycopg.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: psycopg.Error) -> StateAwayError | RefusedError:
        why = self._target.why(error)
        return RefusedError(why) if is_lasting(why) else StateAwayError(why)

    def _sql(self, statement: str) -> bytes:
        return SQL(statement).format(s=Identifier(self._schema)).as_bytes(None)

    def _connection(self, pool: _Pool) -> Link:
        """Return a connection that is open: an idle one has nothing to say unless the server ended it."""
        while (connection := pool.take()) is not None:
            if not connection.has_news():
                return connection
            connection.close()
        try:
            return self._target.connect(PATIENCE)
        except psycopg.Error as error:
            raise self._failure(error) from None
