"""JSON -> attrs classes: one generated reader per class, behind cattrs' dispatch.

The functions that cattrs generates call a hook for each field. Reading a page of devices mostly costs these calls. An
answer of a platform is nearly all text and null. So the readers here fetch all fields in a row, compare their types
and set the slots directly: 0.7 x json.loads instead of 1.4 x (benchmarks/structuring.py). Setting the slots also
skips the rules that a request class checks. That is right for what the platform sends.

A reader accepts only values that fit exactly. If a value does not fit, it raises Mismatch, and `lenient` reads the
object instead.
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
    """Return whether a type is a DTO class."""
    return isinstance(annotation, type) and attrs.has(annotation)


def is_list(annotation: Any) -> bool:
    """Return whether a type is a list."""
    return typing.get_origin(annotation) is list


TEXTS: Any = (str, datetime | str)
"""Types whose values stay the text that was received. A time in a class that is also used in requests is one."""


def _make_reader(cls: type) -> Reader:
    """Return a function that makes an instance of `cls` from a parsed JSON object."""
    fields = [(f"f{index}", spec) for index, spec in enumerate(specs(cls).values())]
    known = frozenset(spec.wire for _, spec in fields)
    names: dict[str, Any] = {
        "cls": cls,
        "new": object.__new__,
        "put": object.__setattr__,
        "Timestamp": Timestamp,
        "mismatch": _mismatch,
        "finite": math.isfinite,
        "knows": known.issuperset,
        "with_unknown": partial(_read_with_unknown, cls, known),
    }
    lines = [
        "def read(value, _=None, usual=[None]):",
        "  if value.__class__ is not dict: mismatch()",
        # An object with the right number of fields mostly has each of them: then it has no unknown ones.
        f"  if len(value) == {len(fields)}:",
        "    try:",
        *(f"      {field} = value[{spec.wire!r}]" for field, spec in fields),
        "      get = None",
        "    except KeyError: get = value.get",
        "  else: get = value.get",
        "  if get is not None:",
        # The objects of a page mostly have the same names in the same order. Then one comparison is enough.
        "    names = [*value]",
        "    if names != usual[0] and not knows(value): return with_unknown(value, read)",
        "    usual[0] = names",  # always: the names of one page are the same objects, and comparing those is fast
        *(f"    {field} = get({spec.wire!r})" for field, spec in fields),
    ]
    for field, spec in fields:
        if spec.promised:
            lines.append(f"  if {field} is None: mismatch()")
        lines += _field_lines(field, spec, names)
    lines.append("  made = new(cls)")
    # Only request classes check assignments; `put` bypasses that.
    watched = any("__setattr__" in vars(base) for base in cls.__mro__[:-1])
    for field, spec in fields:
        lines.append(f"  put(made, {spec.name!r}, {field})" if watched else f"  made.{spec.name} = {field}")
    lines.append("  return made")
    exec("\n".join(lines), names)  # noqa: S102  # it contains only names of our own classes
    return typing.cast(Reader, names["read"])


def _read_with_unknown(cls: type, known: frozenset[str], value: dict[str, Any], read: Reader) -> Any:
    """Return an instance that keeps the unknown fields of its object.

    Raises:
        Mismatch: an unknown field is another spelling of a known field.
    """
    unknown = {name: each for name, each in value.items() if name not in known}
    if any(respelled(cls, name) for name in unknown):
        _mismatch()
    made = read({name: each for name, each in value.items() if name in known}, None)
    keep(made, unknown)
    return made


def keep(made: Any, unknown: dict[str, Any]) -> None:
    """Store in a DTO the fields that have no attribute."""
    if unknown and isinstance(made, Received):
        object.__setattr__(made, "_unknown", UnknownFields(unknown))


@lru_cache(maxsize=4096)
def respelled(cls: Any, name: str) -> str | None:
    """Return the attribute that is meant by a second spelling, or by other letter case or underscores."""
    return _plain_names(cls).get(_plain(name))


@cache
def _plain_names(cls: type) -> Mapping[str, str]:
    return {_plain(spelling): spec.name for spec in specs(cls).values() for spelling in (spec.wire, *spec.also)}


def _plain(name: str) -> str:
    return name.strip().replace("_", "").replace("-", "").casefold()


def _field_lines(field: str, spec: FieldSpec, names: dict[str, Any]) -> list[str]:
    """Return the lines that check one field and convert it if necessary."""
    kind = spec.type
    if kind is Any:
        return []
    if kind in TEXTS:
        return [f"  if {field} is not None and {field}.__class__ is not str: mismatch()"]
    if kind is Timestamp:
        return [f"  if {field} is not None: {field} = Timestamp({field}) if {field}.__class__ is str else mismatch()"]
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        names[f"{field}_known"], names[f"{field}_enum"] = kind._value2member_map_.get, kind
        member = f"{field}_known({field}) or {field}_enum({field})"
        return [f"  if {field} is not None: {field} = {member} if {field}.__class__ is str else mismatch()"]
    if is_list(kind):
        item = typing.get_args(kind)[0]
        # cattrs' own hooks for plain items would call the type to convert them.
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
    """Return the Python types of the JSON values that a plain field accepts."""
    accepted: tuple[type, ...] = (float, int) if kind is float else (typing.get_origin(kind) or kind,)
    return frozenset({*accepted, types.NoneType})


def _plain_item(annotation: Any) -> Reader:
    """Return the reader for the plain items of a list."""
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
