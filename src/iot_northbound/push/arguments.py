"""Checks of arguments: an error names the argument that has a wrong type or value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iot_northbound.errors import InvalidArgumentError


def check(name: str, value: object, *types: type, what: str = "") -> None:
    """Raise TypeError unless a value has one of some types. True and False do not count as numbers."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        wanted = what or " or ".join("None" if each is type(None) else each.__name__ for each in types)
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def at_least_one(name: str, value: int) -> None:
    """Raise TypeError or InvalidArgumentError unless a value is a whole number of 1 or more."""
    check(name, value, int)
    if value < 1:
        raise InvalidArgumentError.of(name, repr(value), "it must be 1 or more")


def check_inbox(inbox: object) -> None:
    """Raise InvalidArgumentError unless a value is an inbox or None."""
    if isinstance(inbox, str | bytes | os.PathLike):
        raise InvalidArgumentError.of("inbox", repr(inbox), "it must be an inbox: give SqliteInbox(path)")
    if inbox is not None and (isinstance(inbox, type) or not callable(getattr(inbox, "put", None))):
        rule = "it must be an inbox: SqliteInbox(path), MemoryInbox(), or one of your own"
        raise InvalidArgumentError.of("inbox", repr(inbox), rule)


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
