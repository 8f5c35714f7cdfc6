"""Bytes -> Message: what came, which kind it is, whose it is, and how to recognise it when it comes again.

No I/O and no clock in here. Dispatch goes by the parsed JSON, never by its text.
"""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from typing import Any, NoReturn

import attrs

from iot_northbound.core.charsets import NotTextError, json_text
from iot_northbound.core.fields import JsonObject

COMMAND_STATUS = "commandStatusChanged"
"""The kind of a command's status change (2.3.5.18), which the platform sends without a ``notifyType``."""

UNKNOWN = ""
"""The kind of an object that names none."""

_ONE, _SEVERAL = "deviceDataChanged", "deviceDatasChanged"
_DEVICE_IN_PATH = re.compile(r"/devices/([^/]+)")
_LONGEST_KEY = 200


class NotAMessageError(ValueError):
    """The body is no JSON object; the text says what it is instead."""


@attrs.frozen(eq=False)
class Message:
    """One push, parsed as far as storing and ordering need it."""

    text: str
    """The body as it came, decoded."""
    raw: JsonObject
    """The body parsed: every field, known or not, exactly as sent."""
    kind: str
    """The ``notifyType``, `COMMAND_STATUS`, or `UNKNOWN`."""
    device: str
    """What keeps its order: the device id, or the rule or application of a message about no device."""
    received_at: float
    """Seconds since the epoch."""
    slot: bytes | None = None
    """Where a repetition of this message would be looked for; None where none can be told from a new message."""
    identity: bytes = b""
    """What a repetition would hold in that slot."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def parse(body: bytes, received_at: float, content_type: str = "") -> Message:
    """Return a push's body as a message.

    Raises:
        NotAMessageError: the body is not text, not JSON, or JSON but not an object.
    """
    text = _text(body, content_type)
    try:
        raw = _decode(text)
    except RecursionError:
        raise NotAMessageError("the body nests deeper than this receiver reads") from None
    except ValueError as error:  # JSONDecodeError, NaN and Infinity, a number of thousands of digits
        raise NotAMessageError(f"the body is not JSON: {error}") from None
    if raw.__class__ is not dict:
        raise NotAMessageError(f"the body is JSON, but {_name(raw)} where a push is an object")
    kind = _key(kind_of(raw))
    device = _device(raw)
    slot, identity = _recognition(raw, text, kind, device)
    return Message(text, raw, kind, device, received_at, slot, identity)


def _text(body: bytes, content_type: str) -> str:
    if not body:
        raise NotAMessageError("the body is empty")
    try:
        return json_text(body, content_type)
    except NotTextError as error:
        raise NotAMessageError(str(error)) from None


def _name(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return "a text"
    return "null" if value is None else "a true or false" if isinstance(value, bool) else "a number"


def kind_of(raw: JsonObject) -> str:
    """Return the kind an object names; what the reference's samples and tables get wrong about it is forgiven.

    Those are: blanks around the key and within the kind, and ``deviceDataChanged`` over a list of services (2.3.5.5).
    """
    named = raw.get("notifyType")
    if named is None:
        named = next((value for key, value in raw.items() if key.strip() == "notifyType"), None)
    kind = "".join(named.split()) if isinstance(named, str) else ""
    if kind == _ONE and any(isinstance(raw.get(name), list) for name in ("service", "services")):
        return _SEVERAL
    if named in (None, "") and "commandId" in raw:
        return COMMAND_STATUS
    return kind or UNKNOWN


def _part(raw: JsonObject, name: str) -> JsonObject:
    part = raw.get(name)
    return part if isinstance(part, dict) else {}


def _device(raw: JsonObject) -> str:
    header = _part(raw, "header")
    for value in (raw.get("deviceId"), header.get("deviceId")):
        if isinstance(value, str) and value:
            return _key(value)
    origin = header.get("from")
    if isinstance(origin, str) and (found := _DEVICE_IN_PATH.search(origin)):
        return _key(found[1])
    for name in ("ruleId", "appId"):
        value = raw.get(name)
        if isinstance(value, str) and value:
            return _key(f"{name}:{value}")
    return ""


def _key(value: str) -> str:
    """Return an id as a key of bounded length that every store can hold (JSON may smuggle in lone surrogates)."""
    value = value.encode("utf-8", "backslashreplace").decode()
    return value if len(value) <= _LONGEST_KEY else _digest(value).hex()


def _digest(*parts: str) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "backslashreplace")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.digest()


def _recognition(raw: JsonObject, text: str, kind: str, device: str) -> tuple[bytes | None, bytes]:
    """Return slot and identity of a message.

    A message that carries an id, or says when it happened, is its own slot: the same again is a repetition, whatever
    came between. One that carries neither (a device's state going ONLINE, OFFLINE, ONLINE) is a repetition only
    of the message before it, so its slot is its device and kind. Data without id and time is never recognised: a meter
    that reports the same reading twice has sent two readings.
    """
    header = _part(raw, "header")
    if kind in (_ONE, _SEVERAL):
        services = _services(raw)
        times = [service.get("eventTime") for service in services]
        request_id = raw.get("requestId")
        if isinstance(request_id, str) and request_id:
            # Beside the id, as one request of a device may be pushed service by service under the same id.
            named = [(service.get("serviceId"), service.get("eventTime")) for service in services]
            own = _digest(kind, device, request_id, repr(named))
            return own, own
        if not times or not all(times):
            return None, b""
        own = _digest(text)
        return own, own
    if (
        kind == COMMAND_STATUS
        or raw.get("triggerTime")
        or header.get("timestamp")
        or header.get("eventTime")
        or header.get("requestId")
    ):
        own = _digest(text)
        return own, own
    return _digest("last", kind, device), _digest(text)


def _services(raw: JsonObject) -> list[JsonObject]:
    found = []
    for name in ("service", "services"):
        value = raw.get(name)
        found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
    return found
