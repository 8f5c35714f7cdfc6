"""Decides when the steps of devices and tasks happen: at once, after their delay, or when released.

The platform's setting `transitions` decides: "immediate" drops every delay, "timed" keeps it, and "manual" holds each
step until `release`. Expiries and timeouts are not transitions: they always follow the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.kernel.routing import table

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row, Table

HELD_STEPS = table("held_steps")


def later(platform: Platform, delay: float, kind: str, **args: Any) -> None:
    """Plan a step: the timer of this kind runs after delay seconds, at once, or when it is released."""
    mode = platform.settings.transitions
    if mode == "manual":
        seq = platform.next_seq()
        key = f"{seq:016d}"
        held(platform).put(key, {"stepId": key, "seq": seq, "kind": kind, "args": args})
        return
    platform.after(delay if mode == "timed" else 0.0, kind, **args)


def held(platform: Platform) -> Table:
    """Return the table of steps that wait for `release`, oldest first."""
    return platform.table(HELD_STEPS)


def release(platform: Platform, count: int | None = None, kind: str | None = None) -> list[Row]:
    """Let held steps happen, oldest first; return them.

    Args:
        platform: the platform.
        count: the most to release; None for all that are held now.
        kind: only steps of this kind; None for any.
    """
    waiting = held(platform).where() if kind is None else held(platform).where(kind=kind)
    steps = list(waiting)[:count]
    for step in steps:
        held(platform).delete(step["stepId"])
        platform.after(0.0, step["kind"], **step["args"])
    return steps
