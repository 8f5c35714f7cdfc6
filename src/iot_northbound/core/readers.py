"""JSON -> attrs classes: one generated reader a class, behind cattrs' dispatch.

cattrs' own generated functions call a hook for each field, which is what reading a page of devices mostly costs. A
platform's answer is nearly all text and null, so the readers here fetch all fields at once, look at the types of
all texts at once, and set the slots directly: 0.7 x json.loads instead of 1.4 x (benchmarks/structuring.py). Setting
slots also skips the rules a request class holds, which is right for what the platform sends.

A reader takes only what fits exactly, and says no more than that something does not; `lenient` reads that then.
"""

import math
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any

import attrs
import cattrs

from iot_northbound.core.fields import FieldSpec, bare_type, specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received, UnknownFields
from iot_northbound.core.times import Timestamp

Reader = Callable[[Any, Any], Any]


class Mismatch(Exception):
    """A value is not exactly what its class expects."""


def _mismatch() -> None:
    raise Mismatch


def is_class(annotation: Any) -> bool:
    """Tell whether a type is a DTO class."""
    return isinstance(annotation, type) and attrs.has(annotation)


def is_list(annotation: Any) -> bool:
    """Tell whether a type is a list of something."""
    return typing.get_origin(annotation) is list


TEXTS: Any = (str, datetime | str)
"""Types that stay the text they arrived as: a time in a class that serves requests too is one."""


_FEW = 4
"""Up to so many texts are looked at one by one; more in one go."""


def _make_reader(cls: type) -> Reader:
    """Return a function that makes an instance of `cls` from a parsed JSON object."""
    fields = [(f"f{index}", spec) for index, spec in enumerate(specs(cls).values())]
    known = frozenset(spec.wire for _, spec in fields)
    names: dict[str, Any] = {
        "cls": cls,
        "new": object.__new__,
        "put": object.__setattr__,
        "texts": frozenset({str, types.NoneType}),
        "Timestamp": Timestamp,
        "mismatch": _mismatch,
        "finite": math.isfinite,
        "knows": known.issuperset,
        "with_unknown": partial(_read_with_unknown, cls, known),
    }
    # The objects of a page have the same names in the same order, so mostly one comparison shows that all are known.
    lines = [
        "def read(value, _=None, usual=[None]):",
        "  if value.__class__ is not dict: mismatch()",
        "  names = [*value]",
        "  if names != usual[0] and not knows(value): return with_unknown(value, read)",
        "  usual[0] = names",  # always: the names of one page are the same objects, which compare at once
        "  get = value.get",
    ]
    texts = []
    for field, spec in fields:
        lines.append(f"  {field} = get({spec.wire!r})")
        if spec.promised:
            lines.append(f"  if {field} is None: mismatch()")
        if spec.type in TEXTS:
            texts.append(field)
        else:
            lines += _field_lines(field, spec, names)
    if len(texts) > _FEW:
        kinds = ", ".join(f"{field}.__class__" for field in texts)
        lines.append(f"  if not texts.issuperset({{{kinds}}}): mismatch()")
    else:
        lines += [f"  if {field}.__class__ is not str and {field} is not None: mismatch()" for field in texts]
    lines.append("  made = new(cls)")
    # Only request classes watch assignments; `put` goes past that.
    watched = any("__setattr__" in vars(base) for base in cls.__mro__[:-1])
    for field, spec in fields:
        lines.append(f"  put(made, {spec.name!r}, {field})" if watched else f"  made.{spec.name} = {field}")
    lines.append("  return made")
    exec("\n".join(lines), names)  # noqa: S102  # nothing but names of our own classes is in it
    return typing.cast(Reader, names["read"])


def _read_with_unknown(cls: type, known: frozenset[str], value: dict[str, Any], read: Reader) -> Any:
    """Return the instance of an object that has unknown fields, which it keeps.

    Raises:
        Mismatch: one of them is a second spelling of a known one.
    """
    unknown = {name: each for name, each in value.items() if name not in known}
    if any(respelled(cls, name) for name in unknown):
        _mismatch()
    made = read({name: each for name, each in value.items() if name in known}, None)
    keep(made, unknown)
    return made


def keep(made: Any, unknown: dict[str, Any]) -> None:
    """Let a DTO hold what no attribute of it does."""
    if unknown and isinstance(made, Received):
        object.__setattr__(made, "_unknown", UnknownFields(unknown))


@lru_cache(maxsize=4096)
def respelled(cls: Any, name: str) -> str | None:
    """Return the attribute that a field is meant for which has a second spelling, other letter case or underscores."""
    return _plain_names(cls).get(_plain(name))


@cache
def _plain_names(cls: type) -> Mapping[str, str]:
    return {_plain(spelling): spec.name for spec in specs(cls).values() for spelling in (spec.wire, *spec.also)}


def _plain(name: str) -> str:
    return name.strip().replace("_", "").replace("-", "").casefold()


def _field_lines(field: str, spec: FieldSpec, names: dict[str, Any]) -> list[str]:
    """Return the lines that check, and where needed convert, one field that is not plain text."""
    kind = spec.type
    if kind is Any:
        return []
    if kind is Timestamp:
        return [
            f"  if {field}.__class__ is str: {field} = Timestamp({field})",
            f"  elif {field} is not None: mismatch()",
        ]
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        names[f"{field}_known"], names[f"{field}_enum"] = kind._value2member_map_.get, kind
        return [
            f"  if {field}.__class__ is str: {field} = {field}_known({field}) or {field}_enum({field})",
            f"  elif {field} is not None: mismatch()",
        ]
    if is_list(kind):
        item = typing.get_args(kind)[0]
        # Not by cattrs' dispatch for plain items: it knows str, int … itself, and would call the type to convert.
        names[f"{field}_read"] = converter.get_structure_hook(item) if is_class(item) else _plain_item(item)
        return [
            f"  if {field}.__class__ is list: {field} = [{field}_read(each) for each in {field}]",
            f"  elif {field} is not None: mismatch()",
        ]
    if is_class(kind):
        names[f"{field}_read"] = converter.get_structure_hook(kind)
        return [f"  if {field} is not None: {field} = {field}_read({field})"]
    if typing.get_origin(kind) is dict:
        return [f"  if {field}.__class__ is not dict and {field} is not None: mismatch()"]
    names[f"{field}_kinds"] = plain_kinds(kind)
    lines = [f"  if {field}.__class__ not in {field}_kinds: mismatch()"]
    return [*lines, f"  if {field}.__class__ is float and not finite({field}): mismatch()"] if kind is float else lines


def plain_kinds(kind: Any) -> frozenset[type]:
    """Return the Python types of a JSON value that a plain field takes."""
    accepted: tuple[type, ...] = (float, int) if kind is float else (typing.get_origin(kind) or kind,)
    return frozenset({*accepted, types.NoneType})


def _plain_item(annotation: Any) -> Reader:
    """Return the reader of a list's plain items."""
    kind = bare_type(annotation)
    accepted = frozenset({str, types.NoneType}) if kind in TEXTS else plain_kinds(kind)

    def read(value: Any, _: Any = None) -> Any:
        if kind is not Any and value.__class__ not in accepted:
            _mismatch()
        if kind is float and value.__class__ is float and not math.isfinite(value):
            _mismatch()
        return value

    return read


converter = cattrs.Converter()
converter.register_structure_hook_factory(is_class, _make_reader)
