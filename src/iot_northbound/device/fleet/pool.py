"""The threads that make the handshakes of a fleet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

THREADS = 16
_LONGEST_GOODBYE = 2.0


class Pool:
    """Up to 16 threads that do one piece of work after the other.

    Unlike those of concurrent.futures, they do not keep the interpreter from its end while a server is silent.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], object]) -> None:
        """Do this on one of the threads. Only one thread may ask for it; the work may not raise."""
        if len(self._threads) < THREADS:
            name = f"iot-northbound-handshake-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
            self._threads[-1].start()
        self._work.put(work)

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
