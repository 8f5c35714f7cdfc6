"""One deadline for a call and for the application's own functions inside it."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class _Here(threading.local):
    until: float | None = None


_here = _Here()


def earlier(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two deadlines; None means no deadline."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def enclosing() -> float | None:
    """Return the deadline of the call whose hook or verifier runs in this thread, or None."""
    return _here.until


def within(until: float | None, work: Callable[..., T], *args: Any) -> T:
    """Return the result of a function of the application. Calls that it makes end no later than the outer call.

    The function itself cannot be stopped.
    """
    before = _here.until
    try:
        try:
            _here.until = earlier(before, until)
            return work(*args)
        finally:
            _here.until = before
    finally:  # again: an exception from a signal may have ended the first attempt
        _here.until = before
