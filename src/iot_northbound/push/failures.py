"""Descriptions of failed handlers. These functions never fail themselves, whatever the handler raised."""

from __future__ import annotations

import contextlib
import logging

_LONGEST = 2_000


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
    except BaseException:  # noqa: BLE001
        found = None
    return found if type(found) is str else f"a {type.__dict__['__name__'].__get__(type(function))}"


def log_failure(log: logging.Logger, level: int, error: BaseException, text: str, *values: object) -> None:
    """Log an error with its traceback; on one line if the traceback cannot be written."""
    try:
        log.log(level, text, *values, exc_info=error)
    except BaseException:  # noqa: BLE001
        with contextlib.suppress(BaseException):
            log.log(level, f"{text}: %s", *values, described(error))
