"""Types as JSON Schema: the description of an argument, and the check of its value, from one annotation.

Limits beyond the type are written in the annotation: `Annotated[int, Range(1, 5)]`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = Mapping[str, Any]

_PLAIN: Mapping[Any, Schema] = {
    Any: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
}


def schema_of(hint: Any) -> Schema:
    """Return the JSON Schema of a type: a plain one, a Literal of strings, a union, a list, a mapping, a TypedDict.

    Raises:
        TypeError: The type has no schema here.
    """
    if hint in _PLAIN:
        return _PLAIN[hint]
    if is_typeddict(hint):
        hints = get_type_hints(hint, include_extras=True)
        # Not hint.__required_keys__: it misses NotRequired in a module whose annotations are not evaluated.
        required = {name for name, each in hints.items() if hint.__total__ and get_origin(each) is not NotRequired}
        return record({name: schema_of(each) for name, each in hints.items()}, required)
    origin, of = get_origin(hint), get_args(hint)
    if origin is Annotated:
        rules: dict[str, Any] = {}
        for limit in hint.__metadata__:
            rules |= limit.keywords()
        return {**schema_of(hint.__origin__), **rules}
    if origin is NotRequired:
        return schema_of(of[0])
    if origin is Literal:
        return {"type": "string", "enum": list(of)}
    if origin in (Union, UnionType):
        return _union([schema_of(each) for each in of])
    if origin in (list, Sequence):
        return {"type": "array", "items": schema_of(of[0])}
    if origin in (dict, Mapping):
        values = schema_of(of[1])
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    raise TypeError(f"no JSON Schema for {hint!r}")


def record(fields: Mapping[str, Schema], required: Collection[str] = ()) -> Schema:
    """Return the schema of an object with these fields and no others."""
    needed = [name for name in fields if name in required]
    schema = {"type": "object", "properties": dict(fields), "additionalProperties": False}
    return {**schema, "required": needed} if needed else schema


def _union(members: list[Schema]) -> Schema:
    # Nearly every keyword is about one type, so the members of different types can be merged.
    merged: dict[str, Any] = {}
    for each in members:
        merged |= each
    kinds = [each["type"] for each in members]
    if "enum" in merged and "null" in kinds:
        merged["enum"] = [*merged["enum"], None]  # an enum is about values of every type
    return {**merged, "type": kinds}


class InvalidArgument(ValueError):
    """Raised when an argument has a wrong type, is out of its range or does not fit; the text says which and why."""


_IS: Mapping[str, Any] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    # To JSON 1.0 is a whole number too.
    "integer": lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (isinstance(value, int) or value.is_integer())
    ),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
_NAMES: Mapping[str, str] = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}


def check(value: Any, schema: Schema, name: str = "") -> Any:
    """Check a value against a schema and return it, whole numbers as int.

    Args:
        value: The value; it is never shown in an error, since it may be a secret.
        schema: A schema made by `schema_of`.
        name: What an error calls it; empty for an object whose fields are called by their own names.

    Raises:
        InvalidArgument: It does not fit.
    """
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_IS[kind](value) for kind in kinds):
            raise InvalidArgument(f"{name or 'the body'} must be {' or '.join(_NAMES[kind] for kind in kinds)}")
        if isinstance(value, float) and "integer" in kinds:
            value = int(value)
    if "enum" in schema and value not in schema["enum"]:
        known = ["null" if each is None else each for each in schema["enum"]]
        raise InvalidArgument(f"{name} must be one of {', '.join(known)}")
    if isinstance(value, str):
        _check_text(value, schema, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, schema, name)
    elif isinstance(value, Mapping):
        return _check_object(value, schema, name)
    elif isinstance(value, list | tuple) and "items" in schema:
        return _check_array(value, schema, name)
    return value


def _check_text(value: str, schema: Schema, name: str) -> None:
    low, high = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not low <= len(value) <= high:
        raise InvalidArgument(f"{name} must have {low} to {high} characters")
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        raise InvalidArgument(f"{name} has characters that are not allowed; it must match {schema['pattern']}")


def _check_number(value: float, schema: Schema, name: str) -> None:
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        raise InvalidArgument(f"{name} must be from {schema['minimum']} to {schema['maximum']}")
    if schema.get("not", {}).get("const") == value:
        raise InvalidArgument(f"{name} must not be {value}")


def _check_array(value: Sequence[Any], schema: Schema, name: str) -> list[Any]:
    low, high = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not low <= len(value) <= high:
        count = f"at least {low}" if "maxItems" not in schema else f"{low} to {high}" if low < high else str(low)
        raise InvalidArgument(f"{name} must have {count} item{'s' if max(low, high) > 1 else ''}")
    return [check(item, schema["items"], f"{name}[{position}]") for position, item in enumerate(value)]


def _check_object(value: Mapping[str, Any], schema: Schema, name: str) -> dict[str, Any]:
    inside = f"{name}." if name else ""
    for field in schema.get("required", ()):
        if field not in value:
            raise InvalidArgument(f"{inside}{field} is missing")
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    names = schema.get("propertyNames", {})
    checked = {}
    for field, inner in value.items():
        if field not in known and others is False:
            raise InvalidArgument(f"{inside}{field} is not known; known are: {', '.join(known) or 'no fields'}")
        if names:
            check(field, {"type": "string", **names}, f"a name in {name}")
        checked[field] = check(inner, known.get(field, others), f"{inside}{field}")
    return checked
