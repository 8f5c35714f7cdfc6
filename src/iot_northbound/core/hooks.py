"""Hooks for metrics and tracing: called at every attempt, with the route template as the name, never an id."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from iot_northbound.core.deadline import within
from iot_northbound.core.failures import Log

log = Log("iot_northbound.hooks", own_threads=False)

E = TypeVar("E")


class RequestEvent(NamedTuple):
    """A request will be sent now."""

    endpoint: str
    attempt: int


class ResponseEvent(NamedTuple):
    """An attempt ended, with an answer or without."""

    endpoint: str
    attempt: int
    status: int | None
    """HTTP status; None if no answer came."""
    error_code: str | None
    elapsed: float
    """Seconds of this attempt."""


class RetryEvent(NamedTuple):
    """A call will be repeated."""

    endpoint: str
    attempt: int
    """The attempt that failed."""
    delay: float
    """Seconds until the next attempt."""
    reason: str


class Hooks(NamedTuple):
    """Functions that are called in the calling thread. An exception of theirs is logged and has no other effect."""

    before_request: Callable[[RequestEvent], None] | None = None
    after_response: Callable[[ResponseEvent], None] | None = None
    on_retry: Callable[[RetryEvent], None] | None = None

    @classmethod
    def together(cls, *hooks: "Hooks") -> "Hooks":
        """Return hooks that call those of each of these, in this order. If one fails, the others are called too."""
        return cls(*(_each(functions) for functions in zip(*hooks, strict=True)))


def _each(functions: tuple[Callable[[E], None] | None, ...]) -> Callable[[E], None] | None:
    given = [function for function in functions if function is not None]

    def call(event: E) -> None:
        for function in given:
            notify(function, event)

    return call if given else None


def notify(hook: Callable[[E], None] | None, event: E, until: float | None = None) -> None:
    """Call one hook. Its failure has no effect on the call. Calls that it makes also keep the deadline `until`."""
    if hook is None:
        return
    try:
        within(until, hook, event)
    except Exception:
        log.exception("the hook for %s failed", type(event).__name__)
