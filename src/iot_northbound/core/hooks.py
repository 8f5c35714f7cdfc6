"""Hooks for metrics and tracing: told of every attempt, with the route template as the name, never an id."""

import logging
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from iot_northbound.core.deadline import within

log = logging.getLogger("iot_northbound.hooks")

E = TypeVar("E")


class RequestEvent(NamedTuple):
    """A request is about to be sent."""

    endpoint: str
    attempt: int


class ResponseEvent(NamedTuple):
    """An attempt ended, with an answer or without."""

    endpoint: str
    attempt: int
    status: int | None
    """HTTP status; None where no answer came."""
    error_code: str | None
    elapsed: float
    """Seconds of this attempt."""


class RetryEvent(NamedTuple):
    """A call will be repeated."""

    endpoint: str
    attempt: int
    """The attempt that failed."""
    delay: float
    """Seconds until the next."""
    reason: str


class Hooks(NamedTuple):
    """Functions called in the calling thread. What they raise is logged and changes nothing."""

    before_request: Callable[[RequestEvent], None] | None = None
    after_response: Callable[[ResponseEvent], None] | None = None
    on_retry: Callable[[RetryEvent], None] | None = None


def tell(hook: Callable[[E], None] | None, event: E, until: float | None = None) -> None:
    """Call one hook; its failure is its own. Calls that it makes keep the deadline `until` too."""
    if hook is None:
        return
    try:
        within(until, hook, event)
    except Exception:
        log.exception("the hook for %s failed", type(event).__name__)
