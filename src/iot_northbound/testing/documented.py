"""What the reference documents of each call, as data: a request, the answer to it, and the error codes.

The data are in calls.json, by section. They have invented values: ``device-1``, ``application-1`` and so on.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.services.calls import Call, calls

AnyCall = str | Callable[..., Any]


class Documented(NamedTuple):
    """One call: its entry in the register, and its documented data."""

    call: Call
    request: Any
    """A request with every field, as JSON: the body, or the query of a GET."""
    status: int
    answer: Any
    """The answer as JSON; None if there is no body."""
    errors: Mapping[str, int]
    """The codes that the reference lists for the call, with their HTTP statuses."""


@cache
def documented() -> Mapping[str, Documented]:
    """Return all calls by section."""
    data = json.loads(files("iot_northbound.testing").joinpath("calls.json").read_text("utf-8"))
    return {call.section: Documented(call, **data[call.section]) for call in calls()}


def find(call: AnyCall) -> Documented:
    """Return a call by its method (``DeviceManagement.reg_direct_device``), by the method's name, or by its section.

    A method that makes two calls stands for the first one; the section names the other (``sub_device_data``: 1.6.2).

    Raises:
        InvalidArgumentError: There is no such call (1007).
    """
    every = documented()
    if inspect.isroutine(call):
        for each in every.values():
            if getattr(each.call.service, each.call.method) is getattr(call, "__func__", call):
                return each
    names: dict[str, Documented] = {}
    for section, each in every.items():
        for name in (section, each.call.method, each.call.name, each.call.endpoint.name):
            names.setdefault(name, each)
    if isinstance(call, str) and call in names:
        return names[call]
    given = call if isinstance(call, str) else getattr(call, "__qualname__", repr(call))
    rule = "the platform has no such call; name a method of a service"
    raise InvalidArgumentError.of("call", repr(given), rule + did_you_mean(given, sorted(names)))
