"""Checks of bodies and queries, declared as values. A value that fails is answered with the endpoint's documented code.

A check takes a JSON value and returns it, converted if necessary, or raises Bad. The values of a query are always text,
and the platform accepts text for numbers and booleans in bodies too, so one check serves both. A null is the same as a
missing field: both leave an optional field unset.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iot_northbound.emulator.kernel.calls import MALFORMED, CodeAt, Refusal, meaning
from iot_northbound.emulator.kernel.clock import parse_time

Check = Callable[[Any], Any]


class Bad(Exception):
    """A value breaks its rule; the text says which one."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field's wire name, its check, and whether it has to be there. `code` overrides the endpoint's own."""

    name: str
    check: Check
    mandatory: bool = False
    code: CodeAt | None = None


def must(name: str, check: Check, code: CodeAt | None = None) -> Field:
    """Return a mandatory field."""
    return Field(name, check, True, code)


def may(name: str, check: Check, code: CodeAt | None = None) -> Field:
    """Return an optional field."""
    return Field(name, check, False, code)


class Shape:
    """The fields of a message. Fields it does not name are dropped.

    Args:
        fields: The fields of the message.
        invalid: Status and code for a value that breaks a rule.
        missing: Status and code for a mandatory field that is absent; `invalid` by default.
        malformed: Status and code for a body that is not a JSON object; `invalid` by default.
    """

    def __init__(
        self, *fields: Field, invalid: CodeAt, missing: CodeAt | None = None, malformed: CodeAt | None = None
    ) -> None:
        self.fields = fields
        self.invalid = invalid
        self.missing = missing or invalid
        self.malformed = malformed or invalid

    def read(self, message: Any) -> dict[str, Any]:
        """Return the fields that are set, checked.

        Raises:
            Refusal: With the code of the first field that breaks its rule.
        """
        if message is MALFORMED:
            raise refuse(self.malformed, "the body is not valid JSON")
        if message is None:
            message = {}
        if not isinstance(message, Mapping):
            raise refuse(self.malformed, "the body must be a JSON object")
        kept = {}
        for each in self.fields:
            value = message.get(each.name)
            if value is None:
                if each.mandatory:
                    raise refuse(each.code or self.missing, f"{each.name} is missing")
                continue
            try:
                kept[each.name] = each.check(value)
            except Bad as bad:
                raise refuse(each.code or self.invalid, f"{each.name} {bad}") from None
        return kept

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the query's fields that are set, checked; an empty one counts as not set.

        Raises:
            Refusal: As `read`.
        """
        return self.read({name: value for name, value in query.items() if value})


def refuse(code: CodeAt, detail: str) -> Refusal:
    """Return a refusal whose description has the code's meaning and the exact mistake."""
    return Refusal(code[0], code[1], f"{meaning(code[1])} ({detail})")


def text(low: int = 0, high: int = 256, pattern: str | None = None) -> Check:
    """Return a check for a string of low..high characters that matches the whole pattern, if one is given."""
    compiled = None if pattern is None else re.compile(pattern)

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Bad("must be a string")
        if not low <= len(value) <= high:
            raise Bad(f"must have {low} to {high} characters")
        if compiled is not None and compiled.fullmatch(value) is None:
            raise Bad("has characters that are not allowed")
        return value

    return check


def one_of(*allowed: str, fold: bool = False) -> Check:
    """Return a check for one of these strings; with fold, upper and lower case are the same."""
    known = {name.upper() if fold else name: name for name in allowed}

    def check(value: Any) -> str:
        found = known.get(value.upper() if fold else value) if isinstance(value, str) else None
        if found is None:
            raise Bad(f"must be one of {', '.join(allowed)}")
        return found

    return check


def integer(low: int | None = None, high: int | None = None) -> Check:
    """Return a check for a whole number from low to high, both included, as a number or in digits."""

    def check(value: Any) -> int:
        # 18 digits are beyond any number of the API, and short of the length at which int() refuses.
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value) is not None:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Bad("must be a whole number")
        if (low is not None and value < low) or (high is not None and value > high):
            raise Bad(f"must be {_span(low, high)}")
        return value

    return check


def _span(low: int | None, high: int | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"from {low} to {high}"


def boolean(value: Any) -> bool:
    """Check a boolean, as JSON has it or as text in any case."""
    found = _BOOLEANS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise Bad("must be true or false")
    return found


_BOOLEANS = {"true": True, "false": False}


def time_of(value: Any) -> float:
    """Check a time text and return its epoch seconds."""
    if not isinstance(value, str):
        raise Bad("must be a string")
    try:
        return parse_time(value)
    except ValueError as error:
        raise Bad(str(error)) from None


def end_of(value: Any) -> float:
    """Check a time text and return the last moment of its second: answers show whole seconds, and so do windows."""
    when = time_of(value)
    return when + (0.999999 if len(value) == len("20151212T121212Z") else 0.000999)


def anything(value: Any) -> Any:
    """Take any JSON value."""
    return value


def json_object(value: Any) -> dict[str, Any]:
    """Check a JSON object of any content."""
    if not isinstance(value, dict):
        raise Bad("must be a JSON object")
    return value


def array(check: Check, low: int = 0, high: int | None = None) -> Check:
    """Return a check for an array of low..high items that each pass the check."""

    def check_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Bad("must be an array")
        if len(value) < low or (high is not None and len(value) > high):
            raise Bad(f"must have {_span(low, high)} items")
        kept = []
        for position, item in enumerate(value):
            try:
                kept.append(check(item))
            except Bad as bad:
                raise Bad(f"[{position}] {bad}") from None
        return kept

    return check_all


def structure(*fields: Field) -> Check:
    """Return a check for a nested object with these fields; fields it does not name are dropped."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Bad("must be a JSON object")
        kept = {}
        for each in fields:
            item = value.get(each.name)
            if item is None:
                if each.mandatory:
                    raise Bad(f"{each.name} is missing")
                continue
            try:
                kept[each.name] = each.check(item)
            except Bad as bad:
                raise Bad(f"{each.name} {bad}") from None
        return kept

    return check


def texts(items: Iterable[str]) -> Check:
    """Return a check for a query's comma-separated list of these words."""
    allowed = set(items)

    def check(value: Any) -> list[str]:
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        if unknown := [word for word in words if word not in allowed]:
            raise Bad(f"has no {unknown[0]!r}; known are {', '.join(sorted(allowed))}")
        return words

    return check
