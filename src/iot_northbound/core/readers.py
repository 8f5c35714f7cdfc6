"""JSON -> attrs classes: one generated reader a class, behind cattrs' dispatch.

cattrs' own generated functions call a hook for each field, which is what reading a page of devices mostly costs. A
platform's answer is nearly all text and null, so the readers here fetch the fields by wire name, look at the types of
all texts at once, and set the slots directly: 0.7 x json.loads instead of 1.4 x (benchmarks/structuring.py). Setting
slots also skips the rules a request class holds, which is right for what the platform sends.

A reader only tells that something is wrong; `find_mismatch` then walks the value once more to say where.
"""

import types
import typing
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
import cattrs

from iot_northbound.core.fields import FieldSpec, bare_type, specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.times import Timestamp

Reader = Callable[[Any, Any], Any]


class Mismatch(Exception):
    """A value has another type than its class expects."""


def _mismatch() -> None:
    raise Mismatch


def _is_class(annotation: Any) -> bool:
    return isinstance(annotation, type) and attrs.has(annotation)


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) is list


_TEXTS: Any = (str, datetime | str)
"""Types that stay the text they arrived as: a time in a class that serves requests too is one."""


def _make_reader(cls: type) -> Reader:
    """Return a function that makes an instance of `cls` from a parsed JSON object."""
    names: dict[str, Any] = {
        "cls": cls,
        "new": object.__new__,
        "put": object.__setattr__,
        "texts": frozenset({str, types.NoneType}),
        "Timestamp": Timestamp,
        "mismatch": _mismatch,
    }
    lines = ["def read(value, _=None):", "  if value.__class__ is not dict: mismatch()", "  get = value.get"]
    texts = []
    for index, spec in enumerate(specs(cls).values()):
        field = f"f{index}"
        lines.append(f"  {field} = get({spec.wire!r})")
        lines += [f"  if {field} is None: {field} = get({other!r})" for other in spec.also]
        if spec.promised:
            lines.append(f"  if {field} is None: mismatch()")
        if spec.type in _TEXTS:
            texts.append(field)
        else:
            lines += _field_lines(field, spec, names)
    if texts:
        kinds = ", ".join(f"{field}.__class__" for field in texts)
        lines.append(f"  if not texts.issuperset({{{kinds}}}): mismatch()")
    lines.append("  made = new(cls)")
    # Only request classes watch assignments; `put` goes past that.
    watched = any("__setattr__" in vars(base) for base in cls.__mro__[:-1])
    for index, name in enumerate(specs(cls)):
        lines.append(f"  put(made, {name!r}, f{index})" if watched else f"  made.{name} = f{index}")
    lines.append("  return made")
    exec("\n".join(lines), names)  # noqa: S102  # nothing but names of our own classes is in it
    return typing.cast(Reader, names["read"])


def _field_lines(field: str, spec: FieldSpec, names: dict[str, Any]) -> list[str]:
    """Return the lines that check, and where needed convert, one field that is not plain text."""
    kind = spec.type
    if kind is Any:
        return []
    if kind is Timestamp:
        return [
            f"  if {field} is not None:",
            f"    if {field}.__class__ is not str: mismatch()",
            f"    {field} = Timestamp({field})",
        ]
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        names[f"{field}_known"], names[f"{field}_enum"] = kind._value2member_map_, kind
        return [
            f"  if {field} is not None:",
            f"    if {field}.__class__ is not str: mismatch()",
            f"    {field} = {field}_known.get({field}) or {field}_enum({field})",
        ]
    if _is_list(kind):
        item = typing.get_args(kind)[0]
        # Not by cattrs' dispatch for plain items: it knows str, int … itself, and would call the type to convert.
        names[f"{field}_read"] = converter.get_structure_hook(item) if _is_class(item) else _plain_item(item)
        return [
            f"  if {field} is not None:",
            f"    if {field}.__class__ is not list: mismatch()",
            f"    {field} = [{field}_read(each, None) for each in {field}]",
        ]
    if _is_class(kind):
        names[f"{field}_read"] = converter.get_structure_hook(kind)
        return [f"  if {field} is not None: {field} = {field}_read({field}, None)"]
    names[f"{field}_kinds"] = _plain_kinds(kind)
    return [f"  if {field}.__class__ not in {field}_kinds: mismatch()"]


def _plain_kinds(kind: Any) -> frozenset[type]:
    """Return the Python types of a JSON value that a plain field takes."""
    accepted: tuple[type, ...] = (float, int) if kind is float else (typing.get_origin(kind) or kind,)
    return frozenset({*accepted, types.NoneType})


def _plain_item(annotation: Any) -> Reader:
    """Return the reader of a list's plain items."""
    kind = bare_type(annotation)
    accepted = frozenset({str, types.NoneType}) if kind in _TEXTS else _plain_kinds(kind)

    def read(value: Any, _: Any) -> Any:
        if kind is not Any and value.__class__ not in accepted:
            _mismatch()
        return value

    return read


converter = cattrs.Converter()
converter.register_structure_hook_factory(_is_class, _make_reader)


# -- where it went wrong ---------------------------------------------------------------------------------------------

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


def find_mismatch(value: Any, kind: Any, path: str = "$") -> tuple[str, str, str] | None:
    """Return the first wrong type as (JSON path in wire names, what was expected, what came); None where none is."""
    got = _GOT.get(type(value), type(value).__name__)
    if kind is Any or (value is None and path != "$"):
        return None
    if _is_class(kind):
        if not isinstance(value, dict):
            return path, "an object", got
        for spec in specs(kind).values():
            wire = next((name for name in (spec.wire, *spec.also) if value.get(name) is not None), spec.wire)
            if spec.promised and value.get(wire) is None:
                return f"{path}.{wire}", _said(spec.type), "null"
            found = find_mismatch(value.get(wire), spec.type, f"{path}.{wire}")
            if found:
                return found
        return None
    if _is_list(kind):
        if not isinstance(value, list):
            return path, "a list", got
        item = bare_type(typing.get_args(kind)[0])
        for index, each in enumerate(value):
            if each is None and _is_class(item):
                return f"{path}[{index}]", "an object", "null"
            found = find_mismatch(each, item, f"{path}[{index}]")
            if found:
                return found
        return None
    if kind in _TEXTS or kind is Timestamp or (isinstance(kind, type) and issubclass(kind, OpenEnum)):
        return None if isinstance(value, str) else (path, _said(kind), got)
    return None if type(value) in _plain_kinds(kind) else (path, _said(kind), got)


def _said(kind: Any) -> str:
    if kind in _TEXTS or (isinstance(kind, type) and issubclass(kind, OpenEnum)):
        return _SAID[str]
    return _SAID[dict] if _is_class(kind) else _SAID.get(typing.get_origin(kind) or kind, str(kind))
