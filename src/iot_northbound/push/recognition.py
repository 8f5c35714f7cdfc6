"""What a message says about its repetitions: how sure it is that the same body again is the same message.

A repetition has the same body, byte for byte. Two different events can have the same body too. So it depends on what a
body says whether the second one may be dropped; `Seen` has the rule.
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
"""Kinds whose messages say what is the case now; said twice with nothing between, they say nothing new.

The others tell of something that can happen twice in the same way: the same desired value delivered again, a device
bound again, capabilities changed again, a reading without a time.
"""
_PRECISE = 0.001
"""Seconds: nothing has two equal events within a time as short as this."""
_SPREAD = 1.0
"""Seconds by which pushes of one moment may come apart: the platform posts on several connections."""
_TIME = re.compile(r"\d{8}T\d{6}(\d*)Z|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,](\d+))?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)


class Repeats(Enum):
    """What makes the same body again a repetition."""

    NEVER = "never"
    """Nothing does."""
    NEXT = "next"
    """It comes next of all messages of its device."""
    LATER = "later"
    """It comes later than a second event of the same time would have come."""
    ALWAYS = "always"
    """Nothing more: the body says when it happened so precisely, or with the id of a request, that it is the same."""


@attrs.frozen
class Recognition:
    """How repetitions of a message are recognised.

    Attributes:
        identity: stands for the body.
        repeats: what makes the same body again a repetition.
        after: seconds within which the same body may be a second event, and counts as one.
    """

    identity: bytes
    repeats: Repeats = Repeats.NEVER
    after: float = 0.0


def recognise(body: bytes, text: str, raw: JsonObject, kind: str, device: str) -> Recognition:
    """Return how repetitions of a message are recognised."""
    digest = blake2b(body, digest_size=16)
    encoded = text.encode()
    if encoded != body:
        digest.update(encoded)  # the same bytes are another message under another charset
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
    """Yield the times a message gives as its own."""
    found = [raw.get("triggerTime"), header.get("timestamp"), header.get("eventTime")]
    found += [service.get("eventTime") for service in services(raw)]
    yield from (each for each in found if isinstance(each, str) and _TIME.fullmatch(each.strip()))


def _precision(time: str) -> float:
    match = _TIME.fullmatch(time.strip())
    return float(10 ** -len((match and (match[1] or match[2])) or ""))


def services(raw: JsonObject) -> list[JsonObject]:
    """Return the services whose data a message has."""
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
