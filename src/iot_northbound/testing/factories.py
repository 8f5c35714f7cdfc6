"""Valid DTOs for tests, of any class, with only the fields given that matter to the test.

::

    make(RegDirectDeviceInDTO2, node_id="meter-7")
    make(QuerySingleDeviceInfoOutDTO, device_id="device-7").device_info.status
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, get_args

import attrs

from iot_northbound.core import wire
from iot_northbound.core.fields import JsonObject, specs
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.events import KINDS
from iot_northbound.testing.documented import documented
from iot_northbound.testing.messages import push_message

T = TypeVar("T")


def make(cls: type[T], **changes: Any) -> T:
    """Return a valid object of a DTO class, a new one each time.

    A request has the fields of a documented request, an answer those of a documented answer, a notification those of a
    message. Devices are ``device-1``, the application is ``application-1``, and so on; they fit the shipped water
    meter.

    Args:
        cls: A class of `iot_northbound.dto`.
        changes: Fields to set instead, by their Python names; None leaves an optional field out.

    Raises:
        InvalidArgumentError: The class is not a DTO, has no such field, or does not accept a value (1007).
    """
    if cls not in (examples := _examples()):
        names = sorted(each.__name__ for each in examples)
        name = getattr(cls, "__name__", repr(cls))
        raise InvalidArgumentError.of("cls", name, f"it must be a DTO class{did_you_mean(name, names)}")
    known = specs(cls)
    for name in changes.keys() - known.keys():
        rule = f"{cls.__name__} has no such field{did_you_mean(name, sorted(known))}"
        raise InvalidArgumentError.of(name, repr(changes[name]), rule)
    example = copy.deepcopy(examples[cls])
    return cls(**{**{name: getattr(example, name) for name in known}, **changes})


@cache
def _examples() -> Mapping[type[Any], Any]:
    """Return an example of each class; those inside of others come from where they are first met."""
    found: dict[type[Any], Any] = {}
    for whole in _wholes():
        for part in _parts(whole):
            found.setdefault(type(part), part)
    return found


def _wholes() -> Iterator[Any]:
    for each in documented().values():
        if each.call.request is not None:
            yield _request(each.request, each.call.request)
        if each.answer is not None:
            yield wire.structure(each.answer, each.call.result)
    for kind, cls in KINDS.items():
        yield wire.structure(push_message(kind), cls)


def _request(data: JsonObject, cls: type[Any]) -> Any:
    """Return a request; a field that takes a DTO or free JSON gets the DTO."""
    made = wire.structure(data, cls)
    for spec in specs(cls).values():
        if getattr(made, spec.name) is None and data.get(spec.wire) is not None:
            part = next(each for each in get_args(spec.type) if attrs.has(each))
            setattr(made, spec.name, wire.structure(data[spec.wire], part))
    return made


def _parts(value: Any) -> Iterator[Any]:
    if attrs.has(type(value)):
        yield value
        for name in specs(type(value)):
            yield from _parts(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item)


__all__ = ["make"]
