"""How the emulator reaches each documented error code; docs/emulator-coverage.md is made from this."""

from __future__ import annotations

from iot_northbound.emulator import rules


def codes() -> dict[tuple[str, str], str]:
    """Return how each documented code is reached, by the endpoint's section and the code."""
    found: dict[tuple[str, str], str] = {}
    for module in rules.MODULES:
        found |= getattr(module, "CODES", {})
    return found


def kind_of(how: str) -> str:
    """Return "state", "fault" or "unreachable"."""
    prefix = how.partition(":")[0]
    return prefix if prefix in ("fault", "unreachable") else "state"
