"""The open inbox and the threads of its handlers: started, stopped and forked together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import cast

from iot_northbound.core.clock import Clock
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import Inbox, InboxError, InboxStats, Leased, Sink, as_inbox
from iot_northbound.push.inboxes.leases import LeaseFigures
from iot_northbound.push.memory_inbox import MemoryInbox
from iot_northbound.push.parse import Message
from iot_northbound.push.workers import Workers


class Running:
    """Opens an inbox and runs its workers, in one process at a time.

    Args:
        inbox: the inbox, or a sink; None for an inbox in memory, which is made at the start.
        workers_of: makes the workers of an inbox, with so many threads.
        threads: how many threads they have, unless `start` says it; 0 for none.
        clock: the source of time for the inbox in memory.
    """

    def __init__(
        self, inbox: Sink | None, workers_of: Callable[[Inbox, int], Workers], threads: int, clock: Clock
    ) -> None:
        self.inbox = inbox
        self.workers: Workers | None = None
        self._workers_of, self._threads, self._clock = workers_of, threads, clock
        self._open: Sink | None = None
        self._process = 0
        self._starting = threading.Lock()
        self._stopped = False

    def start(self, threads: int | None = None) -> None:
        """Open the inbox and handle what waits in it, then what comes. Does nothing if it runs already.

        Raises:
            InboxInUseError: another receiver uses the inbox.
            InboxError: the inbox cannot be opened.
        """
        self._start(self._threads if threads is None else threads, by_message=False)

    def _start(self, threads: int, *, by_message: bool) -> None:
        with self._starting:
            if self._inherited:
                self.workers = self._open = None
            if self._open is not None or (by_message and self._stopped):  # a late message does not undo a stop
                return
            if self.inbox is None:
                log.warning("no inbox was given: messages are kept in memory and are lost when this process ends")
                self.inbox = MemoryInbox(clock=self._clock)
            self.workers = self._work_on(self.inbox, threads)
            self._open, self._process, self._stopped = self.inbox, os.getpid(), False

    def _work_on(self, sink: Sink, threads: int) -> Workers | None:
        """Start an inbox; return its workers, or None if other processes handle the messages."""
        inbox = as_inbox(sink)
        if inbox is None:
            return None
        if not threads:
            cast("Leased", inbox).start(None)  # the receiver was not made with another kind
            return None
        workers = self._workers_of(inbox, threads)
        if isinstance(inbox, Leased):
            inbox.on_withdraw(workers.withdraw)
        inbox.start(workers.add)
        workers.start()
        return workers

    @property
    def _inherited(self) -> bool:
        """Whether the inbox and the threads are those of a process that this one was forked from."""
        return self._open is not None and self._process != os.getpid()

    def put(self, message: Message) -> Future[bool]:
        """Put a message into the inbox; the first one starts the workers.

        Raises:
            InboxError: the inbox cannot take it now.
        """
        if self._stopped:
            raise InboxError("the receiver was stopped")
        if self._inherited:
            # Neither its threads nor its file survive a fork: with an answer of 200 the message would be lost.
            raise InboxError("the receiver was started before this process was forked; start it in each process")
        if self._open is None:
            self._start(self._threads, by_message=True)
        return self._opened().put(message)

    def refused_another(self) -> None:
        """Note that a message of an unknown device came and was refused."""
        inbox = as_inbox(self._open)
        if inbox is not None and not self._inherited:
            inbox.refused_another()

    def opened(self) -> Inbox:
        """Return the open inbox.

        Raises:
            InboxError: it is not open, or it is a sink.
        """
        sink = self._opened()
        inbox = as_inbox(sink)
        if inbox is None:
            raise InboxError(f"{type(sink).__name__} has no dead letters: another program handles its messages")
        return inbox

    def _opened(self) -> Sink:
        opened = self._open
        if opened is None:
            raise InboxError("the receiver does not run; start() it first")
        return opened

    def stats(self) -> InboxStats:
        """Return how full the inbox is; an inbox that is not open counts as empty."""
        inbox = self._open
        return inbox.stats() if inbox is not None else InboxStats(0, 0, 0, None)

    def leases(self) -> LeaseFigures | None:
        """Return which part of a shared inbox this process handles; None if the inbox is its own, or does not tell."""
        tell = getattr(self._open, "leases", None)
        return tell() if tell is not None else None

    def stop(self, timeout: float) -> bool:
        """Accept nothing more, handle what waits for at most `timeout` seconds, and close the inbox.

        Returns:
            Whether everything was handled.
        """
        with self._starting:
            workers, inbox, self._stopped = self.workers, self._open, True
            if inbox is None or self._inherited:
                return True
            finished = workers is None or workers.stop(timeout, leave=isinstance(inbox, Leased))
            if not finished and not inbox.durable:
                log.error("%d messages were lost: they were kept in memory only", inbox.stats().waiting)
            inbox.stop()
            self.workers = self._open = None
            return finished
