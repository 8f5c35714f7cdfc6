"""Values for any request DTO, made from its own annotations."""

import types
import typing
from datetime import UTC, datetime
from typing import Any

import attrs

from iot_northbound import dto
from iot_northbound.core.fields import Range, Text, specs
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.times import Timestamp

CLASSES: dict[str, type[Any]] = {
    name: value for name in dto.__all__ if isinstance(value := getattr(dto, name), type) and attrs.has(value)
}
REQUESTS = {
    name: cls
    for name, cls in CLASSES.items()
    if any(attribute.validator is not None for attribute in attrs.fields(cls))
}
RESPONSES = {name: cls for name, cls in CLASSES.items() if name not in REQUESTS}


def value_for(bare: Any, rules: tuple[Any, ...] = (), *, everything: bool = True) -> Any:
    """Return an acceptable value of a type under some rules."""
    for rule in rules:
        if isinstance(rule, Text):
            return "x" * max(rule.low, 1)
        if isinstance(rule, Range):
            return rule.low if rule.low is not None else 1
    if isinstance(bare, type) and attrs.has(bare):
        return example(bare, everything=everything)
    origin = typing.get_origin(bare)
    if origin is list:
        return [value_for(typing.get_args(bare)[0], everything=everything)]
    if origin is dict:
        return {"number": 1.0, "nothing": None, "text": "null"}
    if origin is types.UnionType:
        return value_for(typing.get_args(bare)[0], everything=everything)
    if isinstance(bare, type) and issubclass(bare, Timestamp | OpenEnum):
        return bare("20260212T121212Z")
    plain: dict[Any, Any] = {str: "x", int: 1, float: 1.5, bool: True, Any: {"any": 1}}
    plain[datetime] = datetime(2026, 2, 12, 12, 12, 12, tzinfo=UTC)
    return plain[bare]


def example(cls: type[Any], *, everything: bool = True) -> Any:
    """Return an instance of a DTO with every field, or with the mandatory ones only."""
    wanted = [spec for spec in specs(cls).values() if everything or spec.mandatory or spec.promised]
    return cls(**{spec.name: value_for(spec.type, spec.rules, everything=everything) for spec in wanted})
