"""JSON -> attrs classes if something does not fit: as much as possible is read, and nothing else is changed.

The readers of `readers.py` are fast because they accept only what fits exactly. Only the objects that they refuse come
here: if one device of a page is odd, only this device. Three things are done with it:

- Fields are found that are spelled with other upper or lower case, underscores, dashes or blanks.
- Scalars are converted to the field's type, if nothing is lost (see `as_scalar`), and a single value becomes a list.
- A value that still does not fit is left out: the field is None, the item is not in its list. The raw value is in
  `unknown_fields`. The answer is unreadable only if a field is missing that it must have.
"""

import json
import math
import re
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from iot_northbound.core.fields import FieldSpec, bare_type, specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.readers import TEXTS, Mismatch, converter, is_class, is_list, keep, plain_kinds, respelled
from iot_northbound.core.received import Received
from iot_northbound.core.times import Timestamp

T = TypeVar("T")


class ShapeError(ValueError):
    """A JSON value is not what the DTO expects; the text has the path with the names of JSON."""

    def __init__(self, path: str, expected: str, got: str) -> None:
        super().__init__(f"{path} should be {expected}, not {got}")
        self.path = path
        self.expected = expected
        self.got = got

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.expected, self.got)


def read_leniently(value: Any, cls: type[T], path: str = "$") -> T:
    """Return a parsed JSON object as an instance of `cls`, with every value that fits.

    Raises:
        ShapeError: it is not an object, or does not have a field that the class must have.
    """
    if not isinstance(value, dict):
        raise ShapeError(path, "an object", said(value))
    spellings = {spec.name: [spec.wire, *spec.also] for spec in specs(cls).values()}
    known = {name for names in spellings.values() for name in names}
    unknown: dict[str, Any] = {}
    owner: Any = cls
    for name in value:
        if name in known:
            continue
        meant = respelled(owner, name)
        if meant is None:
            unknown[name] = value[name]
        else:
            spellings[meant].append(name)
    made = object.__new__(cls)
    for spec in specs(cls).values():
        object.__setattr__(made, spec.name, _field(value, spec, spellings[spec.name], path, unknown))
    keep(made, unknown)
    return made


def _field(value: dict[str, Any], spec: FieldSpec, spellings: list[str], path: str, unknown: dict[str, Any]) -> Any:
    """Return the value of one field, from the first spelling that fits and is not empty.

    A different value under another spelling is kept as an unknown field.
    """
    problem: ShapeError | None = None
    taken: list[Any] = []  # the raw value that is read, and what it became
    for name in spellings:
        raw = value.get(name)
        if raw is None or (taken and type(raw) is type(taken[0]) and raw == taken[0]):
            continue
        if taken and taken[0] not in _EMPTY:
            unknown[name] = raw
            continue
        try:
            found, whole = _converted(raw, spec.type, f"{path}.{name}")
        except ShapeError as error:
            problem = problem or error
            unknown[name] = raw
            continue
        if taken and raw in _EMPTY:
            continue
        taken = [raw, found]
        if not whole:
            unknown[name] = raw
    if taken:
        return taken[1]
    if spec.promised:
        raise problem or ShapeError(f"{path}.{spec.wire}", _said(spec.type), "null")
    return None


_EMPTY: tuple[Any, ...] = ("", [], {})
"""Values that give way to another spelling's."""


def _converted(raw: Any, kind: Any, path: str) -> tuple[Any, bool]:
    """Return a value in the type of the field, and whether it is complete.

    Raises:
        ShapeError: it does not fit.
    """
    if kind is Any:
        return raw, True
    if is_class(kind):
        try:
            return converter.structure(raw, kind), True
        except Mismatch:
            return read_leniently(raw, kind, path), True
    if is_list(kind):
        return _list(raw, bare_type(typing.get_args(kind)[0]), path)
    found = as_scalar(raw, kind)
    if found is None:
        raise ShapeError(path, _said(kind), said(raw))
    return found, True


def _list(raw: Any, item: Any, path: str) -> tuple[list[Any], bool]:
    if raw == {}:
        return [], True  # some platforms know no other way to write an empty list
    if not isinstance(raw, list):
        try:
            found, whole = _converted(raw, item, path)
        except ShapeError:
            raise ShapeError(path, "a list", said(raw)) from None
        return [found], whole
    items: list[Any] = []
    whole = True
    for index, each in enumerate(raw):
        if each is None and not is_class(item):
            items.append(None)
            continue
        try:
            found, fits = _converted(each, item, f"{path}[{index}]")
        except ShapeError:
            whole = False
            continue
        items.append(found)
        whole = whole and fits
    return items, whole


def lost_part(dto: Received) -> ShapeError | None:
    """Return the problem of the first object or list that a DTO should have but does not; None if all are there."""
    cls: Any = type(dto)
    for name, raw in dto.unknown_fields.items():
        spec = specs(cls).get(respelled(cls, name) or "")
        structured = spec and (is_class(spec.type) or typing.get_origin(spec.type) in (list, dict))
        if spec and structured and getattr(dto, spec.name) is None:
            return ShapeError(f"$.{name}", _said(spec.type), said(raw))
    return None


def sent_items(dto: Any, read: Sequence[Any] | None) -> Sequence[Any]:
    """Return the items that the platform sent for a list of a DTO: as they came if not all of them could be read.

    Raises:
        ShapeError: the value that came for the list is not a list.
    """
    if isinstance(dto, Received):
        cls: Any = type(dto)
        for name, raw in dto.unknown_fields.items():
            spec = specs(cls).get(respelled(cls, name) or "")
            if spec is None or not is_list(spec.type) or getattr(dto, spec.name) is not read:
                continue
            if read is None:
                raise ShapeError(f"$.{name}", _said(spec.type), said(raw))
            if isinstance(raw, list) and len(raw) > len(read):
                return raw
    return read or ()


# -- scalars -----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?\d+(?P<rest>\.\d+)?(?P<power>[eE][+-]?\d+)?", re.ASCII)
_EXACT = 2**53
"""From this number on, a float can mean several whole numbers."""


def as_scalar(raw: Any, kind: Any) -> Any:
    """Return a JSON value in the plain type of a field; None if this is not possible without a loss.

    Numbers and booleans become text as JSON writes them (true, not True; 1000.0 becomes 1000). Text becomes a number if
    it is one; blanks around it and zeros at its beginning do not matter. Text becomes a boolean if it is true or false,
    in upper or lower case. A number without decimals becomes a whole number. Nothing else is changed: 1 is not true,
    and 1.5 is not a whole number. 1e999 is infinite, so it fits no field.
    """
    if isinstance(raw, float) and not math.isfinite(raw):
        return None
    if kind in TEXTS or (isinstance(kind, type) and issubclass(kind, str)):
        text = raw if isinstance(raw, str) else json.dumps(_whole(raw)) if isinstance(raw, int | float) else None
        return text if text is None or kind in TEXTS else kind(text)
    if type(raw) in plain_kinds(kind):
        return raw
    if kind is bool:
        return {"true": True, "false": False}.get(raw.strip().lower()) if isinstance(raw, str) else None
    if kind not in (int, float) or isinstance(raw, bool):
        return None
    number = _number(raw) if isinstance(raw, str) else raw
    if kind is float or isinstance(number, int):
        return number if isinstance(number, int | float) else None
    whole = _whole(number)
    return whole if isinstance(whole, int) else None


def _whole(number: Any) -> Any:
    """Return a float that means exactly one whole number as that number; anything else as it is."""
    if isinstance(number, float) and number.is_integer() and abs(number) < _EXACT:
        return int(number)
    return number


def _number(text: str) -> int | float | None:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    if match["rest"] or match["power"]:
        number = float(match[0])
        return number if math.isfinite(number) else None
    try:
        return int(match[0])
    except ValueError:  # thousands of digits
        return None


# -- in words ----------------------------------------------------------------------------------------------------------

_SAID: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Timestamp: "a time as text",
    dict: "an object",
    list: "a list",
}
_GOT = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    types.NoneType: "null",
}


def said(value: Any) -> str:
    """Return the kind of a JSON value in words."""
    return _GOT.get(type(value), type(value).__name__)


def _said(kind: Any) -> str:
    if kind in TEXTS or (isinstance(kind, type) and issubclass(kind, OpenEnum)):
        return _SAID[str]
    return _SAID[dict] if is_class(kind) else _SAID.get(typing.get_origin(kind) or kind, str(kind))
