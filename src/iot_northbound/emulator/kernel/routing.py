"""Says which rule answers which call, and which function runs for which timer and event.

Rule modules declare these with decorators when they are imported; a Platform looks them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from iot_northbound.emulator.kernel.calls import Call, Route, Rule

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform

Guard = Callable[["Platform", Call], None]
TimerRule = Callable[..., None]
Hook = Callable[..., None]


class RouteTable:
    """A tree over path segments: finding a rule costs one dictionary look-up per segment."""

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
GUARDS: list[Guard] = []
TABLES: dict[str, tuple[str, ...]] = {}


def route(section: str, method: str, template: str, **guards: Any) -> Callable[[Rule], Rule]:
    """Declare the rule of an endpoint: `rule(platform, call) -> Answer`. `Route` describes the options."""

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


def guard(check: Guard) -> Guard:
    """Declare a function that each guarded call passes before its rule. It fills in the call, or raises a Refusal."""
    GUARDS.append(check)
    return check


def codes(sections: str | Iterable[str], *reached: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return how the codes of one or several endpoints are reached, by section and code; later ones replace earlier.

    A text that begins with "fault:" says that only fault injection produces the code, and why. "unreachable:" says why
    nothing does.
    """
    named = [sections] if isinstance(sections, str) else list(sections)
    return {(section, code): how for section in named for each in reached for code, how in each.items()}
