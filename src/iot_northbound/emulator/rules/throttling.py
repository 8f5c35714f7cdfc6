"""Throttling: if flow control is on, an application may make so many calls per minute (1010009)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from iot_northbound.emulator.kernel.calls import Refusal

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.calls import Call
    from iot_northbound.emulator.kernel.platform import Platform

WINDOW = 60.0


def count(platform: Platform, call: Call) -> None:
    """Count a call of its application.

    The window slides: a call counts for the 60 seconds after it. A refused call does not count, so an
    application that waits a minute is always served.

    Raises:
        Refusal: 403 1010009.
    """
    if not platform.settings.flow_control:
        return
    calls: deque[float] = platform.recent_calls.setdefault(call.caller, deque())
    now = platform.now()
    while calls and calls[0] <= now - WINDOW:
        calls.popleft()
    if len(calls) >= platform.settings.calls_per_minute:
        raise Refusal(403, "1010009")
    calls.append(now)
