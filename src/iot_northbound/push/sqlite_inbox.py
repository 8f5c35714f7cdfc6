"""The durable inbox: one SQLite file, one thread that writes.

An answered message is committed and synced (write-ahead log, ``synchronous=FULL``), so neither kill -9 nor a power cut
loses it. A sync takes milliseconds. Therefore one thread writes, and all messages that arrive during its sync go into
the next transaction together (group commit).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.failures import described
from iot_northbound.core.signal_safe import Flag
from iot_northbound.push.adopt import adopt_file
from iot_northbound.push.arguments import check, check_clock, seconds
from iot_northbound.push.duplicates import DuplicateWindow, Trace
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import DeadLetter, Deliver, InboxError, InboxInUseError, InboxLimits, InboxStats
from iot_northbound.push.opening import NUMBER, Opening, first_free, others, places
from iot_northbound.push.parse import Message
from iot_northbound.push.sqlite_file import Left
from iot_northbound.push.sqlite_store import Store

_INHERIT_EVERY = 5.0
"""Seconds between two looks at the files that other processes may have left."""


class SqliteInbox:
    """Keeps messages in a SQLite file, for one receiver at a time.

    Only the owner can read the file, because messages are the devices' data. Nothing is opened before `start`, so a
    receiver may be created before a server forks its workers.

    Several processes need a file each: write ``{n}`` into the name, as in ``pushes-{n}.sqlite3``. Each process takes
    the first number that no other has. What a process that is gone left in its file is handled by the next one that
    takes the number, or is taken over by another one within some seconds; then the file is deleted. The messages of a
    device keep their order only within one process; across processes, `PostgresInbox` keeps it.

    Args:
        path: the file; it is created if it does not exist. Its folder must exist, on a local disk.
        wait: if another process has the file, the start does not fail, but tries again until the file is free; this
            many seconds later the log says that it is still in use. Meanwhile the receiver answers 503, so that the
            platform sends again. So a server that starts its next process before the last one has ended can be
            reloaded. 0: the start fails at once.
        limits: when it is full.
        duplicates: how far back repetitions are recognised, also after a restart; None switches that off.
        clock: the source of time.
    """

    durable = True

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        *,
        wait: float = 0.0,
        limits: InboxLimits | None = None,
        duplicates: DuplicateWindow | None = DuplicateWindow(),  # noqa: B008  # frozen
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check("path", path, str, bytes, os.PathLike, what="a path")
        seconds("wait", wait)
        check("limits", limits, InboxLimits, type(None))
        check("duplicates", duplicates, DuplicateWindow, type(None))
        check_clock(clock)
        self.path = Path(os.fsdecode(path))
        self._wait = wait
        self._limits, self._duplicates, self._clock = limits or InboxLimits(), duplicates, clock
        self._opening: Opening | None = None
        self._store: Store | None = None
        self._last = InboxStats(0, 0, 0, None)
        self._heir: threading.Thread | None = None
        self._stopped = Flag()

    def start(self, deliver: Deliver) -> None:
        """Open the file; call `deliver` for every waiting message in order of arrival, then for each new one once safe.

        Raises:
            InboxInUseError: another receiver uses the file, and `wait` is 0.
            InboxError: the file cannot be opened, or is not an inbox.
        """
        if self._opening is not None:
            if self._opening.process == os.getpid():
                return
            self._forget()  # it is the parent's
        open_one = partial(self._open, deliver)
        opening = Opening(lambda: first_free(places(self.path), open_one), self.path, self._wait, self._clock)
        opening.start()
        self._opening = opening

    def _open(self, deliver: Deliver, path: Path) -> None:
        store = Store(path, self._limits, self._duplicates, self._clock, deliver)
        self._store = store  # before anything is delivered, because a worker may ask for it at once
        try:
            store.start()
        except BaseException:
            self._store = None
            store.close()
            raise
        if NUMBER in self.path.name:
            self._heir = threading.Thread(
                target=self._inherit_on, args=(path,), name="iot-northbound-heir", daemon=True
            )
            self._heir.start()

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done once it is committed and synced.

        Raises:
            InboxFullError: the inbox has reached a limit.
            InboxError: it was not started, or is being stopped, or another process still has the file.
        """
        return self._opened().put(message)

    def refused_another(self) -> None:
        """Take note that a message came and was refused unread."""
        if (store := self._store) is not None:
            store.refused_another()

    def get(self, message_id: int) -> Message:
        """Return a waiting message, from memory if it came recently.

        If the last owner of the file ended without closing it, one of its messages may be the reason. Each of them is
        noted in the file before its handlers begin, and `Message.begun` says how often that has happened.

        Raises:
            MessageGoneError: it is no longer there.
            NotAMessageError: the file is damaged at the message.
        """
        return self._opened().get(message_id)

    def done(self, message_id: int) -> None:
        """Delete a message that was handled, if it is there, in the next transaction."""
        if (store := self._store) is not None:
            store.done(message_id)

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Set a waiting message aside as a dead letter, if it is there, in the next transaction."""
        if (store := self._store) is not None:
            store.bury(message_id, attempts, error)

    def bring(self, rows: list[Left], traces: list[Trace]) -> None:
        """Store what another process left, behind what waits already; return once it is safe. `adopt_file` uses it.

        Messages that the sender has repeated here meanwhile are left out.

        Raises:
            InboxError: it cannot be stored.
        """
        self._opened().bring(rows, traces)

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        return self._opened().dead_letters(limit)

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Make dead letters wait again (all, or those with these ids), behind what waits already; return how many."""
        return self._opened().replay(ids)

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters; return how many."""
        return self._opened().discard(ids)

    def stats(self) -> InboxStats:
        """Return how full it is; after the stop, how full it was."""
        store = self._store
        return self._last if store is None else store.stats()

    def stop(self) -> None:
        """Write everything that is still to be written, and close the file. A forked child does not close it."""
        opening = self._opening
        if opening is None:
            return
        if opening.process == os.getpid():
            opening.stop()
            self._stopped.set()
            if self._heir is not None:
                self._heir.join()
            if self._store is not None:
                self._store.close()
                self._last = self._store.stats()
        self._forget()

    def _forget(self) -> None:
        self._opening = self._store = self._heir = None
        self._stopped = Flag()

    def _opened(self) -> Store:
        opening = self._opening
        problem = opening.problem if opening is not None else None
        store = self._store  # read last: a thread that opens the file sets it before the problem is gone
        if store is None and problem is not None:
            raise type(problem)(str(problem))
        if store is None:
            raise InboxError("the inbox is closed; start the receiver first")
        if store.inherited:
            raise InboxError("the inbox was opened before this process was forked; start it in each process")
        return store

    def _inherit_on(self, own: Path) -> None:
        """Take over what processes that are gone left in the files of their numbers."""
        while not self._clock.wait(self._stopped, _INHERIT_EVERY):
            for path in others(self.path, own):
                try:
                    adopt_file(path, self)
                except InboxInUseError:
                    continue  # its process lives
                except Exception as error:  # noqa: BLE001  # the others' files have to be looked at too
                    log.error("what was left in %s cannot be taken over: %s", path, described(error))
