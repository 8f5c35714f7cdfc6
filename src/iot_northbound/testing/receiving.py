"""A receiver for the pushes of a test."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import Event, HandlerRetry, MemoryInbox, PushMessageReceiver
from iot_northbound.push.events import KIND_OF, KINDS

if TYPE_CHECKING:
    from iot_northbound.client import NorthApiClient
    from iot_northbound.emulator import Emulator
    from iot_northbound.services.subscribing import SubscriptionChanges
    from iot_northbound.testing.platform import IotPlatform

_CONTEXTS: WeakKeyDictionary[Emulator, ssl.SSLContext] = WeakKeyDictionary()
_LOOK = 0.002
"""Seconds between two looks at the receiver's inbox."""


class PushReceiver:
    """Receives pushes over HTTPS, and keeps them in the order in which they were handled.

    Any thread may call its methods; a coroutine does it by ``await asyncio.to_thread(receiver.wait_for, kind)``.

    Args:
        platform: The platform of the test.
    """

    def __init__(self, platform: IotPlatform) -> None:
        self._platform = platform
        self._events: list[Event] = []
        self._taken: set[int] = set()
        self._changed = threading.Condition()
        # One thread keeps the order in which pushes came, and a failed handler is a dead letter at once.
        self.receiver = PushMessageReceiver(MemoryInbox(), threads=1, retry=HandlerRetry(attempts=1))
        """The receiver itself. Functions that are registered with ``receiver.on`` are called too."""
        self.receiver.on_body(self._keep)
        self._server = self.receiver.server("127.0.0.1", 0, ssl=_context(platform), drain=5)

    @property
    def url(self) -> str:
        """The callback URL to subscribe with, and for commands."""
        return self._server.url

    @property
    def command_url(self) -> str:
        """The callback URL of a command (`callback_url`)."""
        return f"{self.url}/cmd"

    @property
    def events(self) -> list[Event]:
        """Everything that has come so far."""
        with self._changed:
            return list(self._events)

    def subscribe(self, client: NorthApiClient, *kinds: str | type[Any]) -> SubscriptionChanges:
        """Make the application's subscriptions those of these kinds, pushed to this receiver."""
        return client.subscription_management.ensure(self.url, [_kind(kind) for kind in kinds])

    def wait_for(
        self, kind: str | type[Any], timeout: float = 10.0, *, where: Callable[[Event], bool] | None = None
    ) -> Event:
        """Return the first push of a kind that no call has returned yet; wait for it if it has not come.

        Args:
            kind: A notifyType, ``commandStatusChanged``, or a DTO class.
            timeout: Seconds to wait.
            where: Which pushes of this kind; all by default.

        Raises:
            TimeoutError: It did not come; the text says what came.
            InvalidArgumentError: There is no such kind (1007).
        """
        wanted, found = _kind(kind), list[Event]()

        def came() -> bool:
            for place, event in enumerate(self._events):
                if place not in self._taken and event.kind == wanted and (where is None or where(event)):
                    self._taken.add(place)
                    found.append(event)
                    return True
            return False

        with self._changed:
            if not self._changed.wait_for(came, timeout):
                came_ = ", ".join(event.kind or "a message of no kind" for event in self._events) or "nothing"
                raise TimeoutError(f"no {wanted} came within {timeout:g} s that was not returned before; came: {came_}")
        return found[0]

    def wait_idle(self, timeout: float = 10.0) -> list[Event]:
        """Wait until the platform has no push to send and all that came is handled; return everything that has come.

        Raises:
            TimeoutError: There was still something to do.
        """
        ends = time.monotonic() + timeout
        self._platform.wait_idle(timeout)
        while waiting := self.receiver.metrics().depth:
            if time.monotonic() >= ends:
                raise TimeoutError(f"after {timeout:g} s handlers have not finished {waiting} message(s)")
            time.sleep(_LOOK)
        return self.events

    def _keep(self, _: str) -> None:
        with self._changed:
            self._events.append(self.receiver.event)
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


def _context(platform: IotPlatform) -> ssl.SSLContext:
    """Return the TLS context of the receivers of all tests: making one takes as long as the rest of a receiver."""
    context = _CONTEXTS.get(platform.emulator)
    if context is None:
        context = _CONTEXTS[platform.emulator] = platform.server_context(ask=True)
    return context


def _kind(kind: str | type[Any]) -> str:
    name = kind if isinstance(kind, str) else KIND_OF.get(kind, kind.__name__)
    if name not in KINDS:
        raise InvalidArgumentError.of("kind", repr(name), f"no push is of this kind{did_you_mean(name, list(KINDS))}")
    return name
