"""JSON bodies as both listeners of the emulator read and write them."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

from iot_northbound.emulator.kernel.calls import MALFORMED

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

DEPTH = 100
"""How deep a JSON body may nest; deeper ones count as malformed."""


def encode(value: Any) -> bytes:
    """Return JSON text in UTF-8."""
    return _ENCODER.encode(value).encode()


class TooDeepError(ValueError):
    """Raised when JSON nests deeper than `DEPTH`."""


def decode(body: bytes) -> Any:
    """Return the JSON value of a body; None for an empty one, MALFORMED if it is not valid JSON."""
    try:
        return parse(body)
    except ValueError:
        return MALFORMED


def parse(body: bytes) -> Any:
    """Return the JSON value of a body; None for an empty one.

    Raises:
        TooDeepError: It nests deeper than `DEPTH`.
        ValueError: It is not valid JSON.
    """
    if not body:
        return None
    try:
        value = _value(body.decode().removeprefix("\ufeff"))
    except RecursionError:
        raise TooDeepError from None
    if body.count(b"[") + body.count(b"{") > DEPTH and _depth(value) > DEPTH:
        raise TooDeepError
    if b"\\u" in body:
        encode(value)  # half a surrogate pair is valid JSON, but cannot be stored or sent
    return value


def _value(text: str) -> Any:
    if text.startswith("{"):  # the usual body: an object without blanks around it, which needs no search for blanks
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return value
    return _DECODER.decode(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("beyond the range of numbers")
    return number


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
    return depth


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None if the peer has disconnected."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message["body"]
    return body
