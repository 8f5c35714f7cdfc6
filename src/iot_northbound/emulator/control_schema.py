"""The control plane's bodies: JSON Schema for its description, and the check of what comes in, from the same value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: Mapping[str, Any] = {
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


class Invalid(ValueError):
    """A value does not fit its schema; the text names the place and the rule."""


def text(low: int = 1, high: int = 256, **more: Any) -> Schema:
    """Return the schema of a string."""
    return {"type": "string", "minLength": low, "maxLength": high, **more}


def one_of(*values: str) -> Schema:
    """Return the schema of one of these strings."""
    return {"type": "string", "enum": list(values)}


def number(low: float, high: float, *, whole: bool = False) -> Schema:
    """Return the schema of a number."""
    return {"type": "integer" if whole else "number", "minimum": low, "maximum": high}


def nullable(schema: Schema) -> Schema:
    """Return the schema that allows null as well."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


def record(required: Mapping[str, Schema] | None = None, **optional: Schema) -> Schema:
    """Return the schema of an object with these fields and no others."""
    required = required or {}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {**required, **optional},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = list(required)
    return schema


def some(items: Schema) -> Schema:
    """Return the schema of an array with at least one item."""
    return {"type": "array", "items": items, "minItems": 1}


ANY_OBJECT: Schema = {"type": "object"}
BOOLEAN: Schema = {"type": "boolean"}


def check_type(value: Any, schema: Schema, where: str) -> None:
    """Hold a value against the types that a schema allows, and against nothing else.

    Raises:
        Invalid: It has another; the text does not show it, since it may be a secret.
    """
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds != [None] and not any(_TYPES[kind](value) for kind in kinds):
        raise Invalid(f"{where} must be {' or '.join(kinds)}, not {type(value).__name__}")


def check(value: Any, schema: Schema, where: str = "body") -> Any:
    """Hold a JSON value against a schema made with the functions above, and return it, whole numbers as int.

    Raises:
        Invalid: It does not fit.
    """
    kinds = schema.get("type")
    if kinds is not None:
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if not any(_TYPES[kind](value) for kind in kinds):
            raise Invalid(f"{where} must be {' or '.join(kinds)}")
        if isinstance(value, float) and "integer" in kinds:
            value = int(value)
    if "enum" in schema and value is not None and value not in schema["enum"]:
        raise Invalid(f"{where} must be one of {', '.join(map(str, schema['enum']))}")
    if isinstance(value, str):
        _check_text(value, schema, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            raise Invalid(f"{where} must be from {schema['minimum']} to {schema['maximum']}")
        if schema.get("not", {}).get("const") == value and "not" in schema:
            raise Invalid(f"{where} must not be {value}")
    elif isinstance(value, dict):
        return _check_object(value, schema, where)
    elif isinstance(value, list | tuple) and "items" in schema:
        if len(value) < schema.get("minItems", 0):
            raise Invalid(f"{where} must have at least {schema['minItems']} item")
        return [check(item, schema["items"], f"{where}[{position}]") for position, item in enumerate(value)]
    return value


def _check_text(value: str, schema: Schema, where: str) -> None:
    low, high = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not low <= len(value) <= high:
        raise Invalid(f"{where} must have {low} to {high} characters")


def _check_object(value: dict[str, Any], schema: Schema, where: str) -> dict[str, Any]:
    for name in schema.get("required", ()):
        if name not in value:
            raise Invalid(f"{where}.{name} is missing")
    properties = schema.get("properties", {})
    checked = {}
    for name, inner in value.items():
        if name in properties:
            checked[name] = check(inner, properties[name], f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            known = ", ".join(properties) or "none"
            raise Invalid(f"{where}.{name} is not known; known fields: {known}")
        else:
            checked[name] = inner
    return checked
