"""Flags, locks, stacks and counters that an exception from a signal handler cannot leave locked.

Python runs signal handlers when a Python function begins and when a call has returned. A `threading.Event` and a
`queue.Queue` have Python functions around a lock, so a handler that raises can leave it locked for ever. Here each
step that counts is a single call into C: it is done, or it has not begun.
"""

import contextlib
import queue
import threading
from collections import deque
from typing import Any


class Flag:
    """A `threading.Event` without a lock that all its users share: each thread that waits has its own."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[threading.Lock] = []

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._is_set

    def set(self) -> None:
        """Set the flag and wake the threads that wait. If it is interrupted, it can be called again."""
        self._is_set = True
        for each in self._waiting.copy():
            with contextlib.suppress(RuntimeError):  # it is awake already
                each.release()

    def clear(self) -> None:
        """Clear the flag."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Return True once the flag is set, False if that many seconds pass first; None waits for ever."""
        mine = threading.Lock()
        mine.acquire()
        try:
            self._waiting.append(mine)
            # Only now: from here on, a thread that sets the flag knows of this one.
            return self._is_set or mine.acquire(timeout=-1 if timeout is None else _possible(timeout))
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(mine)


def _possible(timeout: float) -> float:
    return min(max(timeout, 0.0), threading.TIMEOUT_MAX)


class BriefLock:
    """A lock for a few steps that never wait.

    If it is held for a second, an exception has interrupted its thread while the thread released it. Then the next
    thread continues without the lock and releases it for all.
    """

    PATIENCE = 1.0

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire(timeout=self.PATIENCE)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):
            self._lock.release()


class Counter:
    """A number that threads count up."""

    def __init__(self) -> None:
        self._lock = BriefLock()
        self.value = 0

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self.value += 1


class Stack:
    """The stack in which urllib3 keeps idle connections: a `queue.LifoQueue` in which no thread waits for an item.

    urllib3 fills it with None, so that threads can wait for their turn. Nobody waits here, so None is not kept: filling
    and emptying a stack of 200 would cost each client a millisecond.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self._maxsize = maxsize
        self._items: deque[Any] = deque()

    def put(self, item: Any, block: bool = False, timeout: float | None = None) -> None:
        """Put an item on top, unless it is None.

        Raises:
            queue.Full: the stack has `maxsize` items.
        """
        if item is None:
            return
        if 0 < self._maxsize <= len(self._items):
            raise queue.Full
        self._items.append(item)

    def get(self, block: bool = False, timeout: float | None = None) -> Any:
        """Take the item on top.

        Raises:
            queue.Empty: the stack has no items.
        """
        try:
            return self._items.pop()
        except IndexError:
            raise queue.Empty from None

    def qsize(self) -> int:
        """Return how many items there are."""
        return len(self._items)
