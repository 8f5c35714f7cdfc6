"""A form for each operation of the control plane, made from the one description of its arguments."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iot_northbound.emulator.control.operations import OPERATIONS, Operation
from iot_northbound.emulator.control.schema import InvalidArgument, Schema
from iot_northbound.emulator.control.tables import argument_texts
from iot_northbound.emulator.journal import is_secret
from iot_northbound.emulator.json_bodies import decode
from iot_northbound.emulator.kernel.calls import MALFORMED

OFFERED: Mapping[str, Operation] = {
    one.name: one for one in OPERATIONS if one.method != "GET" and one.name != "console_link"
}
"""What the page offers: every operation that does something."""


@dataclass(frozen=True)
class Field:
    """One field of a form."""

    name: str
    kind: str
    """text, secret, number, choice or json."""
    required: bool
    nullable: bool
    text: str
    """What the documentation says of it."""
    default: str
    choices: tuple[str, ...] = ()

    def value_of(self, text: str) -> Any:
        """Return what a person entered as the operation takes it.

        Raises:
            InvalidArgument: It is not a number, or not JSON.
        """
        if self.kind == "number":
            try:
                number = float(text)
            except ValueError:
                raise InvalidArgument(f"{self.name} must be a number") from None
            return int(number) if number.is_integer() else number
        if self.kind == "choice" and text in ("true", "false"):
            return text == "true"
        if self.kind == "json":
            value = decode(text.encode("utf-8", "surrogatepass"))
            if value is MALFORMED:
                raise InvalidArgument(f'{self.name} must be JSON, for example {{"name": 1}}')
            return value
        return text


def fields_of(operation: Operation) -> list[Field]:
    """Return the fields of an operation: first those that its path names."""
    method = inspect.unwrap(operation.call)
    schema: Schema = operation.call.arguments.schema
    texts, parameters = argument_texts(method), inspect.signature(method).parameters
    required = schema.get("required", ())
    names = [*operation.ids, *(name for name in schema["properties"] if name not in operation.ids)]
    return [
        _field(name, schema["properties"][name], name in required, texts.get(name, ""), parameters.get(name))
        for name in names
    ]


def _field(name: str, schema: Schema, required: bool, text: str, parameter: inspect.Parameter | None) -> Field:
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else list(schema.get("type", ()))
    nullable = "null" in kinds
    kinds = [kind for kind in kinds if kind != "null"]
    choices: tuple[str, ...] = ()
    if "enum" in schema:
        kind, choices = "choice", tuple(each for each in schema["enum"] if each is not None)
    elif kinds == ["boolean"]:
        kind, choices = "choice", ("true", "false")
    elif kinds and set(kinds) <= {"number", "integer"}:
        kind = "number"
    elif kinds == ["string"]:
        kind = "secret" if is_secret(name) else "text"
    else:
        kind = "json"
    default = None if parameter is None or parameter.default is inspect.Parameter.empty else parameter.default
    return Field(name, kind, required, nullable, text, "" if kind == "secret" else shown(default), choices)


def shown(value: Any) -> str:
    """Return a value as a form's field shows it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


def read(fields: Iterable[Field], form: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that a form gives; empty fields are left out.

    Raises:
        InvalidArgument: A text cannot be read as its field says.
    """
    return {each.name: each.value_of(form[each.name]) for each in fields if form.get(each.name, "").strip()}


def changes(fields: Iterable[Field], form: Mapping[str, str], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form that differ from the present values; an empty one means none.

    Raises:
        InvalidArgument: A text cannot be read as its field says.
    """
    found = {}
    for each in fields:
        if each.name in form and (text := form[each.name].strip()) != shown(current[each.name]):
            found[each.name] = each.value_of(text) if text else None
    return found
