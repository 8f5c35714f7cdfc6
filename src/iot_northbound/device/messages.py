"""Reports, commands and answers as bytes (reference 8.2.3 and 8.2.4)."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs

from iot_northbound.core.times import format_time, parse_time
from iot_northbound.errors import InvalidArgumentError

MID_MAX = 65_535

Entry = tuple[str, Mapping[str, Any]] | tuple[str, Mapping[str, Any], "datetime | str | None"]
"""One service's data in a report: service id, data, and when the data was collected."""


class Codec(Protocol):
    """What turns the messages of a product model into bytes of its own, as its codec plug-in on the platform does."""

    def encode(self, message: dict[str, Any]) -> bytes:
        """Return the bytes of a message that the device sends: a `deviceReq` or a `deviceRsp`."""
        ...

    def decode(self, payload: bytes) -> dict[str, Any]:
        """Return the message in bytes that the device got: a `cloudReq` or a `cloudRsp`."""
        ...


@attrs.frozen
class Command:
    """A command of the platform to the device.

    Attributes:
        service_id: the service that it concerns.
        method: the name of the command.
        paras: its parameters; empty if it has none.
        mid: the platform's number for it, which the answer repeats.
        device_id: the device behind a gateway that it is for; None if it is for the device itself.
    """

    service_id: str
    method: str
    paras: dict[str, Any] = attrs.field(factory=dict)
    mid: int | None = None
    device_id: str | None = None


class NotACommandError(ValueError):
    """The message is not a command. The text says why, and never repeats the payload."""


class JsonCodec:
    """Messages as compact JSON in UTF-8."""

    def encode(self, message: dict[str, Any]) -> bytes:
        """Return the JSON of a message.

        Raises:
            InvalidArgumentError: JSON cannot express it (1007).
        """
        try:
            text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            return text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArgumentError.of("data", "…", f"JSON cannot express it: {error}") from None

    def decode(self, payload: bytes) -> dict[str, Any]:
        """Return the object that the payload contains.

        Raises:
            NotACommandError: it contains something else.
        """
        try:
            message = json.loads(payload.decode())
        except (ValueError, RecursionError) as error:
            raise NotACommandError(f"it is not JSON ({type(error).__name__})") from None
        if not isinstance(message, dict):
            raise NotACommandError(f"it is not a JSON object, but {type(message).__name__}")
        return message


JSON = JsonCodec()


def event_time(moment: "datetime | str | None", now: float | None) -> str:
    """Return when data was collected, as the platform's text in whole seconds of UTC.

    A text in the platform's form is taken as it is. None means `now`, in seconds since the epoch.

    Raises:
        InvalidArgumentError: it is another value, a datetime without a time zone, or text of another form (1007).
    """
    if moment is None and now is not None:
        moment = datetime.fromtimestamp(now, UTC)
    try:
        if isinstance(moment, str):
            parse_time(moment)
            return moment
        if isinstance(moment, datetime):
            return format_time(moment.replace(microsecond=0))
    except (ValueError, OverflowError):
        pass
    rule = "it must be a datetime with a time zone, or text of UTC like 20260101T120000Z"
    raise InvalidArgumentError.of("event_time", repr(moment)[:80], rule)


def report_message(entries: Sequence[Entry], now: float | None = None) -> dict[str, Any]:
    """Return the message of a report; entries without a time get `now`, in seconds since the epoch, if it is given.

    Raises:
        InvalidArgumentError: there is no entry, or an entry is not as described (1007).
    """
    data = []
    for each in entries:
        if not isinstance(each, Sequence) or isinstance(each, str | bytes) or not 2 <= len(each) <= 3:
            raise InvalidArgumentError.of("entries", repr(type(each)), "each must be (service_id, data[, event_time])")
        service_id, values, moment = (*each, None)[:3]
        if not isinstance(service_id, str) or not service_id:
            raise InvalidArgumentError.of("service_id", repr(service_id)[:80], "it must be text, not empty")
        if not isinstance(values, Mapping):
            raise InvalidArgumentError.of("data", type(values).__name__, "it must be a mapping of names to values")
        entry: dict[str, Any] = {"serviceId": service_id, "serviceData": dict(values)}
        if moment is not None or now is not None:
            entry["eventTime"] = event_time(moment, now)
        data.append(entry)
    if not data:
        raise InvalidArgumentError.of("entries", "[]", "a report needs one entry at least")
    return {"msgType": "deviceReq", "data": data}


def report(entries: Sequence[Entry], now: float | None = None, codec: Codec = JSON) -> bytes:
    """Return a report as bytes; entries without a time get `now`, in seconds since the epoch, if it is given."""
    return codec.encode(report_message(entries, now))


def answer(mid: int | None, errcode: int, body: Mapping[str, Any] | None = None, codec: Codec = JSON) -> bytes:
    """Return the answer to a command as bytes; `errcode` 0 means success."""
    message: dict[str, Any] = {"msgType": "deviceRsp", "mid": mid, "errcode": errcode, "body": dict(body or {})}
    if mid is None:
        del message["mid"]
    return codec.encode(message)


def read_command(payload: bytes, codec: Codec = JSON) -> Command | None:
    """Return the command in a payload; None if it is a `cloudRsp`, which only confirms a report.

    Raises:
        NotACommandError: it is neither.
    """
    message = codec.decode(payload)
    if not isinstance(message, dict):
        raise NotACommandError("the codec returned no dict")
    kind, service_id, method = (message.get(key) for key in ("msgType", "serviceId", "cmd"))
    if kind == "cloudRsp":
        return None
    if kind != "cloudReq":
        raise NotACommandError("its msgType is not cloudReq")
    if not isinstance(service_id, str) or not isinstance(method, str):
        raise NotACommandError("serviceId and cmd must be text")
    paras, mid = message.get("paras"), message.get("mid")
    if not isinstance(paras, dict | None):
        raise NotACommandError("paras must be an object")
    if mid is not None and (type(mid) is not int or not 0 <= mid <= MID_MAX):
        raise NotACommandError(f"mid must be a whole number up to {MID_MAX}")
    return Command(service_id, method, paras or {}, mid)


class CommandWire(Protocol):
    """How commands and their answers look on one topic."""

    def read(self, payload: bytes) -> Command | None:
        """Return the command in a payload; None if there is nothing to do.

        Raises:
            NotACommandError: it is something else.
        """
        ...

    def answer(self, command: Command, errcode: int, body: Mapping[str, Any] | None) -> bytes:
        """Return the answer to a command."""
        ...


@attrs.frozen
class CodecWire:
    """The wire of a device's own commands (8.2.4)."""

    codec: Codec

    def read(self, payload: bytes) -> Command | None:
        """Return the command in a payload; None for a `cloudRsp`."""
        return read_command(payload, self.codec)

    def answer(self, command: Command, errcode: int, body: Mapping[str, Any] | None) -> bytes:
        """Return the answer to a command."""
        return answer(command.mid, errcode, body, self.codec)
