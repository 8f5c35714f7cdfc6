"""The threads that make the handshakes of a fleet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from iot_northbound.device.workers import started

THREADS = 16
_LONGEST_GOODBYE = 2.0


class Pool:
    """Up to 16 threads that do one piece of work after the other.

    Unlike those of concurrent.futures, they do not keep the interpreter from its end while a server is silent.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], object]) -> bool:
        """Do this on one of the threads; return False if there is none, and none can be started.

        Only one thread may ask for it; the work may not raise.
        """
        if len(self._threads) < THREADS:
            thread = started(self._run, f"iot-northbound-handshake-{len(self._threads)}")
            if thread is not None:
                self._threads.append(thread)
            elif not self._threads:
                return False
        self._work.put(work)
        return True

    def end(self, wake: Callable[[], object]) -> None:
        """End the threads; `wake` ends what they wait for. One that waits for a name server is left behind."""
        for _ in self._threads:
            self._work.put(None)
        left = _LONGEST_GOODBYE
        for each in self._threads:
            while each.is_alive() and left > 0:
                wake()
                each.join(0.02)
                left -= 0.02

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
