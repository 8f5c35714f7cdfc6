"""What simulated devices report: a value per property, from a scenario or from the product model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

from iot_northbound.core.times import format_time
from iot_northbound.errors import InvalidArgumentError

Value = Callable[[int, Random], Any]
"""Returns a device's value for its report with this number, from 0."""

_KINDS = "constant, increment, choice or random"
_BESIDE = {"constant": (), "increment": ("start",), "choice": (), "random": ("step",)}
_LARGEST = 1_000_000


def value_of(where: str, given: object) -> Value:
    """Return the values that a scenario describes: a plain value, or a table with one of the four kinds.

    Raises:
        InvalidArgumentError: it describes none (1007).
    """
    if not isinstance(given, Mapping):
        return constant(given)
    kinds = [each for each in _BESIDE if each in given]
    if len(kinds) != 1:
        raise InvalidArgumentError.of(where, str(dict(given))[:80], f"it must have one of {_KINDS}")
    kind = kinds[0]
    if more := sorted(set(given) - {kind, *_BESIDE[kind]}):
        raise InvalidArgumentError.of(where, more[0], f"{kind} does not go with it")
    what = given[kind]
    if kind == "constant":
        return constant(what)
    if kind == "increment":
        return increment(_number(where, what), _number(where, given.get("start", 0)))
    if kind == "choice":
        if not isinstance(what, list) or not what:
            raise InvalidArgumentError.of(where, repr(what)[:80], "choice must be a list that is not empty")
        return choice(what)
    if not isinstance(what, list) or len(what) != 2:
        raise InvalidArgumentError.of(where, repr(what)[:80], "random must be a list of the lowest and the highest")
    low, high = (_number(where, each) for each in what)
    if low > high:
        raise InvalidArgumentError.of(where, repr(what)[:80], "the lowest comes first")
    default = 1 if isinstance(low, int) and isinstance(high, int) else (high - low) / 1_000 or high - low
    step = _number(where, given.get("step", default))
    if step <= 0 < high - low:
        raise InvalidArgumentError.of(where, repr(step), "step must be above 0")
    return between(low, high, step)


def _number(where: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidArgumentError.of(where, repr(value)[:80], "it must be a number")
    return value


def constant(value: Any) -> Value:
    """Return always this value."""
    return lambda number, random: value


def increment(step: float, start: float) -> Value:
    """Return `start`, and `step` more with each report."""
    digits = max(_digits(step), _digits(start))
    return lambda number, random: _rounded(start + number * step, digits)


def choice(values: Sequence[Any]) -> Value:
    """Return one of the values."""
    return lambda number, random: random.choice(values)


def between(low: float, high: float, step: float) -> Value:
    """Return a number from `low` to `high`, in steps."""
    steps = math.floor((high - low) / step + 1e-9) if step > 0 else 0
    digits = max(_digits(low), _digits(step))
    return lambda number, random: _rounded(low + random.randint(0, steps) * step, digits)


def _digits(number: float) -> int:
    """Return how many digits after the point a number needs: 0 for a whole number of Python."""
    if isinstance(number, int):
        return 0
    text = f"{number:.9f}".rstrip("0")
    return max(1, len(text) - text.index(".") - 1)


def _rounded(number: float, digits: int) -> float:
    return round(number, digits) if digits else int(number)


def from_model(described: Mapping[str, Any]) -> Value:
    """Return values that fit a property, or a parameter of an answer, as the product model describes it."""
    if allowed := described.get("enumList"):
        return choice(list(allowed))
    kind = str(described.get("dataType") or "string").lower()
    if kind in ("int", "integer", "long"):
        low, high = _limits(described)
        return between(int(low), int(high), max(1, int(_float(described.get("step"), 1))))
    if kind in ("decimal", "double", "float", "number"):
        low, high = _limits(described)
        return between(low, high, _float(described.get("step"), 0) or max((high - low) / 1_000, 1e-6))
    if kind in ("boolean", "bool"):
        return choice([False, True])
    if kind == "datetime":
        return lambda number, random: format_time(datetime.now(UTC).replace(microsecond=0))
    if kind == "jsonobject":
        return constant({})
    if kind in ("array", "string list"):
        return constant([])
    longest = int(_float(described.get("maxLength"), 32))
    return lambda number, random: f"report {number}"[:longest]


def _limits(described: Mapping[str, Any]) -> tuple[float, float]:
    low = _float(described.get("min"), 0)
    high = _float(described.get("max"), low + 100)
    return low, min(max(low, high), low + _LARGEST)


def _float(value: object, default: float) -> float:
    """Return a number of a model, which may be text; the default if it is none."""
    try:
        number = float(value)  # type: ignore[arg-type]  # others raise
    except (TypeError, ValueError):
        return default
    return number if math.isfinite(number) else default


class Services:
    """What a device reports at a time: values for the properties of its services."""

    def __init__(self, services: Mapping[str, Mapping[str, Value]]) -> None:
        if not any(services.values()):
            raise InvalidArgumentError.of(
                "services", "none", "nothing says what to report: name a model with properties, or write a scenario"
            )
        self._services = {name: values for name, values in services.items() if values}

    @classmethod
    def of(cls, model: Sequence[Mapping[str, Any]], given: Mapping[str, Mapping[str, Value]]) -> Services:
        """Return the services of a product model; what a scenario gives goes before.

        Raises:
            InvalidArgumentError: there is no property at all (1007).
        """
        services: dict[str, dict[str, Value]] = {}
        for service in model:
            properties = services.setdefault(str(service.get("serviceId")), {})
            for each in service.get("properties") or ():
                if set(str(each.get("method") or "R").upper()) & {"R", "E"}:
                    properties[str(each.get("propertyName"))] = from_model(each)
        for name, values in given.items():
            services.setdefault(name, {}).update(values)
        return cls(services)

    def entries(self, number: int, random: Random, moment: datetime) -> list[tuple[str, dict[str, Any], datetime]]:
        """Return the entries of a device's report with this number."""
        return [
            (name, {key: value(number, random) for key, value in values.items()}, moment)
            for name, values in self._services.items()
        ]
