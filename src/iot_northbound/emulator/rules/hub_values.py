"""What a hub measured, as data of the services of a product model: the hub's values are text without a type."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iot_northbound.emulator.rules import models

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row


class Value(NamedTuple):
    """A named value of a device; the number says which one, if there are several of this name."""

    name: str
    text: str
    number: str | None = None


class Unfit(ValueError):
    """Raised when a value cannot be taken; the text says why and what to do."""


def sort(platform: Platform, device: Row, values: Iterable[Value]) -> dict[str, dict[str, Any]]:
    """Return the data by service. A value that does not fit is dropped, with a hint in the log.

    Of two values for the same property the last one counts.
    """
    model = models.of_device(platform, device)
    data: dict[str, dict[str, Any]] = {}
    for value in values:
        try:
            service_id, name, read = _place(platform, device, model, value)
            data.setdefault(service_id, {})[name] = read
        except Unfit as unfit:
            product = None if model is None else model["productId"]
            platform.hint(
                f"hub value {product} {value.name} {value.number}",
                f"a value {value.name!r} of device {device['deviceId']} is dropped: {unfit}",
            )
    return data


def _place(platform: Platform, device: Row, model: Row | None, value: Value) -> tuple[str, str, Any]:
    """Return the service and the property that a value belongs to, and the value in the property's type."""
    names = (value.name,) if value.number is None else (f"{value.name}.{value.number}", value.name)
    chosen = platform.settings.hub_params
    for name in names:
        if name in chosen:
            service = None if model is None else models.find_service(model, chosen[name])
            rule = None if service is None else models.find_property(service, name)
            return chosen[name], name, _typed(rule, value.text)
        found = [] if model is None else _with_property(model, name)
        if len(found) > 1:
            services = ", ".join(service_id for service_id, _ in found)
            raise Unfit(f"the services {services} have a property {name!r}; say which one with the setting hub_params")
        if found:
            service_id, rule = found[0]
            return service_id, name, _typed(rule, value.text)
    if model is None:
        wanted = device.get("deviceType")
        raise Unfit(
            f"the device has no product model, and so no services; the setting hub_models says which one is meant by"
            f" deviceType {wanted!r}"
        )
    raise Unfit(f"no service of product model {model['productId']!r} has a property {names[0]!r}")


def _with_property(model: Row, name: str) -> list[tuple[str, Row]]:
    return [
        (service["serviceId"], rule)
        for service in model["services"]
        if (rule := models.find_property(service, name)) is not None
    ]


def _typed(rule: Row | None, text: str) -> Any:
    kind = "string" if rule is None else rule["dataType"]
    read = _READERS.get(kind.lower())
    if read is None:
        return text
    try:
        return read(text.strip())
    except (ValueError, KeyError, RecursionError):
        raise Unfit(f"it is not of type {kind}") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _json(text: str) -> Any:
    value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is valid JSON, but cannot be sent
    return value


def _json_object(text: str) -> Any:
    if not isinstance(value := _json(text), dict):
        raise ValueError("not an object")
    return value


def _json_array(text: str) -> Any:
    if not isinstance(value := _json(text), list):
        raise ValueError("not an array")
    return value


_BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "int": int,
    "integer": int,
    "long": int,
    "decimal": _finite,
    "double": _finite,
    "boolean": lambda text: _BOOLEANS[text.lower()],
    "jsonobject": _json_object,
    "array": _json_array,
    "string list": _json_array,
}
