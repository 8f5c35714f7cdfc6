"""Rows of a bulk job -> request DTOs: from mappings with JSON or Python names, nested or flat as in a CSV file."""

import functools
import json
import re
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from iot_northbound.core import wire
from iot_northbound.core.fields import FieldSpec, shown, specs
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import InvalidArgumentError

T = TypeVar("T")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_TRUTH = {"true": True, "false": False}


@functools.cache
def columns(cls: Any) -> Mapping[str, tuple[str, ...]]:
    """Return what a field of a request DTO may be called, and where it is.

    Each field has its name of JSON and its Python name; a field of a nested DTO has both with its owner and a dot
    before them, and without these if no other field has this name.
    """
    found: dict[str, tuple[str, ...]] = {}
    short: dict[str, set[tuple[str, ...]]] = {}
    for spec in specs(cls).values():
        names = (spec.wire, spec.name)
        found |= dict.fromkeys(names, (spec.name,))
        if not attrs.has(spec.type):
            continue
        for inner, path in columns(spec.type).items():
            found |= {f"{name}.{inner}": (spec.name, *path) for name in names}
            short.setdefault(inner, set()).add((spec.name, *path))
    return {name: next(iter(paths)) for name, paths in short.items() if len(paths) == 1} | found


def request_of(cls: type[T], row: object) -> T:
    """Return a row as a request DTO: the DTO itself, or a mapping with its fields.

    A value that is None or an empty text is left out. A text may stand for a number, a truth value or JSON, as in a
    CSV file.

    Raises:
        InvalidArgumentError: the row is something else, has an unknown field, or breaks a rule of a field (1007).
    """
    if isinstance(row, cls):
        wire.to_json(row)  # lists may have changed since it was made
        return row
    if not isinstance(row, Mapping):
        raise InvalidArgumentError.of("the row", f"a {type(row).__name__}", f"it must be a {cls.__name__} or a mapping")
    known = columns(cast(Any, cls))
    fields: dict[str, Any] = {}
    for name, value in row.items():
        if name is None:
            raise InvalidArgumentError.of("the row", f"{len(value)} cells more", "it has more cells than columns")
        if name not in known:
            raise unknown_column(cls, name)
        if value is None or value == "":
            continue
        _place(fields, name, known[name], value)
    return cls(**{name: _value(specs(cls)[name], value) for name, value in fields.items()})


def unknown_column(cls: type, name: object) -> InvalidArgumentError:
    """Return the error for a name that is not a field, with a suggestion."""
    known = columns(cls)
    hint = did_you_mean(str(name), list(known))
    few = hint or f": the fields are {', '.join(_short_names(cls))}"
    return InvalidArgumentError.of("the column", shown(name), f"there is no such field{few}")


def _short_names(cls: Any) -> list[str]:
    """Return the names that a CSV file needs: those of JSON, and for a nested DTO the names of its fields."""
    known, found = columns(cls), list[str]()
    for spec in specs(cls).values():
        inner = _short_names(spec.type) if attrs.has(spec.type) else ()
        found += [name if name in known and name not in found else f"{spec.wire}.{name}" for name in inner]
        found += () if inner else [spec.wire]
    return list(dict.fromkeys(found))


def _place(fields: dict[str, Any], name: str, path: tuple[str, ...], value: Any) -> None:
    *owners, last = path
    for owner in owners:
        inner = fields.setdefault(owner, {})
        if not isinstance(inner, dict):
            raise InvalidArgumentError.of("the row", name, f"{owner} is given as a whole too")
        fields = inner
    if last in fields:
        raise InvalidArgumentError.of("the row", name, "this field is given twice")
    fields[last] = dict(value) if isinstance(value, Mapping) else value


def _value(spec: FieldSpec, value: Any) -> Any:
    kind, origin = spec.type, typing.get_origin(spec.type)
    if isinstance(value, str):
        if kind is int and _WHOLE.fullmatch(value):
            return int(value)
        if kind is bool:
            return _TRUTH.get(value.lower(), value)
        if attrs.has(kind) or origin in (list, dict):
            value = _parsed(spec, value)
    if attrs.has(kind) and isinstance(value, Mapping):
        return request_of(kind, value)
    if origin is list and isinstance(value, list | tuple):
        (item,) = typing.get_args(kind)
        return [request_of(item, each) if attrs.has(item) and isinstance(each, Mapping) else each for each in value]
    return value


def _parsed(spec: FieldSpec, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidArgumentError.of(spec.wire, shown(text), "it must be JSON") from None


def visible(dto: Any) -> dict[str, Any]:
    """Return a request DTO as data for JSON, without its secret fields."""
    return cast(dict[str, Any], _without_secrets(dto, wire.to_json(dto)))


def _without_secrets(dto: Any, body: Any) -> Any:
    if isinstance(dto, list | tuple):
        return [_without_secrets(each, data) for each, data in zip(dto, body, strict=True)]
    if not attrs.has(type(dto)):
        return body
    return {
        spec.wire: _without_secrets(getattr(dto, spec.name), body[spec.wire])
        for spec in specs(type(dto)).values()
        if spec.wire in body and not spec.secret
    }


def plain(value: Any) -> Any:
    """Return an answer DTO as data for JSON, with what the platform sent in addition; `wire.structure` reads it."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if not attrs.has(type(value)):
        return value
    body = dict(getattr(value, "unknown_fields", {}))
    for spec in specs(type(value)).values():
        if (item := getattr(value, spec.name)) is not None:
            body[spec.wire] = plain(item)
    return body
