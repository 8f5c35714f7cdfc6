"""An open inbox of several processes.

The devices are divided into shards. Each shard has a lease, so one process at a time handles its messages, in the order
of their ids. An epoch counts how often a shard changed hands: what was delivered under an older one is no longer
written. Three threads, each with a connection of its own, so that none waits for another: `Putting` stores what comes,
`Beating` keeps the leases, and `Sharded` itself fetches messages, and deletes those that were handled.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from typing import TYPE_CHECKING

import attrs

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.push.duplicates import DuplicateWindow
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import Deliver, InboxError, InboxLimits, InboxStats, MessageGoneError
from iot_northbound.push.inboxes import postgres_schema as sql
from iot_northbound.push.inboxes.beating import Beating, Tell
from iot_northbound.push.inboxes.leases import Got, LeaseFigures, Leases
from iot_northbound.push.inboxes.putting import Putting, storable
from iot_northbound.push.parse import Message, parse

if TYPE_CHECKING:
    from iot_northbound.push.inboxes.postgres_engine import Engine

_SMALL = 16_384
"""Bytes of a body that is fetched with its message; a larger one is read when it is handled."""
_BUSY, _IDLE = 0.05, 0.25
"""Seconds between two looks for new messages: after one that found some, and after many that found none."""
_GATHER, _AT_ONCE = 0.02, 100
"""Handled messages are deleted together: those of so many seconds, or so many."""
_TIDY_AT_ONCE = 2_000
_PAUSE_AFTER_FAILURE = 1.0


def _awake() -> float:
    """Return seconds of a clock that never jumps and counts suspended time, where the system has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Sharded:
    """An inbox that this process has opened, and that it closes once. `PostgresInbox` says what its methods do.

    Args:
        engine: the database.
        shards: into how many parts the devices are divided.
        lease: how many seconds a lease lasts.
        limits: when the inbox is full.
        duplicates: how far back repetitions are recognised, or None.
        clock: the source of time.
        deliver: called for each message of our shards; None if this process only stores.
        tell: called with a test of devices that are no longer ours; returns how many of them a handler still has.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        shards: int,
        lease: float,
        limits: InboxLimits,
        duplicates: DuplicateWindow | None,
        clock: Clock,
        deliver: Deliver | None,
        tell: Tell,
    ) -> None:
        self._clock = clock
        self._window = duplicates or DuplicateWindow()
        self._deliver: Deliver = deliver or (lambda _id, _device: None)
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.desk = engine.session()
        """For what somebody asks for and waits for."""
        self._session = engine.session()
        self.leases = Leases(shards, lease, _awake if clock is SYSTEM_CLOCK else clock.monotonic)
        self._news = self._closing = False
        self._tidy_at = float("-inf")
        self._putting = Putting(engine, shards, limits, duplicates, clock, self._count, self._stored)
        self.put = self._putting.put
        self.beating = (
            Beating(self.owner, engine.session(), self.leases, deliver, tell, clock, self.look) if deliver else None
        )
        self._thread = threading.Thread(target=self._work_on, name="iot-northbound-inbox-read", daemon=True)

    def start(self) -> None:
        """Store what comes; take shards and deliver their messages, unless this process only stores."""
        if self.beating is not None:
            self.beating.start()
            self._thread.start()
        self._putting.start()

    def stop(self) -> None:
        """Store what was put, delete what was handled, release the leases, and close."""
        self._putting.stop()
        with self.leases.changed:
            self._closing = True
            self.leases.changed.notify_all()
        if self.beating is not None:
            self._thread.join()
            self.beating.stop()
        self._session.close()
        self.desk.close()

    # Messages

    def get(self, message_id: int) -> Message:
        """Return a message that was delivered.

        Raises:
            MessageGoneError: it is no longer ours.
        """
        gone = MessageGoneError(f"message {message_id} is no longer in the inbox, or another process has its device")
        with self.leases.changed:
            begun = self.leases.begin(message_id)
        if begun is None:
            raise gone
        got, suspect = begun
        times = 0
        if suspect:  # noted before its handler begins, because that may end this process
            marked = self.desk.rows(sql.MARK_BEGUN, id=message_id, epoch=got.epoch, server=self.leases.server)
            if not marked:
                raise gone
            times = marked[0][0]
        body, got.body = got.body, None
        if body is None:
            found = self.desk.rows(sql.BODY, id=message_id)
            if not found:
                raise gone
            body = found[0][0]
        return attrs.evolve(parse(body, got.received_at), shard=got.shard, fence=got.epoch, begun=times)

    def done(self, message_id: int) -> None:
        """Delete a message that was handled, a moment later."""
        leases = self.leases
        with leases.changed:
            got = leases.finish(message_id)
            if got is not None:
                leases.done.append(got)
                if len(leases.done) in (1, _AT_ONCE):
                    leases.changed.notify_all()

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Turn a message into a dead letter."""
        leases = self.leases
        with leases.changed:
            got = leases.got.get(message_id)
            server = leases.server
        if got is None:
            return
        given = {"id": message_id, "epoch": got.epoch, "server": server}
        given |= {"attempts": attempts, "error": storable(error)}
        buried = self.desk.rows(sql.BURY, **given)
        with leases.changed:
            leases.fenced += not buried
            leases.finish(message_id)

    def stats(self) -> InboxStats:
        """Return how full the inbox is; while the server is away, how full it was."""
        try:
            return self._count()
        except InboxError as error:
            log.warning("the messages of the inbox cannot be counted: %s", error)
            return self._putting.figures

    def _count(self) -> InboxStats:
        with self.leases.changed:
            self.leases.flushed(1.0)
        return InboxStats(*self.desk.rows(sql.COUNT)[0])

    def figures(self) -> LeaseFigures:
        """Return what this process has, and what became of its leases."""
        with self.leases.changed:
            return self.leases.figures()

    def look(self) -> None:
        """Look for new messages at once."""
        with self.leases.changed:
            self._news = True
            self.leases.changed.notify_all()

    def _stored(self, shards: set[int]) -> None:
        if any(shard in self.leases.held for shard in shards):
            self.look()

    # The thread

    def _work_on(self) -> None:
        pause = _BUSY
        while True:
            try:
                self._delete()
                found = self._fetch()
                self._tidy()
            except Exception as error:  # noqa: BLE001  # the server is away; the thread must live as long as it
                log.warning("the inbox cannot be read: %s", error)
                if self._wait_after_failure():
                    return
                continue
            pause = _BUSY if found else min(1.5 * pause, _IDLE)
            if self._wait(pause):
                return

    def _wait(self, pause: float) -> bool:
        """Wait until there is work; return whether there is none any more."""
        leases = self.leases
        with leases.changed:
            leases.changed.wait_for(self._has_work, pause)
            if not self._has_news():  # what was handled can wait for more
                leases.changed.wait_for(lambda: len(leases.done) >= _AT_ONCE or self._has_news(), _GATHER)
            self._news = False
            return self._closing and not leases.done

    def _wait_after_failure(self) -> bool:
        with self.leases.changed:
            return self.leases.changed.wait_for(lambda: self._closing, _PAUSE_AFTER_FAILURE)

    def _has_work(self) -> bool:
        return bool(self.leases.done) or self._has_news()

    def _has_news(self) -> bool:
        return self._news or self._closing or any(held.more for held, _ in self.leases.requests().values())

    def _delete(self) -> None:
        leases = self.leases
        with leases.changed:
            batch, leases.done = leases.done, []
            leases.deleting = len(batch)
            server = leases.server
        if not batch:
            return
        given = {
            "server": server,
            "ids": [got.id for got in batch],
            "shards": [got.shard for got in batch],
            "epochs": [got.epoch for got in batch],
        }
        deleted = None
        try:
            deleted = self._session.rows(sql.DONE, **given)
        finally:
            with leases.changed:
                leases.deleting = 0
                if deleted is None:
                    leases.delete_later(batch, server)
                else:
                    leases.fenced += len(batch) - len(deleted)
                leases.changed.notify_all()
        if len(deleted) < len(batch):
            log.warning("another process took over %d messages that were handled here", len(batch) - len(deleted))

    def _fetch(self) -> int:
        """Deliver the next messages of our shards; return how many there were."""
        leases = self.leases
        with leases.changed:
            requests = {} if self._closing else leases.requests()
            cursors = [held.cursor for held, _ in requests.values()]
        if not requests:
            return 0
        rooms = [room for _, room in requests.values()]
        rows = self._session.rows(sql.FETCH, shards=list(requests), cursors=cursors, rooms=rooms, small=_SMALL)
        counts = dict.fromkeys(requests, 0)
        with leases.changed:
            for message_id, shard, device, received_at, body in sorted(rows):
                counts[shard] += 1
                held = requests[shard][0]
                if leases.deliver(held, Got(message_id, shard, device, held.epoch, received_at, body)):
                    self._deliver(message_id, device)
            for shard, (held, room) in requests.items():
                held.more = counts[shard] == room
        return len(rows)

    def _tidy(self) -> None:
        """Forget messages by which repetitions were recognised; the owner of the first shard does it for all."""
        if 0 in self.leases.held and self.leases.now() >= self._tidy_at:
            before = self._clock.now() - self._window.seconds
            given = {"before": before, "most": self._window.messages, "at_once": _TIDY_AT_ONCE}
            is_all = len(self._session.rows(sql.TIDY, **given)) < _TIDY_AT_ONCE
            self._tidy_at = self.leases.now() + (1.0 if is_all else 0.0)
