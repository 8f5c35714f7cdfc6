"""Opens the file of a durable inbox: at once, or as soon as its owner before has released it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import described
from iot_northbound.core.signal_safe import Flag
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import InboxError, InboxInUseError

NUMBER = "{n}"
"""Stands in a file's name for the first number whose file no other process has."""
_MOST = 10_000
_LOOK_AGAIN = 0.05
"""Seconds between two looks at a file that is in use: a request that comes meanwhile is refused."""


def places(path: Path) -> Iterator[Path]:
    """Yield the files that a process may take: the only one, or all numbers."""
    if NUMBER not in path.name:
        yield path
        return
    for number in range(1, _MOST):
        yield path.with_name(path.name.replace(NUMBER, str(number)))


def others(path: Path, own: Path) -> list[Path]:
    """Return the files with the numbers of other processes, whether these live or not."""
    begin, _, end = path.name.partition(NUMBER)
    numbers = range(1, _MOST)
    found = [each for each in path.parent.glob(f"{_plain(begin)}*{_plain(end)}") if each != own]
    return sorted(each for each in found if _number(each.name[len(begin) : len(each.name) - len(end)]) in numbers)


def _plain(text: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in text)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and text[0] != "0" else 0


class Opening:
    """One start of an inbox.

    Args:
        open_now: opens the file; raises InboxInUseError while another process has it.
        path: the file, for what is said.
        wait: seconds after which it is an error that the file is still in use; 0: at once, and no second try.
        clock: the source of time.
    """

    def __init__(self, open_now: Callable[[], None], path: Path, wait: float, clock: Clock) -> None:
        self._open, self._path, self._wait, self._clock = open_now, path, wait, clock
        self._stopped = Flag()
        self._thread: threading.Thread | None = None
        self.process = os.getpid()
        self.problem: InboxError | None = None
        """Why it is not open yet."""

    def start(self) -> None:
        """Open the file, or go on trying on a thread.

        Raises:
            InboxInUseError: another receiver uses it, and `wait` is 0.
            InboxError: it cannot be opened.
        """
        try:
            self._open()
        except InboxInUseError as error:
            if not self._wait:
                raise
            self.problem = error
            log.warning("the inbox %s still has another owner: pushes are answered 503 until it is free", self._path)
            self._thread = threading.Thread(target=self._try_on, name="iot-northbound-inbox-wait", daemon=True)
            self._thread.start()

    def _try_on(self) -> None:
        began = self._clock.monotonic()
        told = ""  # each problem is logged once
        while not self._clock.wait(self._stopped, _LOOK_AGAIN):
            waited = self._clock.monotonic() - began
            try:
                self._open()
            except Exception as error:  # noqa: BLE001  # the thread must live as long as the inbox is closed
                self.problem = error if isinstance(error, InboxError) else InboxError(f"it failed: {described(error)}")
                expected = isinstance(error, InboxInUseError) and waited < self._wait
                if not expected and str(self.problem) != told:
                    told = str(self.problem)
                    log.error("the inbox is still closed after %.0f s: %s", waited, told)
            else:
                self.problem = None
                log.info("the inbox %s is free after %.1f s, and open now", self._path, waited)
                return

    def stop(self) -> None:
        """Try no longer. A child that was forked meanwhile has no such thread."""
        self._stopped.set()
        if self._thread is not None and self.process == os.getpid():
            self._thread.join()


def first_free(paths: Iterable[Path], open_one: Callable[[Path], None]) -> None:
    """Open the first file that no other process has.

    Raises:
        InboxInUseError: others have all of them.
        InboxError: one cannot be opened.
    """
    busy: InboxInUseError | None = None
    for path in paths:
        try:
            open_one(path)
        except InboxInUseError as error:
            busy = error
        else:
            return
    raise busy or InboxInUseError("there is no file to open")
