"""How a test names calls and pushes: what it writes is held against what there is, so that no slip goes unnoticed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from iot_northbound.emulator.kernel.calls import Route
from iot_northbound.emulator.kernel.routing import ROUTES
from iot_northbound.emulator.rules.notification_bodies import ALL_KINDS


def names_of(endpoint: str) -> tuple[str, ...]:
    """Return the names that an endpoint, `GET /path/{id}`, goes by: itself, its path, `GET *` and `*`."""
    method, _, path = endpoint.partition(" ")
    return endpoint, path, f"{method} *", "*"


def known_endpoint(told: str) -> str:
    """Return the one of `names_of` that is meant, whatever the placeholders in it are called.

    Raises:
        ValueError: No call goes by this name; the message says which come close.
    """
    method, _, path = told.strip().rpartition(" ")
    method = method.strip().upper()
    methods = {route.method for route in ROUTES.routes}
    if method and method not in methods:
        raise ValueError(f"endpoint is {told!r}: the method must be one of {', '.join(sorted(methods))}")
    if path == "*":
        return f"{method} *".strip()
    routes, values = ROUTES.find(path) or ({}, [])
    if not routes:
        known = [each for each in ROUTES.routes if method in ("", each.method)]
        raise _no_such("endpoint", told, _close_endpoints(path, known))
    template = next(iter(routes.values())).template
    name = f"{method} {template}".strip()
    if not all(value.startswith("{") and value.endswith("}") for value in values):
        raise ValueError(f"endpoint is {told!r}: ids cannot be chosen; the whole endpoint is {name!r}")
    if method and method not in routes:
        raise ValueError(f"endpoint is {told!r}: this path takes {', '.join(sorted(routes))}")
    return name


def known_notify_type(told: str) -> str:
    """Return it when pushes have this notifyType; `*` means all, an empty one those that carry none.

    Raises:
        ValueError: No push ever has it; the message says which come close.
    """
    if told not in ("*", "", *ALL_KINDS):
        raise _no_such("notify_type", told, _close(told, ALL_KINDS))
    return told


def _close_endpoints(path: str, known: Iterable[Route]) -> list[str]:
    by_path: dict[str, list[str]] = {}
    for each in known:
        by_path.setdefault(each.template, []).append(f"{each.method} {each.template}")
    # Often only the end is told: `/devices` of `/iocm/app/dm/v1.4.0/devices`.
    end = _bare(path).strip("/")
    ends = [each for each in by_path if end and _bare(each).endswith(f"/{end}")]
    found = [*ends, *(each for each in _close(path, by_path) if each not in ends)]
    return [name for each in found for name in by_path[each]][:4]


def _bare(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).lower()


def _close(text: str, known: Iterable[str]) -> list[str]:
    # Compared without regard to case: that is the likeliest slip of all.
    by_lower = {each.lower(): each for each in known}
    return [by_lower[each] for each in difflib.get_close_matches(text.lower(), by_lower, n=3, cutoff=0.6)]


def _no_such(name: str, told: str, close: list[str]) -> ValueError:
    hint = f"close to it: {', '.join(close)}" if close else "* stands for all"
    return ValueError(f"{name} is {told!r}: nothing documented is called so; {hint}")
