"""The inbox of several processes and machines: tables in PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import UTC, datetime

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.arguments import check, check_clock, whole
from iot_northbound.push.duplicates import DuplicateWindow
from iot_northbound.push.inbox import DeadLetter, Deliver, InboxError, InboxLimits, InboxStats, letter_of
from iot_northbound.push.inboxes import postgres_schema as sql
from iot_northbound.push.inboxes.leases import LeaseFigures
from iot_northbound.push.inboxes.postgres_engine import Engine, within_bigint
from iot_northbound.push.inboxes.sharded import Sharded
from iot_northbound.push.parse import Message

_SHORTEST, _LONGEST = 1.0, 3_600.0


class PostgresInbox:
    """Keeps messages in PostgreSQL, for any number of receivers and of workers, on any number of machines.

    Each device belongs to one process at a time, which handles its messages in order. If that process ends, the others
    take its devices over. Nothing is opened before `start`, so a receiver may be created before a server forks.

    Args:
        dsn: where the database is: ``postgresql://user:password@host:5432/database``, or another text of libpq.
        schema: the schema of the tables. They are made at the start, if they are missing and the role may make them.
        lease: how many seconds a process has its devices without a sign of life.
        shards: into how many parts the devices are divided; fixed when the tables are made.
        limits: when it is full.
        duplicates: how far back repetitions are recognised, at whichever receiver they come; None switches that off.
        clock: the source of time.

    Raises:
        InvalidArgumentError: the dsn cannot be read, or a number is too small or too large (1007).
        TypeError: an argument has a wrong type; the message names it.
    """

    durable = True

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "iot_northbound",
        lease: float = 15.0,
        shards: int = 64,
        limits: InboxLimits | None = None,
        duplicates: DuplicateWindow | None = DuplicateWindow(),  # noqa: B008  # frozen
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check("dsn", dsn, str)
        check("schema", schema, str)
        check("lease", lease, int, float)
        whole("shards", shards)
        check("limits", limits, InboxLimits, type(None))
        check("duplicates", duplicates, DuplicateWindow, type(None))
        check_clock(clock)
        if not schema or "\0" in schema:
            raise InvalidArgumentError.of("schema", repr(schema), "it must be the name of a schema")
        if not _SHORTEST <= lease <= _LONGEST:
            rule = f"it must be from {_SHORTEST:g} to {_LONGEST:g} seconds"
            raise InvalidArgumentError.of("lease", repr(lease), rule)
        if shards > 1_000:
            raise InvalidArgumentError.of("shards", repr(shards), "it must be at most 1000")
        self._engine = Engine(dsn, schema)
        self._lease, self._shards = lease, shards
        self._limits, self._duplicates, self._clock = limits or InboxLimits(), duplicates, clock
        self._tell: Callable[[Callable[[str], bool]], int] = lambda _belongs: 0
        self._open: Sharded | None = None
        self._process = 0

    def on_withdraw(self, tell: Callable[[Callable[[str], bool]], int]) -> None:
        """Note the function that says which devices are no longer this process's."""
        self._tell = tell

    def prepare(self) -> None:
        """Check the server, and make the tables if they are missing.

        Raises:
            InboxConfigError: the server, the role or the tables cannot be used; the text says what to do.
            InboxError: the server is away.
        """
        session = self._engine.session()
        try:
            self._engine.prepare(session, self._shards)
        finally:
            session.close()

    def script(self) -> str:
        """Return the statements that make the tables, for a role that may make them."""
        return sql.script(self._engine.schema, self._shards)

    def start(self, deliver: Deliver | None) -> None:
        """Open it, and deliver the messages of the devices that this process gets. Without `deliver`, only store.

        Raises:
            InboxConfigError: the server, the role or the tables cannot be used; the text says what to do.
            InboxError: the server is away.
        """
        if self._open is not None and self._process == os.getpid():
            return
        self.prepare()
        opened = Sharded(
            self._engine,
            shards=self._shards,
            lease=self._lease,
            limits=self._limits,
            duplicates=self._duplicates,
            clock=self._clock,
            deliver=deliver,
            tell=self._tell,
        )
        self._open, self._process = opened, os.getpid()  # before the start: a worker may ask for a message at once
        try:
            opened.start()
        except BaseException:
            self._open = None
            raise

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done once the server has committed and synced it.

        The future fails with InboxFullError if the inbox has reached a limit.

        Raises:
            InboxError: it was not started, or is being stopped.
        """
        return self._opened().put(message)

    def refused_another(self) -> None:
        """Do nothing: only repetitions that are certain are recognised, whatever was refused between."""

    def get(self, message_id: int) -> Message:
        """Return a message that was delivered.

        Raises:
            MessageGoneError: it is no longer there, or another process has its device.
            NotAMessageError: it cannot be read.
        """
        return self._opened().get(message_id)

    def done(self, message_id: int) -> None:
        """Delete a message that was handled, if this process has its device; a moment later."""
        if (opened := self._mine()) is not None:
            opened.done(message_id)

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Set a message aside as a dead letter, if this process has its device."""
        if (opened := self._mine()) is not None:
            opened.bury(message_id, attempts, error)

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters of all processes."""
        return [letter_of(row) for row in self._opened().desk.rows(sql.DEAD, limit=min(limit, 1 << 62))]

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Make dead letters wait again (all, or those with these ids), behind what waits already; return how many."""
        opened = self._opened()
        chosen = None if ids is None else within_bigint(list(ids))
        locked = opened.desk.rows(sql.DEAD_SHARDS, ids=chosen)[0][0]
        if not locked:
            return 0
        given = {"ids": chosen, "locked": locked, "now": self._clock.now()}
        count: int = opened.desk.transaction(sql.REPLAY, given)[0][0]
        opened.look()
        return count

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters; return how many."""
        return len(self._opened().desk.rows(sql.DISCARD, ids=within_bigint(list(ids))))

    def stats(self) -> InboxStats:
        """Return how full it is, counted in the tables; while the server is away, how full it was."""
        return self._opened().stats()

    def leases(self) -> LeaseFigures:
        """Return how many shards this process has, and what became of its leases."""
        opened = self._mine()
        return opened.figures() if opened else LeaseFigures()

    def oldest_by_shard(self) -> dict[int, datetime]:
        """Return since when the oldest waiting message of each shard waits; a shard without messages is missing.

        One shard that falls behind the others is a sign of a device with many messages, or of a slow handler.

        Raises:
            InboxError: the server is away.
        """
        return {shard: datetime.fromtimestamp(since, UTC) for shard, since in self._opened().desk.rows(sql.OLDEST)}

    def stop(self) -> None:
        """Store and delete what is still to be, release the devices, and close. A forked child closes nothing."""
        opened = self._mine()
        self._open = None
        if opened is not None:
            opened.stop()

    def _mine(self) -> Sharded | None:
        return self._open if self._process == os.getpid() else None

    def _opened(self) -> Sharded:
        opened = self._mine()
        if opened is not None:
            return opened
        if self._open is not None:
            raise InboxError("the inbox was opened before this process was forked; start it in each process")
        raise InboxError("the inbox is closed; start the receiver first")
