"""Documented spellings of a method: the same method, with its arguments in the documented order."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr

Spelled = Callable[..., Any]


def spelled(method: Callable[..., Any], *order: str) -> Spelled:
    """Return the method under another name. `order` names its parameters as the documented call orders them.

    Arguments that the documented call has and Python does not need are named `_`.
    """

    @wraps(method)
    def call(self: Any, *given: Any, **named: Any) -> Any:
        if len(given) > len(order):
            raise AgentLiteError(HwErr.PARA, f"{len(given)} arguments were given, and the call has {len(order)}")
        values = dict(zip(order, given, strict=False))
        values.pop("_", None)
        return method(self, **values, **named)

    call.order = order  # type: ignore[attr-defined]  # for the tests and the tables
    call.__doc__ = f"Do what `{method.__name__}` does, with the documented order of arguments: {', '.join(order)}."
    return call
