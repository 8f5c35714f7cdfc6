"""The messages of the hub protocol: h2s from the hub to the server, s2h back."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import attrs

from iot_northbound.device.hub import xml
from iot_northbound.device.hub.codes import CommandResult, ServerStatus
from iot_northbound.device.hub.xml import Element, without_none
from iot_northbound.errors import InvalidArgumentError, SdkCode, UnreadableAnswerError

T = TypeVar("T")
_VERSION = "2"


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise InvalidArgumentError.of("value", type(value).__name__, "it must be a text, a number or a boolean")


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text_of(value)


def _aware(measure: Any, field: Any, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise InvalidArgumentError.of(field.name, value.isoformat(), "it must have a time zone")


@attrs.frozen
class Param:
    """A named value of a measure or command; as text, because the XML has no types.

    Attributes:
        name: the name.
        value: the value; a number or boolean becomes its text.
        index: which one, if a device has several of this name.
    """

    name: str
    value: str = attrs.field(converter=_text_of)
    index: str | None = attrs.field(default=None, converter=_optional_text)


def _params(given: Mapping[str, Any] | Iterable[Param]) -> tuple[Param, ...]:
    return tuple(Param(*each) for each in given.items()) if isinstance(given, Mapping) else tuple(given)


@attrs.frozen
class Measure:
    """What a device behind the hub, or the hub itself, has measured.

    Attributes:
        device_id: the device; for the hub itself its hub id.
        params: the values: a mapping from names to values, or `Param`s.
        timestamp: when it was measured, with a time zone; None means now.
    """

    device_id: str
    params: tuple[Param, ...] = attrs.field(converter=_params)
    timestamp: datetime | None = attrs.field(default=None, validator=_aware)


@attrs.frozen
class AddDevice:
    """Reports a device behind the hub to the server. It may be reported again."""

    device_id: str
    device_type: str = attrs.field(converter=_text_of)


@attrs.frozen
class CommandResponse:
    """The result of a command, under the id that the server gave it."""

    command_id: str = attrs.field(converter=_text_of)
    result: CommandResult = attrs.field(converter=CommandResult)


@attrs.frozen
class HubCommand:
    """A command of the server.

    Attributes:
        command_id: the server's id, for the response.
        type: what is to be done.
        device_id: the device that is to do it; for the hub itself its hub id.
        params: the parameters.
        service: the service of the product model that has the command; only our emulator sends it.
    """

    command_id: str
    type: str | None
    device_id: str | None
    params: tuple[Param, ...] = ()
    service: str | None = None

    @property
    def values(self) -> dict[str, str]:
        """The parameters by name, without their indexes; the last one of a name counts."""
        return {each.name: each.value for each in self.params}


@attrs.frozen
class HubMessage:
    """A message of the hub (h2s).

    Attributes:
        hub_id: the hub.
        seq: the number of the message; None if it has none.
        measures: what was measured.
        adds: devices to add.
        responses: the results of commands.
        skipped: how many elements and attributes were not understood when it was read.
    """

    hub_id: str
    seq: int | None = None
    measures: tuple[Measure, ...] = ()
    adds: tuple[AddDevice, ...] = ()
    responses: tuple[CommandResponse, ...] = ()
    skipped: int = attrs.field(default=0, eq=False)

    def encode(self) -> bytes:
        """Return the message as XML.

        Raises:
            InvalidArgumentError: a text has a character that XML does not have, or the message is longer than 64 KiB or
                has more than 1,000 elements (1007).
        """
        root = Element(
            "h2s", without_none((("ver", _VERSION), ("hubId", self.hub_id), ("seq", _optional_text(self.seq))))
        )
        root.inside += [
            Element("add", {"deviceId": each.device_id, "deviceType": each.device_type}) for each in self.adds
        ]
        for each in self.measures:
            when = None if each.timestamp is None else _moment_text(each.timestamp)
            attributes = without_none((("deviceId", each.device_id), ("timestamp", when)))
            root.inside.append(Element("measure", attributes, _param_elements(each.params)))
        root.inside += [
            Element("response", {"cmdId": each.command_id, "result": str(int(each.result))}) for each in self.responses
        ]
        return xml.write(root)

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Read a message.

        Raises:
            UnreadableAnswerError: it is not a message of a hub (1004).
        """
        root = _Reading(xml.read(content), "h2s")
        old = root.take("proxyId")  # as old hubs write it
        hub_id = root.take("hubId") or old
        if not hub_id:
            raise _unreadable("h2s has no hubId")
        root.take("ver")
        return cls(
            hub_id,
            root.take_as("seq", int),
            root.each("measure", _measure),
            root.each("add", lambda add: AddDevice(add.need("deviceId"), add.need("deviceType"))),
            root.each(
                "response", lambda each: CommandResponse(each.need("cmdId"), CommandResult(each.need_as("result", int)))
            ),
            skipped=root.skipped(),
        )


@attrs.frozen
class ServerMessage:
    """The server's answer to a message (s2h).

    Attributes:
        status: what the server says of the message.
        seq: the number of the message that it answers; None if it has none.
        commands: what devices are to do.
        unknown: devices that sent measures and were not added.
        skipped: how many elements and attributes were not understood when it was read.
    """

    status: ServerStatus = attrs.field(converter=ServerStatus)
    seq: int | None = None
    commands: tuple[HubCommand, ...] = ()
    unknown: tuple[str, ...] = ()
    skipped: int = attrs.field(default=0, eq=False)

    def encode(self) -> bytes:
        """Return the message as XML.

        Raises:
            InvalidArgumentError: a text has a character that XML does not have, or the message is longer than 64 KiB or
                has more than 1,000 elements (1007).
        """
        seq, status = ("seq", _optional_text(self.seq)), ("status", str(self.status))
        root = Element("s2h", without_none((seq, status, ("ver", _VERSION))))
        for each in self.commands:
            attributes = without_none(
                (
                    ("cmdId", each.command_id),
                    ("type", each.type),
                    ("service", each.service),
                    ("deviceId", each.device_id),
                )
            )
            root.inside.append(Element("command", attributes, _param_elements(each.params)))
        root.inside += [Element("unknown", text=each) for each in self.unknown]
        return xml.write(root)

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Read a message.

        Raises:
            UnreadableAnswerError: it is not a message of a server (1004).
        """
        root = _Reading(xml.read(content), "s2h")
        status = root.take("status")
        if not status:
            raise _unreadable("s2h has no status")
        root.take("ver")
        return cls(
            ServerStatus(status),
            root.take_as("seq", int),
            root.each("command", _command),
            root.each("unknown", lambda each: each.element.text.strip()),
            skipped=root.skipped(),
        )


def _param_elements(params: Iterable[Param]) -> list[Element]:
    return [
        Element("param", without_none((("name", each.name), ("index", each.index))), text=each.value) for each in params
    ]


def _unreadable(why: str) -> UnreadableAnswerError:
    return UnreadableAnswerError(SdkCode.UNREADABLE, f"this is not a message of the hub protocol: {why}")


class _Unfit(Exception):
    """An element lacks something; it is skipped."""


class _Reading:
    """An element that is being read, and what of it has not been understood."""

    def __init__(self, element: Element, expected: str | None = None) -> None:
        if expected is not None and element.name != expected:
            raise _unreadable(f"its root is {element.name[:40]!r} and not {expected!r}")
        self.element = element
        self._left = dict(element.attributes)
        self._elements = list(element.inside)
        self._below = 0

    def take(self, name: str) -> str | None:
        """Return an attribute, or None if it is missing."""
        return self._left.pop(name, None)

    def take_as(self, name: str, kind: Callable[[str], T]) -> T | None:
        """Return an attribute as another type, or None if it is missing or does not fit."""
        text = self.take(name)
        try:
            return None if text is None else kind(text)
        except (ValueError, OverflowError):
            self._below += 1
            return None

    def need(self, name: str) -> str:
        """Return an attribute that the element must have."""
        return self.need_as(name, str)

    def need_as(self, name: str, kind: Callable[[str], T]) -> T:
        """Return an attribute that the element must have, as another type."""
        value = self.take_as(name, kind)
        if value is None:
            raise _Unfit
        return value

    def each(self, name: str, kind: Callable[["_Reading"], T]) -> tuple[T, ...]:
        """Return all elements of a name; one that does not fit is skipped."""
        found: list[T] = []
        others: list[Element] = []
        for element in self._elements:
            if element.name != name:
                others.append(element)
                continue
            reading = _Reading(element)
            try:
                found.append(kind(reading))
                self._below += reading.skipped()
            except _Unfit:
                self._below += 1
        self._elements = others
        return tuple(found)

    def skipped(self) -> int:
        """Return how many elements and attributes were not understood."""
        return self._below + len(self._left) + len(self._elements)


def _read_params(reading: _Reading) -> tuple[Param, ...]:
    return reading.each("param", lambda each: Param(each.need("name"), each.element.text, each.take("index")))


def _measure(reading: _Reading) -> Measure:
    device_id, when = reading.need("deviceId"), reading.take_as("timestamp", _moment)
    return Measure(device_id, _read_params(reading), when)


def _command(reading: _Reading) -> HubCommand:
    command_id, kind = reading.need("cmdId"), reading.take("type")
    return HubCommand(command_id, kind, reading.take("deviceId"), _read_params(reading), reading.take("service"))


def _moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
