"""An open inbox file: what waits in it, and the one thread that writes to it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import attrs

from iot_northbound.core.clock import Clock
from iot_northbound.owned_sqlite import damaged
from iot_northbound.push.duplicates import DuplicateWindow, Seen, Trace
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import DeadLetter, Deliver, InboxError, InboxLimits, InboxStats, Ledger, letter_of
from iot_northbound.push.parse import Message, NotAMessageError, parse
from iot_northbound.push.recognition import Recognition, Repeats
from iot_northbound.push.sqlite_file import Content, InboxFile, Left, Transaction
from iot_northbound.push.sqlite_work import Begin, Bring, Bury, Done, Fresh, Put, Repetition, Revive, Work, parts_of


class Store:
    """An inbox file that this process has opened, and that it closes once. `SqliteInbox` says what its methods do.

    Args:
        path: the file.
        limits: when it is full.
        duplicates: how far back repetitions are recognised, or None.
        clock: the source of time.
        deliver: called for each message once it is safe.

    Raises:
        InboxInUseError: another receiver uses the file.
        InboxError: the file cannot be opened, or is not an inbox.
    """

    def __init__(
        self, path: Path, limits: InboxLimits, duplicates: DuplicateWindow | None, clock: Clock, deliver: Deliver
    ) -> None:
        self.path = path
        self._duplicates, self._clock, self._deliver = duplicates, clock, deliver
        self._ledger = Ledger(limits, Seen(duplicates, clock))
        self._changed = threading.Condition()
        self._work: list[Work] = []
        self._fresh = Fresh()
        self._suspects: dict[int, int] = {}
        """Messages that an owner who ended without a word may have begun, with how often."""
        self._waiting: list[tuple[int, str]] = []
        self._last_id = 0
        self._closing = False
        self._file = InboxFile(path, self._read)
        if self._file.suspect:
            self._suspects = {**{message_id: 0 for message_id, _ in self._waiting}, **self._suspects}
        self._thread = threading.Thread(target=self._write_on, name="iot-northbound-inbox", daemon=True)

    def _read(self, content: Content) -> None:
        for trace in content.seen():
            self._ledger.seen.recall(trace)
        for message_id, device, received_at, size, dead in content.messages():
            self._ledger.add(message_id, received_at, size)
            if dead:
                self._ledger.bury(message_id)
            else:
                self._waiting.append((message_id, device))
        self._suspects = content.begun()
        self._last_id = content.last_id()

    def start(self) -> None:
        """Deliver what waits, then write and deliver what comes."""
        for message_id, device in self._waiting:
            self._deliver(message_id, device)
        self._waiting.clear()
        self._thread.start()  # only now, because it delivers too

    @property
    def inherited(self) -> bool:
        """Whether this process was forked from the one that opened the file."""
        return self._file.inherited

    def close(self) -> None:
        """Write everything that is still to be written, and close the file."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()
        self._file.close()

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done once it is committed and synced.

        Raises:
            InboxFullError: the inbox has reached a limit.
            InboxError: it was not started, or is being stopped.
        """
        future: Future[bool] = Future()
        future.set_running_or_notify_cancel()  # from here on it is written, even if the caller no longer waits
        body = message.text.encode()
        with self._changed:
            if self._closing:
                raise InboxError("the inbox is closed")
            repeated = self._ledger.repeated(message, len(body))
            trace = self._ledger.seen.remember(message, dropped=repeated)
            if repeated:
                self._work.append(Repetition(message.recognition.identity, trace, future))
            else:
                self._last_id += 1
                self._ledger.add(self._last_id, message.received_at, len(body))
                self._work.append(Put(self._last_id, message, body, trace, future))
            self._changed.notify()
        return future

    def refused_another(self) -> None:
        """Take note that a message came and was refused unread."""
        with self._changed:
            self._ledger.seen.forget_doubtful()

    def get(self, message_id: int) -> Message:
        """Return a waiting message, from memory if it came recently.

        Raises:
            MessageGoneError: it is no longer there.
            NotAMessageError: the file is damaged at the message.
        """
        with self._changed:
            message = self._fresh.pop(message_id)
        if message is None:
            message = parse(*self._file.body(message_id))
        begun = self._suspects.get(message_id)
        if begun is None:
            return message
        # The last process may have ended because of this message: note it before its handlers begin.
        work = Begin(message_id, begun + 1, Future())
        self._add(work)
        work.future.result()
        return attrs.evolve(message, begun=begun)

    def done(self, message_id: int) -> None:
        """Delete a message that was handled, if it is there, in the next transaction."""
        with self._changed:
            if self._ledger.remove(message_id):
                self._work.append(Done(message_id))
                self._changed.notify()

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Set a waiting message aside as a dead letter, if it is there, in the next transaction."""
        text = error.encode("utf-8", "backslashreplace").decode()
        with self._changed:
            if self._ledger.bury(message_id):
                self._work.append(Bury(message_id, attempts, text))
                self._changed.notify()

    def bring(self, rows: list[Left], traces: list[Trace]) -> None:
        """Store what another process left behind what waits already; return once it is safe.

        Messages that the sender has repeated here meanwhile are left out.

        Raises:
            InboxError: it cannot be stored.
        """
        new: list[Left] = []
        with self._changed:
            seen = self._ledger.seen
            traces = [seen.inherit(trace) for trace in traces if not seen.has(trace.identity)]
            for row in rows:
                told = _recognition_of(row)
                if told is not None and seen.has(told.identity):
                    continue
                new.append(row)
                if told is not None and told.repeats is Repeats.ALWAYS:
                    traces.append(seen.inherit(Trace(told.identity, row.received_at, 0, True)))
        work = Bring(new, traces, Future())
        self._add(work)
        work.future.result()

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        self._revive([], delete=False)  # waits until all earlier dead letters are written
        return [letter_of(row) for row in self._file.dead_letters(limit)]

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Make dead letters wait again, behind what waits already; return how many."""
        return self._revive(None if ids is None else list(ids), delete=False)

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters; return how many."""
        return self._revive(list(ids), delete=True)

    def stats(self) -> InboxStats:
        """Return how full it is."""
        with self._changed:
            return self._ledger.stats()

    def _revive(self, ids: list[int] | None, *, delete: bool) -> int:
        with self._changed:
            # Each id once, and only known ones: the transaction must not fail, because it has other messages too.
            known = None if ids is None else [each for each in dict.fromkeys(ids) if each in self._ledger.dead]
        work = Revive(known, delete, Future())
        self._add(work)
        return work.future.result()

    def _add(self, work: Revive | Begin | Bring) -> None:
        work.future.set_running_or_notify_cancel()
        with self._changed:
            if self._closing:
                raise InboxError("the inbox is closing")
            self._work.append(work)
            self._changed.notify()

    # The writing thread

    def _write_on(self) -> None:
        while True:
            with self._changed:
                while not self._work and not self._closing:
                    self._changed.wait()
                batch, self._work = self._work, []
            if not batch:
                return
            error = self._keep(batch)
            if error is None:
                continue
            parts = parts_of(batch) if damaged(error) else [batch]
            if len(parts) == 1:
                self._failed(batch, error)
                continue
            for part in parts:  # the damage is at one message, and must not block the others
                its_error = self._keep(part)
                if its_error is not None:
                    self._failed(part, its_error)

    def _keep(self, batch: list[Work]) -> Exception | None:
        """Commit a batch and announce it; return the error if that failed: disk full, disk gone, file damaged."""
        try:
            self._commit(batch)
        except Exception as error:  # noqa: BLE001  # nothing of the batch is stored
            return error
        self._announce(batch)
        self._tidy()
        return None

    def _failed(self, batch: list[Work], error: Exception) -> None:
        log.error("the inbox %s cannot be written: %s", self.path, error)
        self._undo(batch, error)

    def _commit(self, batch: list[Work]) -> None:
        puts = [work for work in batch if isinstance(work, Put)]
        with self._file.transaction() as write:
            write.insert(
                [
                    (work.id, work.message.kind, work.message.device, work.message.received_at, work.body)
                    for work in puts
                ]
            )
            write.remember([work.trace for work in batch if isinstance(work, Put | Repetition) and work.trace])
            write.delete([(work.id,) for work in batch if isinstance(work, Done)])
            write.bury([(work.attempts, work.error, work.id) for work in batch if isinstance(work, Bury)])
            write.begin([(work.id, work.times) for work in batch if isinstance(work, Begin)])
            for work in batch:
                if isinstance(work, Revive):
                    self._move(write, work)
                elif isinstance(work, Bring):
                    write.remember(work.traces)
                    write.bring(self._numbered(work))
            if self._duplicates is not None:
                write.forget_old(self._clock.now() - self._duplicates.seconds, self._duplicates.messages)

    def _move(self, write: Transaction, work: Revive) -> None:
        work.moved.clear()
        for old, device in write.dead(work.ids):
            if work.delete:
                write.delete([(old,)])
                work.moved.append((old, 0, device))
            else:
                with self._changed:
                    self._last_id += 1
                    new = self._last_id
                write.revive(old, new)
                work.moved.append((old, new, device))

    def _numbered(self, work: Bring) -> list[tuple[int, Left]]:
        with self._changed:
            first = self._last_id + 1
            self._last_id += len(work.rows)
        work.brought = list(enumerate(work.rows, first))
        return work.brought

    def _announce(self, batch: list[Work]) -> None:
        """Inform the workers first, then the requests that wait for their answer."""
        now = self._clock.now()
        with self._changed:
            for work in batch:
                if isinstance(work, Put):
                    self._fresh.add(work.id, work.message)
                elif isinstance(work, Bring):
                    for trace in work.traces:
                        self._ledger.seen.recall(trace)
                    for new, left in work.brought:
                        self._ledger.add(new, left.received_at, len(left.body))
                        if left.dead:
                            self._ledger.bury(new)
                        else:
                            self._suspects[new] = left.begun  # its process may have ended because of it
                elif isinstance(work, Revive):
                    for old, new, _ in work.moved:
                        if work.delete:
                            self._ledger.discard(old)
                        else:
                            self._ledger.revive(old, new, now)
        for work in batch:
            if isinstance(work, Put):
                self._deliver(work.id, work.message.device)
                work.future.set_result(True)
            elif isinstance(work, Repetition):
                work.future.set_result(False)
            elif isinstance(work, Revive):
                if not work.delete:
                    for _, new, device in work.moved:
                        self._deliver(new, device)
                work.future.set_result(len(work.moved))
            elif isinstance(work, Bring):
                for new, left in work.brought:
                    if not left.dead:
                        self._deliver(new, left.device)
                work.future.set_result(None)
            elif isinstance(work, Begin):
                work.future.set_result(None)

    def _tidy(self) -> None:
        try:
            self._file.shrink()
        except sqlite3.Error as error:  # no message is lost if the file stays large
            log.warning("the inbox %s cannot be made smaller: %s", self.path, error)

    def _undo(self, batch: list[Work], error: Exception) -> None:
        failure = InboxError(f"the inbox cannot be written: {error}")
        later: list[Work] = []
        failed: list[Future[Any]] = []
        lost: set[bytes] = set()
        with self._changed:
            for work in batch:
                if isinstance(work, Put):
                    lost.add(work.message.recognition.identity)
                    self._ledger.remove(work.id)
                    self._ledger.seen.interrupt(work.message)
                    failed.append(work.future)
                elif isinstance(work, Repetition | Revive | Begin | Bring):
                    failed.append(work.future)
                elif damaged(error):
                    log.error("message %d stays in the inbox and will be handled again after a restart", work.id)
                else:
                    later.append(work)
            # Repetitions of these messages that came meanwhile repeat something that is not stored.
            orphans = [each for each in self._work if isinstance(each, Repetition) and each.identity in lost]
            self._work = [each for each in self._work if each not in orphans]
            failed += [each.future for each in orphans]
        for future in failed:
            future.set_exception(failure)
        with self._changed:
            if later and not self._closing:
                # Handled messages are deleted when the disk works again; until then they stay in the file.
                self._work[:0] = later
                self._changed.wait(0.5)
            elif later:
                log.error("%d handled messages are still in the inbox and will be handled again", len(later))


def _recognition_of(row: Left) -> Recognition | None:
    """Return how a repetition of a message is recognised; None if the message cannot be read."""
    try:
        return parse(row.body, row.received_at).recognition
    except NotAMessageError:
        return None
