"""What a device has to send, and when it tries to connect. No input or output, so that every order can be tested."""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import attrs

from iot_northbound.device.failures import QueueError, ReportDroppedError
from iot_northbound.device.pending import Pending
from iot_northbound.device.queue import Message, Queue
from iot_northbound.errors import NorthApiException, SdkCode

log = logging.getLogger("iot_northbound.device")

WINDOW = 20
"""QoS 1 messages that may be under way at the same time."""


class DeviceState(StrEnum):
    """Where a device is."""

    IDLE = "idle"
    """It was not started."""
    CONNECTING = "connecting"
    CONNECTED = "connected"
    """It is logged in and hears its commands."""
    WAITING = "waiting"
    """The connection failed or ended; the next attempt comes later."""
    REFUSED = "refused"
    """The platform refused its credentials. It does not try again."""
    CLOSED = "closed"


@attrs.frozen
class Backoff:
    """How long to wait before the next attempt: a random time up to a limit that doubles with each failure.

    Attributes:
        first: the limit after the first failure, in seconds.
        longest: the limit that it never exceeds.
        healthy: a connection that lived this long makes the limit begin anew.
        random: returns a number from 0 up to 1.
    """

    first: float = 1.0
    longest: float = 60.0
    healthy: float = 60.0
    random: Callable[[], float] = random.random

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after the first failure (0), the second (1), and so on."""
        return float(min(self.longest, self.first * 2.0 ** min(failures, 32)) * self.random())


@attrs.define(eq=False)
class Item:
    """A message that waits or is under way."""

    message: Message
    pending: Pending[None]
    seq: int | None = None
    """Its number in the queue; None if it is not queued but only sent, as answers are."""
    sent_at: float = 0.0
    """When it was sent, in the seconds of a monotonic clock."""


class Outbox:
    """What a device has to send: answers first, then what is queued, in order; and what waits for its PUBACK.

    Any thread may add. One thread, that of the network, takes.
    """

    def __init__(self, queue: Queue, device_id: str, window: int = WINDOW, *, hold: bool = False) -> None:
        self._queue = queue
        self._hold = self.held = hold
        """Whether what is queued waits after each connect, and whether it waits now."""
        self._window = window
        self._adding = threading.Lock()
        """Held while the queue writes, so that its order is the order of sending."""
        self._lock = threading.Lock()
        self._waiting: deque[Item] = deque()
        self._urgent: deque[Item] = deque()
        self._flying: dict[int, Item] = {}
        self._gone: list[int] = []
        self._end: NorthApiException | None = None
        self.dropped = 0
        for seq, message in queue.open(device_id):
            self._waiting.append(Item(message, Pending("the PUBACK of a report"), seq))

    def __len__(self) -> int:
        """Return how many messages are not yet confirmed."""
        with self._lock:
            return len(self._waiting) + len(self._urgent) + len(self._flying)

    def add(self, message: Message) -> tuple[Pending[None], list[Item]]:
        """Queue a message; return its pending result, and what was dropped for it.

        Raises:
            NorthApiException: the queue cannot take it, or `end` was called with this error.
        """
        item = Item(message, Pending("the PUBACK of a report"))
        with self._adding:
            if self._end is not None:
                raise self._end.with_traceback(None)
            with self._lock:
                over = len(self._waiting) + 1 - self._queue.limit
                old = [self._waiting.popleft() for _ in range(min(over, len(self._waiting)))]
            try:
                item.seq = self._queue.add(message, [each.seq for each in old if each.seq is not None])
            except BaseException:
                with self._lock:
                    self._waiting.extendleft(reversed(old))
                raise
            with self._lock:
                self._waiting.append(item)
            self.dropped += len(old)
        for each in old:
            each.pending.fail(
                ReportDroppedError(
                    SdkCode.QUEUE,
                    f"the queue was full ({self._queue.limit} messages), and this one was the oldest: it was not sent",
                )
            )
        return item.pending, old

    def add_urgent(self, message: Message) -> Pending[None]:
        """Add a message that is sent before what is queued, and that the queue does not keep."""
        item = Item(message, Pending("the PUBACK of an answer"))
        with self._lock:
            if (end := self._end) is None:
                self._urgent.append(item)
        if end is not None:
            item.pending.fail(end)
        return item.pending

    @property
    def oldest(self) -> float | None:
        """When the message was sent that is under way the longest; None if none is."""
        with self._lock:
            return next((each.sent_at for each in self._flying.values()), None)

    def next(self) -> Item | None:
        """Return what to send now; None if nothing waits, or it has to wait, or too much is under way."""
        with self._lock:
            if len(self._flying) >= self._window:
                return None
            if self._urgent:
                return self._urgent.popleft()
            return self._waiting.popleft() if self._waiting and not self.held else None

    def sent(self, mid: int, item: Item, now: float) -> None:
        """Note that a message is under way with this packet id, since now."""
        item.sent_at = now
        with self._lock:
            if (end := self._end) is None:
                self._flying[mid] = item
        if end is not None:  # it came while this message was neither waiting nor under way
            item.pending.fail(end)

    def confirmed(self, mid: int) -> Item | None:
        """Note that a message has arrived, and finish its pending result."""
        with self._lock:
            item = self._flying.pop(mid, None)
            if item is not None and item.seq is not None:
                self._gone.append(item.seq)
        if item is not None:
            item.pending.succeed(None)
        return item

    def lost(self) -> None:
        """Put what is under way back in front, in its order, because the connection ended."""
        with self._lock:
            self.held = self._hold
            flying = list(self._flying.values())
            self._flying.clear()
            self._waiting.extendleft(reversed([each for each in flying if each.seq is not None]))
            self._urgent.extendleft(reversed([each for each in flying if each.seq is None]))

    def tidy(self) -> None:
        """Remove from the queue what has arrived. If it cannot be written, the next call tries again."""
        with self._lock:
            gone = self._gone[:]
        if not gone:
            return
        try:
            self._queue.remove(gone)
        except QueueError as error:
            log.warning("%s; what it contains may be sent a second time", error.error_desc)
        else:
            with self._lock:
                del self._gone[: len(gone)]

    def end(self, error: NorthApiException) -> None:
        """Take nothing more; what is not confirmed fails with this error. The queue keeps it."""
        with self._adding, self._lock:
            self._end = self._end or error
            left = [*self._flying.values(), *self._urgent, *self._waiting]
            self._flying.clear()
            self._urgent.clear()
            self._waiting.clear()
        for each in left:
            each.pending.fail(error)

    def close(self) -> None:
        """Close the queue, after `end`."""
        with self._adding:
            self.tidy()
            self._queue.close()
