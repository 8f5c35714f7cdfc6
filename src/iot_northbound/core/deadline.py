"""One deadline over a call and over what the application's own functions do inside it."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class _Here(threading.local):
    until: float | None = None


_here = _Here()


def earlier(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two deadlines; None is none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def enclosing() -> float | None:
    """Return the deadline of the call whose hook or verifier this thread is running, or None."""
    return _here.until


def within(until: float | None, work: Callable[..., T], *args: Any) -> T:
    """Return what a function of the application returns; calls that it makes end no later than the one it is part of.

    The function itself cannot be stopped.
    """
    before = _here.until
    try:
        try:
            _here.until = earlier(before, until)
            return work(*args)
        finally:
            _here.until = before
    finally:  # once more: an exception from a signal may have ended the first
        _here.until = before
