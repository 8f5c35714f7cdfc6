"""The rules of the reference for a field, written in its annotation and checked by the class itself.

A DTO is an ordinary attrs class whose annotations contain the rules::

    @request
    class Tag2:
        tag_name: Annotated[str, Text(1, 128)]
        tag_type: int | None = None

`request` turns the rules into validators that raise `InvalidArgumentError` (code 1007) with the field, the value and
the rule. `response` hides secrets. It has only one rule, because answers are read leniently: a field without a default
must be there, for example the id of a new device. A field's name in JSON is its own name in camelCase, unless a `Wire`
marker says otherwise. The markers are named tuples because it takes five times as long to make an attrs class, and
every program that imports the SDK would wait for it. DTO modules must not use ``from __future__ import annotations``:
the markers are read from the live annotations.
"""

import functools
import inspect
import re
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple, TypeVar, dataclass_transform

import attrs

from iot_northbound._hide import hide
from iot_northbound.core.received import Received
from iot_northbound.core.times import Timestamp, is_platform_time
from iot_northbound.errors import InvalidArgumentError

T = TypeVar("T")
JsonObject = dict[str, Any]
"""A free-form JSON object (the reference's ObjectNode); its values are sent and returned unchanged."""


class Text(NamedTuple):
    """Length limits of a text, in characters, both included."""

    low: int = 0
    high: int | None = None

    @classmethod
    def up_to(cls, high: int) -> "Text":
        """Return the rule `String(high)` of the reference."""
        return cls(0, high)

    def broken_by(self, value: Any) -> str | None:
        """Return the rule in words when `value` breaks it."""
        if len(value) >= self.low and (self.high is None or len(value) <= self.high):
            return None
        if self.high is None:
            return f"at least {self.low} characters"
        return f"{self.low} to {self.high} characters" if self.low else f"at most {self.high} characters"


class Range(NamedTuple):
    """Limits of a number, both included."""

    low: int | None = None
    high: int | None = None

    def broken_by(self, value: Any) -> str | None:
        """Return the rule in words when `value` breaks it."""
        if (self.low is None or value >= self.low) and (self.high is None or value <= self.high):
            return None
        if self.high is None:
            return f"{self.low} or more"
        return f"{self.low} to {self.high}" if self.low is not None else f"{self.high} or less"


class Items(NamedTuple):
    """Limits of the number of entries in a list, both included."""

    low: int = 0
    high: int | None = None

    def broken_by(self, value: Any) -> str | None:
        """Return the rule in words when `value` breaks it."""
        if len(value) >= self.low and (self.high is None or len(value) <= self.high):
            return None
        return f"at least {self.low} entries" if self.high is None else f"{self.low} to {self.high} entries"


class _Time:
    def __repr__(self) -> str:
        return "TIME"

    def broken_by(self, value: Any) -> str | None:
        if isinstance(value, datetime):
            return None if value.tzinfo is not None else "a datetime with a time zone"
        return None if is_platform_time(value) else "UTC as yyyyMMddTHHmmssZ, with or without milliseconds"


class Wire(NamedTuple):
    """A JSON name that is not the field's own name in camelCase, and other spellings that are read in answers."""

    name: str
    also: tuple[str, ...] = ()


class _Secret:
    """Marks a value that must not be shown in a repr, a log or a message."""

    def __repr__(self) -> str:
        return "SECRET"


SECRET = _Secret()
TIME = _Time()
TimeIn = Annotated[datetime | str, TIME]
"""A time in a request: an aware datetime, or text in the platform's form."""

_RULES = (Text, Range, Items, _Time)


class FieldSpec(NamedTuple):
    """A field with its JSON name and its rules."""

    name: str
    wire: str
    also: tuple[str, ...]
    secret: bool
    mandatory: bool
    """Whether a request must have it."""
    promised: bool
    """Whether an answer must have it."""
    type: Any
    """The annotation without its markers and without None; `str` if it names documented values."""
    rules: tuple[Any, ...]


def camel(name: str) -> str:
    """Return a snake_case name in the camelCase of JSON."""
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """Return a JSON name in the snake_case of our arguments."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _strip(annotation: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """Return the bare type of an annotation, its markers, and whether None is allowed."""
    markers: tuple[Any, ...] = ()
    optional = False
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation, *extra = typing.get_args(annotation)
            markers = (*extra, *markers)
            continue
        if typing.get_origin(annotation) in (types.UnionType, typing.Union):
            parts = typing.get_args(annotation)
            if type(None) in parts:
                optional = True
                kept = [part for part in parts if part is not type(None)]
                annotation = kept[0] if len(kept) == 1 else functools.reduce(lambda a, b: a | b, kept)
                continue
            if all(map(_is_text, parts)):
                return str, markers, optional
        return (str if _is_literal(annotation) else annotation), markers, optional


def _is_literal(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.Literal


def _is_text(annotation: Any) -> bool:
    """Return whether a type is text; the documented values of a field are, because others are not refused."""
    return _is_literal(annotation) or (isinstance(annotation, type) and issubclass(annotation, str))


def bare_type(annotation: Any) -> Any:
    """Return the type of an annotation without markers and None."""
    return _strip(annotation)[0]


_SPECS: dict[type, Mapping[str, FieldSpec]] = {}


def specs(cls: type) -> Mapping[str, FieldSpec]:
    """Return the fields of a DTO class by their Python names."""
    known = _SPECS.get(cls)
    if known is None:
        known = _SPECS[cls] = types.MappingProxyType(_read_specs(cls))
    return known


def _read_specs(cls: type) -> dict[str, FieldSpec]:
    found = {}
    for attribute in attrs.fields(cls):
        bare, markers, optional = _strip(attribute.type)
        wire = next((m for m in markers if isinstance(m, Wire)), Wire(camel(attribute.name)))
        found[attribute.name] = FieldSpec(
            attribute.name,
            wire.name,
            wire.also,
            SECRET in markers,
            not optional and attribute.metadata.get("mandatory", False),
            attribute.default is attrs.NOTHING,
            bare,
            tuple(m for m in markers if isinstance(m, _RULES)),
        )
    return found


def _expected(bare: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", bool: "True or False", datetime: "a datetime"}
    if bare in names:
        return names[bare]
    origin = typing.get_origin(bare)
    if origin is list:
        return f"a list of {_expected(typing.get_args(bare)[0])}"
    if origin is dict:
        return "a JSON object (dict)"
    if origin is types.UnionType:
        return " or ".join(_expected(part) for part in typing.get_args(bare))
    return bare.__name__ if isinstance(bare, type) else str(bare)


def _fits(value: Any, bare: Any) -> bool:
    if bare is Any:
        return True
    if bare is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if bare is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    origin = typing.get_origin(bare)
    if origin is list:
        (item,) = typing.get_args(bare)
        return isinstance(value, (list, tuple)) and all(_fits(each, item) for each in value)
    if origin is dict:
        return isinstance(value, dict)
    if origin is types.UnionType:
        return any(_fits(value, part) for part in typing.get_args(bare))
    return isinstance(value, bare)


def _check(spec: FieldSpec, cls: type, value: Any) -> None:
    where = f"{cls.__name__}.{spec.name}"
    if value is None:
        if spec.mandatory:
            raise InvalidArgumentError.of(where, "None", "it is mandatory")
        return
    if not _fits(value, spec.type):
        rule = f"it must be {_expected(spec.type)}, not {type(value).__name__}"
        raise InvalidArgumentError.of(where, _shown(spec, value), rule)
    for rule in spec.rules:
        broken = rule.broken_by(value)
        if broken:
            raise InvalidArgumentError.of(where, _shown(spec, value), f"it must be {broken}")
    if spec.mandatory and value == "":
        raise InvalidArgumentError.of(where, "''", "it is mandatory and must not be empty")


def _shown(spec: FieldSpec, value: Any) -> str:
    return "***" if spec.secret else shown(value)


def shown(value: Any) -> str:
    """Return a refused value for an error message: its repr, cut, or its type if the repr fails."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # a number of thousands of digits, or a mistake in the class
        return f"a {type(value).__name__}"
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"


def recheck(dto: Any) -> None:
    """Check the rules again, because a list may have changed after the DTO was made.

    Raises:
        InvalidArgumentError: a value breaks its rule (1007).
    """
    for spec in specs(type(dto)).values():
        _check(spec, type(dto), getattr(dto, spec.name))


def _validator(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    cls = type(instance)
    _check(specs(cls)[attribute.name], cls, value)


def _is_secret(attribute: "attrs.Attribute[Any]") -> bool:
    return SECRET in _strip(attribute.type)[1]


def _request_fields(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    done = []
    for attribute in fields:
        changes: dict[str, Any] = {"validator": _validator}
        if attribute.default is attrs.NOTHING:
            # None means "not given", so that a forgotten field gets the validator's message instead of a TypeError.
            changes |= {"default": None, "metadata": {"mandatory": True}}
        if _is_secret(attribute):
            changes["repr"] = hide
        done.append(attribute.evolve(**changes))
    return done


def _response_fields(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    return [attribute.evolve(repr=hide) if _is_secret(attribute) else attribute for attribute in fields]


_FIELDS = "\n\nAttributes:\n"
_FIELD = re.compile(r"^ +(\w+): (?!mandatory; )", re.MULTILINE)


def _with_inherited_words(cls: type[T]) -> type[T]:
    """Add the fields of the base class to a docstring, because neither `help` nor the manual does it."""
    text, _, own = inspect.cleandoc(cls.__doc__ or "").partition(_FIELDS)
    inherited = inspect.cleandoc(cls.__bases__[0].__doc__ or "").partition(_FIELDS)[2]
    if text and inherited:
        cls.__doc__ = f"{text}{_FIELDS}{inherited}\n{own}".rstrip()
    return cls


@dataclass_transform(kw_only_default=True)
def request(cls: type[T]) -> type[T]:
    """Make an attrs class that checks the rules in its annotations, at construction and at each assignment."""
    made = attrs.define(
        _with_inherited_words(cls),
        slots=True,
        kw_only=True,
        field_transformer=_request_fields,
        getstate_setstate=False if issubclass(cls, Received) else None,
    )
    _tell_mandatory(made)
    return made


def _tell_mandatory(cls: type[Any]) -> None:
    """Show the mandatory fields in the signature and the docstring. For attrs they have a default."""
    mandatory = {attribute.name for attribute in attrs.fields(cls) if attribute.metadata.get("mandatory")}
    if not mandatory:
        return
    init: Any = cls.__init__
    signature = inspect.signature(init)
    init.__signature__ = signature.replace(
        parameters=[
            parameter.replace(default=parameter.empty) if name in mandatory else parameter
            for name, parameter in signature.parameters.items()
        ]
    )
    if cls.__doc__:
        cls.__doc__ = _FIELD.sub(lambda line: line[0] + ("mandatory; " if line[1] in mandatory else ""), cls.__doc__)


@dataclass_transform(kw_only_default=True)
def response(cls: type[T]) -> type[T]:
    """Make an attrs class for answers. An answer without one of the fields that have no default is unreadable.

    The class should be a `Received`, so that it keeps unknown fields.
    """
    return attrs.define(
        _with_inherited_words(cls),
        slots=True,
        kw_only=True,
        field_transformer=_response_fields,
        getstate_setstate=False if issubclass(cls, Received) else None,
    )


def check_id(name: str, value: Any) -> str:
    """Return `value` if it can be used in a path; refuse ids that would address another resource."""
    if not isinstance(value, str):
        raise InvalidArgumentError.of(name, shown(value), f"it must be text, not {type(value).__name__}")
    if not value.strip():
        raise InvalidArgumentError.of(name, repr(value), "an id must not be empty")
    if value in (".", ".."):
        # Percent-encoding does not change dots, and servers on the way would take them as steps up the path.
        raise InvalidArgumentError.of(name, repr(value), "an id must not be a step in a path")
    return value


__all__ = [
    "SECRET",
    "TIME",
    "FieldSpec",
    "Items",
    "JsonObject",
    "Range",
    "Text",
    "TimeIn",
    "Timestamp",
    "Wire",
    "bare_type",
    "camel",
    "check_id",
    "recheck",
    "request",
    "response",
    "shown",
    "snake",
    "specs",
]
