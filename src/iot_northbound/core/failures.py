"""Descriptions and logging of failed functions of the application. This never fails itself, whatever they raised."""

from __future__ import annotations

import logging
import sys
import threading
import traceback

_LONGEST = 2_000
_LONGEST_TRACE = 10_000
"""Characters of a traceback that are logged, the error's text among them."""


class Log:
    """A logger that cannot fail, for threads that must go on.

    If an application's logging handlers or filters raise, this must not stop a message: it would be tried again, and
    fail again, without end.

    Args:
        name: the logger's name.
        own_threads: whether it is used on threads of this package. On those of the application, what ends a thread is
            not caught: it can be an interruption that the application wants.
    """

    def __init__(self, name: str, *, own_threads: bool = True) -> None:
        self._log = logging.getLogger(name)
        self._own_threads = own_threads

    def debug(self, text: str, *values: object) -> None:
        """Log a detail."""
        self._say(logging.DEBUG, text, *values)

    def info(self, text: str, *values: object) -> None:
        """Log an event of normal operation."""
        self._say(logging.INFO, text, *values)

    def warning(self, text: str, *values: object) -> None:
        """Log something that needs attention."""
        self._say(logging.WARNING, text, *values)

    def error(self, text: str, *values: object) -> None:
        """Log an error."""
        self._say(logging.ERROR, text, *values)

    def log(self, level: int, text: str, *values: object) -> None:
        """Log something at a level of `logging`."""
        self._say(level, text, *values)

    def exception(self, text: str, *values: object) -> None:
        """Log the error that is being handled, as `failure` does."""
        error = sys.exc_info()[1]
        if error is not None:
            self._failure(logging.ERROR, error, text, *values)

    def failure(self, level: int, error: BaseException, text: str, *values: object) -> None:
        """Log an error with its traceback, cut if it is long, or in one line if the traceback cannot be written."""
        self._failure(level, error, text, *values)

    def _failure(self, level: int, error: BaseException, text: str, *values: object) -> None:
        try:
            trace = "".join(traceback.format_exception(error))
        except BaseException:  # noqa: BLE001  # its own methods may raise anything
            trace = ""
        if 0 < len(trace) <= _LONGEST_TRACE and self._say(level, text, *values, error=error, depth=4):
            return
        if len(trace) > _LONGEST_TRACE:
            half = _LONGEST_TRACE // 2
            cut = f"{trace[:half]}\n[{len(trace) - 2 * half} characters are left out]\n{trace[-half:]}"
            self._say(level, f"{text}\n%s", *values, cut, depth=4)
        else:
            self._say(level, f"{text}: %s", *values, described(error), depth=4)

    def _say(self, level: int, text: str, *values: object, error: BaseException | None = None, depth: int = 3) -> bool:
        try:
            self._log.log(level, text, *values, exc_info=error, stacklevel=depth)
        except Exception:  # noqa: BLE001  # there is no other place to say it
            return False
        except BaseException:
            if not self._own_threads or threading.current_thread() is threading.main_thread():  # Ctrl+C
                raise
            return False
        return True


def described(error: BaseException) -> str:
    """Return the type and text of an error, shortened to what a dead letter keeps.

    The error's own methods may fail, end the thread, or return something that is not text.
    """
    name = type.__dict__["__name__"].__get__(type(error))
    try:
        text = str.__getitem__(str(error), slice(0, _LONGEST))
    except BaseException:  # noqa: BLE001  # a SystemExit in __str__ is one more failed __str__
        text = "its text is not available"
    return f"{name}: {text}"[:_LONGEST]


def name_of(function: object) -> str:
    """Return the name of a function for the log."""
    try:
        found = getattr(function, "__qualname__", None)
    except BaseException:  # noqa: BLE001 - an application's object may raise anything
        found = None
    return found[:200] if type(found) is str else f"a {type.__dict__['__name__'].__get__(type(function))}"
