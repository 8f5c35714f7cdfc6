"""Bytes -> Message: its content, its kind, and its device.

This module has no I/O and no clock. The kind comes from the parsed JSON, never from its text.
"""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from typing import Any, NoReturn

import attrs

from iot_northbound.core.charsets import NotTextError, json_text
from iot_northbound.core.fields import JsonObject
from iot_northbound.core.lenient import as_scalar
from iot_northbound.push.recognition import COMMAND_STATUS, Recognition, recognise

PROBE = "push success."
"""The kind of the plain text with which some platforms test a callback URL.

No ``notifyType`` is the same, because this text has a blank.
"""

UNKNOWN = ""
"""The kind of an object that does not say its kind."""

_ONE, _SEVERAL = "deviceDataChanged", "deviceDatasChanged"
_DEVICE_IN_PATH = re.compile(r"/devices/([^/]+)")
_LONGEST_KEY = 200
_PROBE = re.compile(r'\s*"?push\s+success\.?"?\s*', re.IGNORECASE)


class NotAMessageError(ValueError):
    """The body is not a JSON object; the message says what it is."""


@attrs.frozen(eq=False)
class Message:
    """One push, parsed as far as the inbox needs it."""

    text: str
    """The body as it came, decoded."""
    raw: JsonObject
    """The parsed body: every field as it was sent, known or not."""
    kind: str
    """The ``notifyType``, `COMMAND_STATUS`, `PROBE`, or `UNKNOWN`."""
    device: str
    """The key of its order: the device id; for a message that is not about a device, the rule or the application."""
    received_at: float
    """Seconds since the epoch."""
    recognition: Recognition
    """How a repetition of it is recognised."""
    shard: int = 0
    """Which part of a shared inbox has it."""
    fence: int = 0
    """How often that part had changed hands when this process got the message."""
    begun: int = 0
    """How often a process that ended without a word may have begun it."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def parse(body: bytes, received_at: float, content_type: str = "") -> Message:
    """Return a push's body as a message.

    Raises:
        NotAMessageError: the body is not text, not JSON, or JSON but not an object.
    """
    text = _text(body, content_type)
    if _PROBE.fullmatch(text):
        return Message(text, {}, PROBE, "", received_at, recognise(body, text, {}, PROBE, ""))
    try:
        raw = _decode(text)
    except RecursionError:
        raise NotAMessageError("the body is nested too deeply for this receiver") from None
    except ValueError as error:  # JSONDecodeError, NaN and Infinity, a number of thousands of digits
        raise NotAMessageError(f"the body is not JSON: {error}") from None
    if raw.__class__ is not dict:
        raise NotAMessageError(f"the body is JSON, but it is {_name(raw)}, and a push is an object")
    kind = _key(kind_of(raw))
    device = _device(raw)
    return Message(text, raw, kind, device, received_at, recognise(body, text, raw, kind, device))


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
    """Return the kind that an object says. The mistakes of the reference's samples and tables are accepted.

    They are: blanks around the key and in the kind, and ``deviceDataChanged`` with a list of services (2.3.5.5).
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
        if found := _id(value):
            return _key(found)
    origin = header.get("from")
    if isinstance(origin, str) and (part := _DEVICE_IN_PATH.search(origin)):
        return _key(part[1])
    for name in ("ruleId", "appId"):
        if found := _id(raw.get(name)):
            return _key(f"{name}:{found}")
    return ""


def _id(value: Any) -> str | None:
    """Return an id as the DTOs have it: some platforms write it as a number."""
    if isinstance(value, bool):
        return None
    found: str | None = value if value.__class__ is str or value is None else as_scalar(value, str)
    return found


def _key(value: str) -> str:
    """Return an id as a key of limited length that every store accepts (JSON can contain lone surrogates)."""
    value = value.encode("utf-8", "backslashreplace").decode()
    return value if len(value) <= _LONGEST_KEY else blake2b(value.encode(), digest_size=16).hexdigest()


__all__ = ["COMMAND_STATUS", "PROBE", "UNKNOWN", "Message", "NotAMessageError", "kind_of", "parse"]
