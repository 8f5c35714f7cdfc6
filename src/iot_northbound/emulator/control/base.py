"""What every part of the control plane needs: operations with checked arguments, and the running emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property, partial, wraps
from inspect import Parameter, signature
from typing import Annotated, Any, TypeVar, cast, get_args, get_type_hints

from iot_northbound.emulator.control.schema import InvalidArgument, Schema, check, record, schema_of
from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.limits import Length
from iot_northbound.emulator.kernel.settings import Count, Seconds
from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
from iot_northbound.emulator.rules import applications, devices
from iot_northbound.emulator.runtime import Runtime

F = TypeVar("F", bound=Callable[..., Any])
Row = dict[str, Any]

Name = Annotated[str, Length(1, 256)]
TimeText = Annotated[str, Length(16, 19)]


__all__ = ["Arguments", "ControlBase", "Count", "Name", "NotFound", "Row", "Seconds", "TimeText", "operation"]


class NotFound(LookupError):
    """Raised when something that an operation names does not exist; the text says what."""


class Arguments:
    """What an operation takes, read from the signature of its method: the one description of its arguments."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self._signature = signature(method)

    @cached_property
    def schema(self) -> Schema:
        """The JSON Schema of all arguments together."""
        hints = get_type_hints(self._method, include_extras=True)
        fields: dict[str, Schema] = {}
        required: set[str] = set()
        for name, parameter in list(self._signature.parameters.items())[1:]:
            if parameter.kind is Parameter.VAR_KEYWORD:
                fields |= schema_of(get_args(hints[name])[0])["properties"]
                continue
            fields[name] = schema_of(hints[name])
            if parameter.default is Parameter.empty:
                required.add(name)
        return record(fields, required)

    def check(self, given: Mapping[str, Any]) -> Row:
        """Return the arguments, checked.

        Raises:
            InvalidArgument: One is missing, unknown, of a wrong type or out of its range.
        """
        checked: Row = check(given, self.schema)
        return checked

    def named(self, *args: Any, **named: Any) -> Row:
        """Return the arguments of a call in Python by their names.

        Raises:
            TypeError: The call does not fit the signature.
        """
        try:
            bound = self._signature.bind(*args, **named).arguments
        except TypeError as error:
            raise TypeError(f"{self._method.__qualname__}() {error}") from None
        given = dict(list(bound.items())[1:])
        for name, parameter in self._signature.parameters.items():
            if parameter.kind is Parameter.VAR_KEYWORD:
                given |= given.pop(name, {})
        return given


def operation(*, whole: bool = True, in_pieces: bool = False) -> Callable[[F], F]:
    """Make a method an operation: its arguments are checked, and it returns when its changes are durable.

    In Python it may be called from any thread but the emulator's own. The emulator's own loop awaits
    `method.on_loop(control, arguments)` instead. Both raise InvalidArgument or NotFound if an argument is
    wrong.

    Args:
        whole: Whether all of it is undone if it fails; False if it consists of pieces of work of its own.
        in_pieces: Whether the method calls other operations, one after the other; the API is served between them.
    """

    def decorate(method: F) -> F:
        arguments = Arguments(method)

        @wraps(method)
        def call(self: ControlBase, *args: Any, **named: Any) -> Any:
            act = partial(_act, method, self, arguments.check(arguments.named(self, *args, **named)))
            return act() if in_pieces else self._runtime.from_any_thread(act, whole=whole)

        async def on_loop(self: ControlBase, given: Mapping[str, Any]) -> Any:
            act = partial(_act, method, self, arguments.check(given))
            return await (asyncio.to_thread(act) if in_pieces else self._runtime.execute(act, whole=whole))

        call.arguments = arguments  # type: ignore[attr-defined]  # a function has any attribute
        call.on_loop = on_loop  # type: ignore[attr-defined]  # the same
        return cast(F, call)

    return decorate


def _act(method: Callable[..., Any], control: ControlBase, arguments: Row) -> Any:
    """Run a method; a refusal by the rules becomes one of the two exceptions of an operation."""
    try:
        return method(control, **arguments)
    except (InvalidArgument, NotFound, KeyError, IndexError):
        raise
    except LookupError as error:
        raise NotFound(*error.args) from error
    except Refusal as refusal:
        raise InvalidArgument(refusal.desc) from refusal
    except ValueError as error:
        raise InvalidArgument(*error.args) from error


class ControlBase:
    """The running emulator that the operations work on."""

    def __init__(
        self, runtime: Runtime, facts: Callable[[], Mapping[str, Any]], mqtt: MqttEndpoint | None = None
    ) -> None:
        self._runtime, self._mqtt = runtime, mqtt
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
