"""Event -> handlers: which functions get a message."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from iot_northbound.core.failures import name_of
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.events import KIND_OF, KINDS, Event
from iot_northbound.push.failures import log
from iot_northbound.push.handlers import Handlers, method_for
from iot_northbound.push.workers import Delivery

Handler = Callable[[Any], object]

EVENT: ContextVar[Event] = ContextVar("iot_northbound_event")

_PREFIX = "handle_"
"""How the names of a receiver's handlers start."""

BODY, UNFIT = object(), object()
"""What a function can be registered for besides a kind: every message, and messages that fit no kind."""


class Dispatcher:
    """The functions of each kind: first the receiver's own method, then the registered ones in order.

    Args:
        owner: the receiver.
        runs: whether handlers run here; if not, they are refused, because they would never be called.
    """

    def __init__(self, owner: Handlers, *, runs: bool = True) -> None:
        self._runs = runs
        self._table: dict[object, list[Handler]] = {
            kind: [getattr(owner, method_for(cls))] for kind, cls in KINDS.items()
        }
        self._table[BODY] = [owner.handle_body]
        self._table[UNFIT] = [owner.handle_unknown]
        for handlers in self._table.values():
            _check(handlers[0])
        known = sorted(name for name in vars(Handlers) if name.startswith(_PREFIX))
        for name in dir(type(owner)):
            if name.startswith(_PREFIX) and name not in known and callable(getattr(type(owner), name)):
                rule = f"no message goes to a method of this name, and {_PREFIX} is reserved for handlers"
                where = f"{type(owner).__qualname__}.{name}"
                raise InvalidArgumentError.of("handler", where, f"{rule}{did_you_mean(name, known)}")
        for name in known:
            if getattr(type(owner), name) is not getattr(Handlers, name):
                self._refuse_if_idle(f"{type(owner).__qualname__}.{name}")

    def add(self, kinds: tuple[type[Any], ...], handler: Handler) -> None:
        """Register a function for the kinds of some DTO classes."""
        if not kinds:
            raise InvalidArgumentError.of("on", "()", "it needs at least one DTO class")
        for cls in kinds:
            if cls not in KIND_OF:
                known = ", ".join(sorted(each.__name__ for each in KIND_OF))
                raise InvalidArgumentError.of("on", getattr(cls, "__name__", repr(cls)), f"it must be one of {known}")
            self.append(KIND_OF[cls], handler)

    def append(self, key: object, handler: Handler) -> None:
        """Register a function."""
        _check(handler)
        self._refuse_if_idle(name_of(handler))
        self._table[key].append(handler)

    def _refuse_if_idle(self, name: str) -> None:
        if not self._runs:
            rule = "no handler runs in this receiver: its sink hands the messages to another program"
            raise InvalidArgumentError.of("handler", name, rule)

    def __call__(self, delivery: Delivery) -> BaseException | None:
        """Call the handlers that have not finished a message yet; return the last error, or None if all have finished.

        An error in one handler does not keep the message from the others.
        """
        try:
            event = Event.of(delivery.message, delivery.id, delivery.attempt)
        except Exception as error:  # noqa: BLE001  # a message no code of ours can read must not block its device
            log.failure(logging.ERROR, error, "message %d cannot be read", delivery.id)
            return error
        if event.problem is not None and delivery.attempt == 1:
            log.warning("message %d goes to handle_unknown: %s", event.id, event.problem)
        token = EVENT.set(event)
        failure: BaseException | None = None
        try:
            if event.is_probe:
                fitting: list[Handler] = []
            else:
                fitting = self._table[event.kind if event.problem is None else UNFIT]
            value = event.body if event.problem is None else event.raw
            for key, handlers, argument in ((BODY, self._table[BODY], event.text), (event.kind, fitting, value)):
                for position, handler in enumerate(handlers):
                    if (key, position) in delivery.finished:
                        continue
                    try:
                        handler(argument)
                    except BaseException as error:  # noqa: BLE001  # a SystemExit in a handler must not end a worker
                        failure = error
                        values = name_of(handler), event.kind or "a message", event.id, delivery.attempt
                        log.failure(logging.WARNING, error, "%s failed on %s %d, attempt %d", *values)
                    else:
                        delivery.finished.add((key, position))
        finally:
            EVENT.reset(token)
        return failure


def _check(handler: Handler) -> None:
    """Refuse a function that cannot be called with a message, before the first message comes."""
    name = name_of(handler)
    if inspect.iscoroutinefunction(handler):
        raise InvalidArgumentError.of(
            "handler", name, "it must be a plain function: handlers run on threads, not on an event loop"
        )
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):  # some functions in C have none; or it cannot be called
        if callable(handler):
            return
        raise InvalidArgumentError.of("handler", name, "it must be a function") from None
    try:
        signature.bind(None)
    except TypeError:
        rule = f"it must take the message as its only argument; it takes {signature}"
        raise InvalidArgumentError.of("handler", name, rule) from None
