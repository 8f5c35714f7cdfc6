"""Checks of arguments: an error names the argument that has a wrong type or value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iot_northbound.errors import InvalidArgumentError

INBOX_METHODS = (
    *("start", "put", "refused_another", "get", "done", "bury"),
    *("dead_letters", "replay", "discard", "stats", "stop"),
)
"""The members that an inbox must have (the protocol `Inbox`)."""
_SINK_METHODS = ("put", "stats", "stop")

_CLOCK_METHODS = ("now", "monotonic", "sleep", "wait")
LONGEST = 1_000_000_000
"""Seconds: 31 years. Threads cannot wait much longer."""


def check(name: str, value: object, *types: type, what: str = "") -> None:
    """Raise TypeError unless a value has one of some types. True and False do not count as numbers."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        wanted = what or " or ".join("None" if each is type(None) else each.__name__ for each in types)
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def whole(name: str, value: int, least: int = 1) -> None:
    """Raise TypeError or InvalidArgumentError unless a value is a whole number that is not too small."""
    check(name, value, int)
    if value < least:
        raise InvalidArgumentError.of(name, repr(value), f"it must be {least} or more")


def seconds(name: str, value: float) -> None:
    """Raise TypeError or InvalidArgumentError unless a value is a time that one can wait for."""
    check(name, value, int, float)
    if not 0 <= value <= LONGEST:
        raise InvalidArgumentError.of(name, repr(value), f"it must be from 0 to {LONGEST:,} seconds")


def flag(name: str, value: object) -> None:
    """Raise TypeError unless a value is True or False."""
    check(name, value, bool)


def path(name: str, value: object, *types: type) -> None:
    """Raise TypeError unless a value is the path of a file, or of one of some other types."""
    check(name, value, str, os.PathLike, *types, what="a path" + (" or None" if type(None) in types else ""))


def texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return some texts as a tuple.

    Raises:
        TypeError: they are something else; a single text is not a list of texts.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of texts, not {type(values).__name__}")
    found = tuple(values)
    for each in found:
        check(f"{name}: each of them", each, str)
    return found


def check_clock(clock: object) -> None:
    """Raise TypeError unless a value is a source of time."""
    missing = [name for name in _CLOCK_METHODS if not callable(getattr(clock, name, None))]
    if missing:
        raise TypeError(f"clock must be a Clock, not {type(clock).__name__}: it has no {', '.join(missing)}")


def check_inbox(inbox: object) -> None:
    """Raise InvalidArgumentError unless a value is an inbox, a sink or None."""
    needed = INBOX_METHODS if hasattr(inbox, "get") or not hasattr(inbox, "put") else _SINK_METHODS
    missing = [name for name in needed if not callable(getattr(inbox, name, None))]
    if inbox is not None and (isinstance(inbox, type) or missing):
        rule = "it must be an inbox: SqliteInbox(path), a URL such as sqlite:/folder/file, or one of your own"
        lacking = f" with {', '.join(missing)}" if missing else ""
        raise InvalidArgumentError.of("inbox", repr(inbox), rule + lacking)


def as_body(body: Any) -> bytes:
    """Return a request's body as bytes; a text is encoded as UTF-8.

    Raises:
        TypeError: it is neither bytes nor text.
    """
    if type(body) is bytes:
        return body
    check("body", body, bytes, bytearray, memoryview, str, what="bytes or str")
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)


def headers(given: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    """Yield the headers with their names in lower case.

    Raises:
        TypeError: they are not a mapping of text to text.
    """
    if given is None:
        return
    if not callable(getattr(given, "items", None)):
        raise TypeError(f"headers must be a mapping of names to values, not {type(given).__name__}")
    for name, value in given.items():
        check("headers: a name", name, str)
        check(f"headers: the value of {name}", value, str)
        yield name.lower(), value


def ids(values: Iterable[int]) -> list[int]:
    """Return the ids of dead letters as a list.

    Raises:
        TypeError: they are not a list of whole numbers.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"ids must be the ids of dead letters, such as [7, 8], not {type(values).__name__}")
    found = list(values)
    for each in found:
        check("ids: each id", each, int)
    return found
