"""What every part of the control plane stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from inspect import Signature, signature
from typing import Any, TypeVar, cast

from iot_northbound.emulator.control.operations import types_of
from iot_northbound.emulator.control.schema import check_type
from iot_northbound.emulator.rules import applications, devices
from iot_northbound.emulator.runtime import Runtime

F = TypeVar("F", bound=Callable[..., Any])
Row = dict[str, Any]


class NotFound(LookupError):
    """Raised when what an operation names is not there; the text says what."""


def _check_types(operation_name: str, shape: Signature, named: Mapping[str, Any]) -> None:
    # What comes in over HTTP has met its whole schema; a Python caller's slip is named too, not stumbled over.
    schemas = types_of(operation_name)
    for name, parameter in shape.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or name not in named or name not in schemas:
            continue
        if named[name] is not None or parameter.default is not None:
            check_type(named[name], schemas[name], f"{operation_name}: {name}")


def operation(*, whole: bool = True) -> Callable[[F], F]:
    """Let a method run on the emulator's loop, from whatever thread it is called, and return when it is durable."""

    def decorate(method: F) -> F:
        shape = signature(method)

        @wraps(method)
        def call(self: ControlBase, *args: Any, **named: Any) -> Any:
            try:
                given = shape.bind(self, *args, **named).arguments
            except TypeError as error:
                raise TypeError(f"{method.__qualname__}() {error}") from None
            _check_types(method.__name__, shape, given)
            return self._runtime.from_any_thread(partial(method, self, *args, **named), whole=whole)

        call.whole = whole  # type: ignore[attr-defined]
        return cast(F, call)

    return decorate


class ControlBase:
    """The running emulator that the operations work on."""

    def __init__(self, runtime: Runtime, facts: Callable[[], Mapping[str, Any]]) -> None:
        self._runtime = runtime
        self._platform = runtime.platform
        self._facts = facts

    def _application(self, app_id: str | None) -> str:
        wanted: str = app_id or self._facts()["app_id"]
        if self._platform.table(applications.APPLICATIONS).get(wanted) is None:
            raise NotFound(f"no application {wanted!r}")
        return wanted

    def _device(self, device_id: str) -> str:
        if devices.find(self._platform, device_id) is None:
            raise NotFound(f"no device {device_id!r}")
        return device_id
