"""Threads that run functions of the application, so that none of them can delay the network."""

import queue
import threading
from collections.abc import Callable

from iot_northbound.core.failures import Log

log = Log("iot_northbound.device")

MOST = 1_000
"""Calls that may wait; a flood of messages must not fill the memory."""


def started(run: Callable[[], object], name: str) -> threading.Thread | None:
    """Return a new daemon thread that runs this; None if the system has no more threads, or the program is ending.

    Since Python 3.12 no thread can be started while the interpreter ends, when the other threads still run.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


class Workers:
    """Up to `threads` daemon threads, started when they are needed. With one thread, calls keep their order.

    The threads of concurrent.futures would make the end of the program wait for a function that never returns.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._limit, self._name = threads, name
        self._started = self._open = 0
        self._closed = self._finish = False

    @property
    def open(self) -> int:
        """How many calls wait or run."""
        return self._open

    def submit(self, call: Callable[[], object]) -> bool:
        """Run the call on one of the threads; return False, and do nothing, if that is not possible.

        So it is if too many calls wait, if it is closed, or if there is no thread and none can be started.
        """
        with self._lock:
            if self._closed or self._open >= MOST + self._limit:
                return False
            if self._open >= self._started < self._limit:
                if started(self._work, f"{self._name}-{self._started + 1}") is not None:
                    self._started += 1
                elif not self._started:
                    return False
            self._open += 1
            self._calls.put(call)
        return True

    def close(self, *, finish: bool = False) -> None:
        """Take no more calls. Those that wait are run only with `finish`; none is waited for."""
        with self._lock:
            self._closed, self._finish = True, finish
            for _ in range(self._started):
                self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                if not self._closed or self._finish:
                    call()
            except BaseException:  # sys.exit() too: it would end a thread that others need
                log.exception("a function of the application failed")
            finally:
                with self._lock:
                    self._open -= 1
