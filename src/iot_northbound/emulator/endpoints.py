"""Checks the names that a test uses for calls and pushes, so that a mistyped one is noticed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from iot_northbound.emulator.kernel.calls import Answer, Route
from iot_northbound.emulator.kernel.routing import ROUTES, RouteTable
from iot_northbound.emulator.rules.notification_bodies import ALL_KINDS

HUB_PATH: Final = "/deviceio/ml"
"""Where hubs post their messages."""
HUB: Final = f"POST {HUB_PATH}"

_CHILDREN = "/iocm/dev/dm/v1.1.0/devices"
AGENTLITE: Final = (
    "POST /iocm/dev/reg/v1.1.0/bind",
    "POST /iocm/dev/sec/v1.1.0/login",
    "POST /iocm/dev/sec/v1.1.0/refreshToken",
    f"POST {_CHILDREN}",
    f"POST {_CHILDREN}/sync",
    f"PUT {_CHILDREN}/{{deviceId}}",
    f"DELETE {_CHILDREN}/{{deviceId}}",
)
"""The calls of the AgentLite port."""

_OTHERS = RouteTable()
"""The calls at the ports for devices. It only knows their names; the ports find their rules themselves."""
for _name in (*AGENTLITE, HUB):
    _method, _, _path = _name.partition(" ")
    _OTHERS.add(Route("", _method, _path, lambda *_: Answer(500)))


def names_of(endpoint: str) -> tuple[str, ...]:
    """Return the names that fit an endpoint (`GET /path/{id}`): itself, its path, `GET *` and `*`."""
    method, _, path = endpoint.partition(" ")
    return endpoint, path, f"{method} *", "*"


def known_endpoint(given: str) -> str:
    """Return the name as `names_of` has it; the names of placeholders make no difference.

    Raises:
        ValueError: No call has this name; the message lists similar ones.
    """
    method, _, path = given.strip().rpartition(" ")
    method = method.strip().upper()
    known = [*ROUTES.routes, *_OTHERS.routes]
    methods = {route.method for route in known}
    if method and method not in methods:
        raise ValueError(f"endpoint is {given!r}: the method must be one of {', '.join(sorted(methods))}")
    if path == "*":
        return f"{method} *".strip()
    routes, values = ROUTES.find(path) or _OTHERS.find(path) or ({}, [])
    if not routes:
        fitting = [each for each in known if method in ("", each.method)]
        raise _no_such("endpoint", given, _close_endpoints(path, fitting))
    template = next(iter(routes.values())).template
    name = f"{method} {template}".strip()
    if not all(value.startswith("{") and value.endswith("}") for value in values):
        raise ValueError(f"endpoint is {given!r}: ids cannot be chosen; the whole endpoint is {name!r}")
    if method and method not in routes:
        raise ValueError(f"endpoint is {given!r}: this path takes {', '.join(sorted(routes))}")
    return name


def known_notify_type(given: str) -> str:
    """Return the name if pushes have this notifyType; `*` means all, empty those that have none.

    Raises:
        ValueError: No push has it; the message lists similar ones.
    """
    if given not in ("*", "", *ALL_KINDS):
        raise _no_such("notify_type", given, _close(given, ALL_KINDS))
    return given


def _close_endpoints(path: str, known: Iterable[Route]) -> list[str]:
    by_path: dict[str, list[str]] = {}
    for each in known:
        by_path.setdefault(each.template, []).append(f"{each.method} {each.template}")
    # Often only the end is given: `/devices` of `/iocm/app/dm/v1.4.0/devices`.
    end = _bare(path).strip("/")
    ends = [each for each in by_path if end and _bare(each).endswith(f"/{end}")]
    found = [*ends, *(each for each in _close(path, by_path) if each not in ends)]
    return [name for each in found for name in by_path[each]][:4]


def _bare(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).lower()


def _close(text: str, known: Iterable[str]) -> list[str]:
    # Upper and lower case are the same here: that is the most likely mistake.
    by_lower = {each.lower(): each for each in known}
    return [by_lower[each] for each in difflib.get_close_matches(text.lower(), by_lower, n=3, cutoff=0.6)]


def _no_such(name: str, given: str, close: list[str]) -> ValueError:
    hint = f"similar are {', '.join(close)}" if close else "* means all"
    return ValueError(f"{name} is {given!r}: nothing documented has this name; {hint}")
