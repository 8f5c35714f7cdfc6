"""How repetitions of a message are recognised: when is the same body again the same message?

A repetition has the same body, byte for byte. But two different events can have the same body too. So the content of
the body decides whether the second one may be dropped; `Seen` has the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from hashlib import blake2b
from typing import Any

import attrs

from iot_northbound.core.fields import JsonObject

COMMAND_STATUS = "commandStatusChanged"
"""The kind of a command's status change (2.3.5.18), which the platform sends without a ``notifyType``."""

_STATES = frozenset(
    {
        COMMAND_STATUS,
        "deviceAdded",
        "deviceDeleted",
        "deviceInfoChanged",
        "serviceInfoChanged",
        "deviceModelAdded",
        "deviceModelDeleted",
        "deviceCapabilitiesAdded",
        "deviceCapabilitiesDeleted",
        "swUpgradeStateChangeNotify",
        "swUpgradeResultNotify",
        "fwUpgradeStateChangeNotify",
        "fwUpgradeResultNotify",
    }
)
"""Kinds whose messages report a state. If the same state comes twice with nothing between, the second is not new.

The other kinds report an event that can happen twice in the same way: the same desired value is delivered again, a
device is bound again, capabilities change again, a reading has no time.
"""
_PRECISE = 0.001
"""Seconds. Two equal events never come within such a short time."""
_SPREAD = 1.0
"""Seconds between pushes of the same moment, at most: the platform posts on several connections."""
_TIME = re.compile(r"\d{8}T\d{6}(\d*)Z|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,](\d+))?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)


class Repeats(Enum):
    """When the same body again is a repetition."""

    NEVER = "never"
    """Never."""
    NEXT = "next"
    """If it is the next message of its device."""
    LATER = "later"
    """If it comes later than a second event of the same time would come."""
    ALWAYS = "always"
    """Always: the body has a precise time or the id of a request, so that no second event can have the same body."""


@attrs.frozen
class Recognition:
    """How repetitions of a message are recognised.

    Attributes:
        identity: a digest of the body.
        repeats: when the same body again is a repetition.
        after: the same body within so many seconds may be a second event, and counts as one.
    """

    identity: bytes
    repeats: Repeats = Repeats.NEVER
    after: float = 0.0


def recognise(body: bytes, text: str, raw: JsonObject, kind: str, device: str) -> Recognition:
    """Return how repetitions of a message are recognised."""
    digest = blake2b(body, digest_size=16)
    encoded = text.encode()
    if encoded != body:
        digest.update(encoded)  # with another charset, the same bytes are another message
    header = _part(raw, "header")
    is_named = _is_text(raw.get("requestId")) or _is_text(header.get("requestId"))
    precision = min(map(_precision, _times(raw, header)), default=None)
    if precision is None:
        is_state = device and (is_named or kind in _STATES)
        return Recognition(digest.digest(), Repeats.NEXT if is_state else Repeats.NEVER)
    if is_named or precision <= _PRECISE:
        return Recognition(digest.digest(), Repeats.ALWAYS)
    return Recognition(digest.digest(), Repeats.LATER, precision + _SPREAD)


def _times(raw: JsonObject, header: JsonObject) -> Iterator[str]:
    """Yield the times of the event that a message has."""
    found = [raw.get("triggerTime"), header.get("timestamp"), header.get("eventTime")]
    found += [service.get("eventTime") for service in services(raw)]
    yield from (each for each in found if isinstance(each, str) and _TIME.fullmatch(each.strip()))


def _precision(time: str) -> float:
    match = _TIME.fullmatch(time.strip())
    return float(10 ** -len((match and (match[1] or match[2])) or ""))


def services(raw: JsonObject) -> list[JsonObject]:
    """Return the services whose data is in a message."""
    found = []
    for name in ("service", "services"):
        value = raw.get(name)
        found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
    return found


def _part(raw: JsonObject, name: str) -> JsonObject:
    part = raw.get(name)
    return part if isinstance(part, dict) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
