"""Which rule answers which call; which function runs at which timer and event.

Rule modules declare these with decorators when they are imported; a Platform looks them up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from iot_northbound.emulator.state.kernel import Answer, Call, Platform

Rule = Callable[["Platform", "Call"], "Answer"]
TimerRule = Callable[..., None]
Hook = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: its section in the reference, its path template, its rule, and how the kernel guards it.

    `guarded` asks for a token; `app_field` is the query field that may name another application; `app_status` is
    the status with which this endpoint refuses an application it may not act for; `removed_app` is what it documents
    for a caller whose application is gone.
    """

    section: str
    method: str
    template: str
    rule: Rule
    guarded: bool = True
    app_field: str = "appId"
    app_status: int = 403
    removed_app: tuple[int, str] = (500, "100203")


class RouteTable:
    """A tree over path segments: finding a rule costs a dictionary look-up a segment."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self.routes: list[Route] = []

    def add(self, route: Route) -> None:
        """Add a route; two for one method and path are a mistake."""
        node = self._root
        for segment in route.template.strip("/").split("/"):
            # A slash cannot occur inside a segment, so these keys never meet a real one.
            node = node.setdefault("/{}" if segment.startswith("{") else segment, {})
        methods: dict[str, Route] = node.setdefault("/methods", {})
        if route.method in methods:
            raise ValueError(f"{route.method} {route.template} is declared twice")
        methods[route.method] = route
        self.routes.append(route)

    def find(self, path: str) -> tuple[dict[str, Route], list[str]] | None:
        """Return the routes by method at a percent-encoded path, and the decoded values of its placeholders.

        One slash at the end makes no difference.
        """
        if not path.startswith("/"):
            return None
        values: list[str] = []
        node = self._root
        for segment in path[1:].removesuffix("/").split("/"):
            child = node.get(segment)
            if child is None:
                child = node.get("/{}")
                if child is None or not segment:
                    return None
                values.append(unquote(segment) if "%" in segment else segment)
            node = child
        methods: dict[str, Route] | None = node.get("/methods")
        return None if methods is None else (methods, values)


ROUTES = RouteTable()
TIMERS: dict[str, TimerRule] = {}
HOOKS: dict[str, list[Hook]] = {}
TABLES: dict[str, tuple[str, ...]] = {}


def route(section: str, method: str, template: str, **guards: Any) -> Callable[[Rule], Rule]:
    """Declare the rule of an endpoint: `rule(platform, call) -> Answer`. For guards see `Route`."""

    def declare(rule: Rule) -> Rule:
        ROUTES.add(Route(section, method, template, rule, **guards))
        return rule

    return declare


def timer(kind: str) -> Callable[[TimerRule], TimerRule]:
    """Declare what runs when a timer of this kind is due: `rule(platform, **args)`."""

    def declare(rule: TimerRule) -> TimerRule:
        if kind in TIMERS:
            raise ValueError(f"timer kind {kind!r} is declared twice")
        TIMERS[kind] = rule
        return rule

    return declare


def on(event: str) -> Callable[[Hook], Hook]:
    """Declare a function that runs, inside the same piece of work, when a rule emits this event."""

    def declare(hook: Hook) -> Hook:
        HOOKS.setdefault(event, []).append(hook)
        return hook

    return declare


def table(name: str, *order: str) -> str:
    """Declare a table and the row fields that order it (default: seq); return its name."""
    TABLES[name] = order or ("seq",)
    return name


GUARDS = {
    "1010005": "a missing, unknown, ended or expired token, or an app_key that is not the token's application",
    "1010009": "flow control switched on and its calls a minute used up",
    "100203": "appId names no application (403); the caller's own application was removed after its login (500)",
    "100217": "appId names an application that has not authorised the caller",
    "50252": "fault: the answer to an unexpected failure inside; no input is known to cause one",
}


def codes(section: str, reached: dict[str, str], *, guarded: bool = True) -> dict[tuple[str, str], str]:
    """Return how the codes of an endpoint are reached: its own, and those of the guard before it."""
    return {(section, code): how for code, how in {**(GUARDS if guarded else {}), **reached}.items()}
