"""The durable inbox: one SQLite file, one thread that writes.

An answered message is committed and synced (write-ahead log, ``synchronous=FULL``), so neither kill -9 nor a power cut
loses it. A sync takes milliseconds. Therefore one thread writes, and all messages that arrive during its sync go into
the next transaction together (group commit).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.owned_sqlite import damaged
from iot_northbound.push import sqlite_file
from iot_northbound.push.arguments import check, check_clock
from iot_northbound.push.duplicates import DuplicateWindow, Seen
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import DeadLetter, Deliver, InboxError, InboxLimits, InboxStats, Ledger
from iot_northbound.push.parse import Message, parse
from iot_northbound.push.sqlite_work import Bury, Done, Put, Repetition, Revive, Work, parts_of

_FRESH_MESSAGES = 5_000
_FRESH_CHARACTERS = 16 * 1024 * 1024
"""New messages are also kept in memory up to these limits, so that they need not be read from the file."""


class SqliteInbox:
    """Keeps messages in a SQLite file, for one receiver at a time.

    Only the owner can read the file, because messages are the devices' data. Nothing is opened before `start`, so a
    receiver may be created before a server forks its workers. Each process needs its own file.

    Args:
        path: the file; it is created if it does not exist. Its folder must exist, on a local disk.
        limits: when it is full.
        duplicates: how far back repetitions are recognised, also after a restart; None switches that off.
        clock: the source of time.
    """

    durable = True

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        *,
        limits: InboxLimits | None = None,
        duplicates: DuplicateWindow | None = DuplicateWindow(),  # noqa: B008  # frozen
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check("path", path, str, bytes, os.PathLike, what="a path")
        check("limits", limits, InboxLimits, type(None))
        check("duplicates", duplicates, DuplicateWindow, type(None))
        check_clock(clock)
        self.path = Path(os.fsdecode(path))
        self._limits, self._duplicates, self._clock = limits or InboxLimits(), duplicates, clock
        self._ledger = Ledger(self._limits, Seen(duplicates, clock))
        self._changed = threading.Condition()
        self._work: list[Work] = []
        self._fresh: dict[int, Message] = {}
        self._fresh_characters = 0
        self._last_id = 0
        self._closing = False
        self._file: sqlite_file.InboxFile | None = None
        self._writer: threading.Thread | None = None
        self._deliver: Deliver = lambda _id, _device: None

    def start(self, deliver: Deliver) -> None:
        """Open the file; call `deliver` for every waiting message in order of arrival, then for each new one once safe.

        Raises:
            InboxInUseError: another receiver uses the file.
            InboxError: the file cannot be opened, or is not an inbox.
        """
        if self._file is not None:
            if not self._file.inherited:
                return
            self._forget()
        ledger = Ledger(self._limits, Seen(self._duplicates, self._clock))
        waiting: list[tuple[int, str]] = []

        def read(content: sqlite_file.Content) -> None:
            for trace in content.seen():
                ledger.seen.recall(trace)
            for message_id, device, received_at, size, dead in content.messages():
                ledger.add(message_id, received_at, size)
                if dead:
                    ledger.bury(message_id)
                else:
                    waiting.append((message_id, device))
            self._last_id = content.last_id()

        file = sqlite_file.InboxFile(self.path, read)
        try:
            for message_id, device in waiting:
                deliver(message_id, device)
        except BaseException:
            file.close()
            raise
        self._file, self._ledger, self._deliver, self._closing = file, ledger, deliver, False
        self._writer = threading.Thread(target=self._write_on, name="iot-northbound-inbox", daemon=True)
        self._writer.start()

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done once it is committed and synced.

        Raises:
            InboxFullError: the inbox has reached a limit.
            InboxError: it was not started, or is being stopped.
        """
        future: Future[bool] = Future()
        future.set_running_or_notify_cancel()  # from here on it is written, even if the caller no longer waits
        body = message.text.encode()
        self._opened()
        with self._changed:
            if self._file is None or self._closing:
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
        file = self._opened()
        with self._changed:
            message = self._fresh.pop(message_id, None)
            if message is not None:
                self._fresh_characters -= len(message.text)
                return message
        return parse(*file.body(message_id))

    def done(self, message_id: int) -> None:
        """Delete a message that was handled, if it is there, in the next transaction."""
        with self._changed:
            if self._file is not None and self._ledger.remove(message_id):
                self._work.append(Done(message_id))
                self._changed.notify()

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Set a waiting message aside as a dead letter, if it is there, in the next transaction."""
        text = error.encode("utf-8", "backslashreplace").decode()
        with self._changed:
            if self._file is not None and self._ledger.bury(message_id):
                self._work.append(Bury(message_id, attempts, text))
                self._changed.notify()

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        self._revive([], delete=False)  # waits until all earlier dead letters are written
        file = self._opened()
        return [
            DeadLetter(message_id, kind, device, datetime.fromtimestamp(at, UTC), attempts, error, _readable(body))
            for message_id, kind, device, at, attempts, error, body in file.dead_letters(limit)
        ]

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Make dead letters wait again (all, or those with these ids), behind what waits already; return how many."""
        return self._revive(None if ids is None else list(ids), delete=False)

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters; return how many."""
        return self._revive(list(ids), delete=True)

    def stats(self) -> InboxStats:
        """Return how full it is."""
        with self._changed:
            return self._ledger.stats()

    def stop(self) -> None:
        """Write everything that is still to be written, and close the file. A forked child does not close it."""
        writer, file = self._writer, self._file
        if writer is None or file is None:
            return
        if not file.inherited:
            with self._changed:
                self._closing = True
                self._changed.notify()
            writer.join()
            file.close()
        self._forget()

    def _forget(self) -> None:
        self._changed = threading.Condition()  # in a forked child, the old one may be locked forever
        self._file = self._writer = None
        self._work, self._fresh, self._fresh_characters = [], {}, 0

    def _opened(self) -> sqlite_file.InboxFile:
        file = self._file
        if file is None:
            raise InboxError("the inbox is closed; start the receiver first")
        if file.inherited:
            raise InboxError("the inbox was opened before this process was forked; start it in each process")
        return file

    def _revive(self, ids: list[int] | None, *, delete: bool) -> int:
        self._opened()
        with self._changed:
            if self._closing:
                raise InboxError("the inbox is closing")
            # Each id once, and only known ones: the transaction must not fail, because it has other messages too.
            known = None if ids is None else [each for each in dict.fromkeys(ids) if each in self._ledger.dead]
            work = Revive(known, delete, Future())
            self._work.append(work)
            self._changed.notify()
        return work.future.result()

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
        with self._opened().transaction() as write:
            write.insert(
                [
                    (work.id, work.message.kind, work.message.device, work.message.received_at, work.body)
                    for work in puts
                ]
            )
            write.remember([work.trace for work in batch if isinstance(work, Put | Repetition) and work.trace])
            write.delete([(work.id,) for work in batch if isinstance(work, Done)])
            write.bury([(work.attempts, work.error, work.id) for work in batch if isinstance(work, Bury)])
            for work in batch:
                if isinstance(work, Revive):
                    self._move(write, work)
            if self._duplicates is not None:
                write.forget_old(self._clock.now() - self._duplicates.seconds, self._duplicates.messages)

    def _move(self, write: sqlite_file.Transaction, work: Revive) -> None:
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

    def _announce(self, batch: list[Work]) -> None:
        """Inform the workers first, then the requests that wait for their answer."""
        now = self._clock.now()
        with self._changed:
            for work in batch:
                if isinstance(work, Put):
                    size = len(work.message.text)
                    if len(self._fresh) < _FRESH_MESSAGES and self._fresh_characters + size < _FRESH_CHARACTERS:
                        self._fresh[work.id] = work.message
                        self._fresh_characters += size
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

    def _tidy(self) -> None:
        try:
            self._opened().shrink()
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
                elif isinstance(work, Repetition | Revive):
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


def _readable(body: object) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
