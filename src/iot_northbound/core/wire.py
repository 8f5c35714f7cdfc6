"""attrs classes <-> JSON: the only room that works with wire names.

Reading goes through cattrs, with one hook factory that renames as it goes. It is lenient about what it does not
know (fields, enum values, nulls) and strict about types: a wrong one becomes a `ShapeError` that names the JSON path
in wire names. Writing is a walk over the field specs, since it has to hold the request's rules once more (lists can
change after a DTO was made) and to leave out nulls and empty optional lists.
"""

import functools
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import attrs
import cattrs
from cattrs.errors import AttributeValidationNote, ClassValidationError, IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from iot_northbound.core.fields import FieldSpec, reading, recheck, specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.times import Timestamp, format_time
from iot_northbound.errors import InvalidArgumentError

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]


class ShapeError(ValueError):
    """A JSON value is not what the DTO expects; the text names the path in wire names."""

    def __init__(self, path: str, expected: str, got: str) -> None:
        super().__init__(f"{path} should be {expected}, not {got}")
        self.path = path
        self.expected = expected
        self.got = got

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.expected, self.got)


class _WrongType(Exception):
    def __init__(self, expected: str, value: Any) -> None:
        super().__init__(expected)
        self.expected = expected
        self.got = _JSON_NAMES.get(type(value), type(value).__name__)


_JSON_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def _wrong(expected: str, value: Any) -> NoReturn:
    raise _WrongType(expected, value)


# -- reading ---------------------------------------------------------------------------------------------------------


def _text(value: Any, _: Any) -> Any:
    return value if value is None or value.__class__ is str else _wrong("text", value)


def _whole(value: Any, _: Any) -> Any:
    return value if value is None or value.__class__ is int else _wrong("a whole number", value)


def _number(value: Any, _: Any) -> Any:
    return value if value is None or value.__class__ in (float, int) else _wrong("a number", value)


def _truth(value: Any, _: Any) -> Any:
    return value if value is None or value.__class__ is bool else _wrong("true or false", value)


def _object(value: Any, _: Any) -> Any:
    return value if value is None or value.__class__ is dict else _wrong("an object", value)


def _timestamp(value: Any, _: Any) -> Any:
    if value is None:
        return None
    return Timestamp(value) if value.__class__ is str else _wrong("a time as text", value)


def _as_is(value: Any, _: Any) -> Any:
    return value


_PLAIN: dict[Any, Hook] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
    Timestamp: _timestamp,
    Any: _as_is,
    # A time in a class that serves requests too: kept as the text it arrived as.
    datetime | str: _text,
}


def _bare(annotation: Any) -> tuple[Any, bool]:
    """Return a type without its markers and None, and whether it could be None."""
    optional = False
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif typing.get_origin(annotation) in (types.UnionType, typing.Union) and type(None) in typing.get_args(
            annotation
        ):
            optional = True
            parts = [part for part in typing.get_args(annotation) if part is not type(None)]
            annotation = functools.reduce(lambda a, b: a | b, parts) if len(parts) > 1 else parts[0]
        else:
            return annotation, optional


def _plain_hook(annotation: Any) -> Hook | None:
    bare, _ = _bare(annotation)
    if typing.get_origin(bare) is dict:
        return _object
    try:
        return _PLAIN.get(bare)
    except TypeError:
        return None


def _is_open_enum(annotation: Any) -> bool:
    bare, _ = _bare(annotation)
    return isinstance(bare, type) and issubclass(bare, OpenEnum)


def _open_enum_hook(annotation: Any) -> Hook:
    enum, _ = _bare(annotation)
    known = enum._value2member_map_

    def structure(value: Any, _: Any) -> Any:
        if value is None:
            return None
        if value.__class__ is not str:
            _wrong("text", value)
        return known.get(value) or enum(value)

    return structure


def _list_hook(annotation: Any) -> Hook:
    bare, _ = _bare(annotation)
    (item,) = typing.get_args(bare)
    inner = _converter.get_structure_hook(item)

    def structure(value: Any, _: Any) -> Any:
        if value is None:
            return None
        if value.__class__ is not list:
            _wrong("a list", value)
        done = []
        for index, each in enumerate(value):
            try:
                done.append(inner(each, item))
            except Exception as error:  # noqa: BLE001  # whatever it is goes on, with the index noted
                error.__notes__ = [*getattr(error, "__notes__", []), IterableValidationNote("", index, item)]
                raise IterableValidationError("", [error], bare) from None
        return done

    return structure


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(_bare(annotation)[0]) is list


def _class_hook(annotation: Any) -> Hook:
    cls, _ = _bare(annotation)
    fields = specs(cls)
    renames = {name: override(rename=spec.wire) for name, spec in fields.items()}
    inner: Hook = make_dict_structure_fn(cls, _converter, **renames)  # type: ignore[arg-type]
    others = [(spec.wire, other) for spec in fields.values() for other in spec.also]

    def structure(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            return None if value is None else _wrong("an object", value)
        for wire, other in others:
            if wire not in value and other in value:
                value = {**value, wire: value[other]}
        return inner(value, cls)

    return structure


def _is_class(annotation: Any) -> bool:
    bare, _ = _bare(annotation)
    return isinstance(bare, type) and attrs.has(bare)


_converter = cattrs.Converter(detailed_validation=True)
_converter.register_structure_hook_factory(_is_class, _class_hook)
_converter.register_structure_hook_factory(_is_list, _list_hook)
_converter.register_structure_hook_factory(_is_open_enum, _open_enum_hook)
_converter.register_structure_hook_factory(
    lambda annotation: _plain_hook(annotation) is not None, lambda annotation: _plain_hook(annotation) or _as_is
)


def structure(value: Any, cls: type[T]) -> T:
    """Return a parsed JSON value as an instance of `cls`.

    Raises:
        ShapeError: a value has another type than the class expects.
    """
    if value is None:
        raise ShapeError("$", "an object", "null")
    try:
        with reading():
            return _converter.structure(value, cls)
    except (_WrongType, ClassValidationError, IterableValidationError) as error:
        raise _shape_error(error) from None


def _shape_error(error: BaseException, path: str = "$") -> ShapeError:
    """Return the first wrong type in a tree of cattrs errors, its path in wire names."""
    if isinstance(error, _WrongType):
        return ShapeError(path, error.expected, error.got)
    inner: BaseException = error.exceptions[0]  # type: ignore[attr-defined]
    note = next(
        (n for n in getattr(inner, "__notes__", ()) if isinstance(n, AttributeValidationNote | IterableValidationNote)),
        None,
    )
    if isinstance(note, IterableValidationNote):
        return _shape_error(inner, f"{path}[{note.index}]")
    if isinstance(note, AttributeValidationNote) and isinstance(error, ClassValidationError):
        return _shape_error(inner, f"{path}.{specs(error.cl)[note.name].wire}")
    return ShapeError(path, "what the reference describes", str(inner))


# -- writing ---------------------------------------------------------------------------------------------------------


def to_json(dto: Any) -> Any:
    """Return a request DTO as JSON-able data: wire names, no nulls, no empty optional lists.

    Free-form JSON (the reference's ObjectNode) passes exactly as it is, nulls included.

    Raises:
        InvalidArgumentError: a value broke its rule after the DTO was made (1007).
    """
    if isinstance(dto, Mapping):
        return {key: value for key, value in dto.items() if value is not None}
    recheck(dto)
    body = {}
    for spec in specs(type(dto)).values():
        value = getattr(dto, spec.name)
        if value is None or (not spec.mandatory and isinstance(value, list | tuple) and not value and not _free(spec)):
            continue
        body[spec.wire] = value if _free(spec) else _dump(value)
    return body


def _free(spec: FieldSpec) -> bool:
    return spec.type is Any or typing.get_origin(spec.type) is dict


def _dump(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, list | tuple):
        return [_dump(each) for each in value]
    if attrs.has(type(value)):
        return to_json(value)
    return value


def encode_body(dto: Any) -> bytes:
    """Return a request DTO, or a mapping with wire names, as UTF-8 JSON.

    Raises:
        InvalidArgumentError: it holds something JSON cannot say (1007).
    """
    try:
        text = json.dumps(to_json(dto), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError.of(
            type(dto).__name__, "the request body", f"JSON cannot hold it ({error})"
        ) from None


def encode_pairs(dto: Any) -> str:
    """Return a query or form: percent-encoded pairs without nulls; empty where there is nothing to say."""
    pairs = []
    for name, value in to_json(dto).items():
        if isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = format_time(value) if isinstance(value, datetime) else str(value)
        try:
            pairs.append(f"{name}={quote(text, safe='')}")
        except UnicodeEncodeError:
            raise InvalidArgumentError.of(name, ascii(text), "it is not valid Unicode text") from None
    return "&".join(pairs)
