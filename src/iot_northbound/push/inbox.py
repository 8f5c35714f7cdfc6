"""What stands between the answer and the handler: the protocol, and what its implementations share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

import attrs

from iot_northbound.push import arguments
from iot_northbound.push.duplicates import Seen
from iot_northbound.push.parse import Message

Deliver = Callable[[int, str], None]
"""Told of each message once it is safe: its id and what it keeps its order by. Must not block."""


class InboxError(Exception):
    """The inbox cannot take a message now; the platform is told to come back (503)."""


class InboxFullError(InboxError):
    """One of the inbox's limits is reached."""


class InboxInUseError(InboxError):
    """Another process, or another receiver of this one, works on the same inbox."""


class MessageGoneError(InboxError):
    """A message is no longer there: a handler of an earlier start finished it meanwhile."""


@attrs.frozen
class InboxLimits:
    """When an inbox is full; a full one refuses (503), so that the platform keeps the message.

    Attributes:
        messages: messages kept at most, dead letters among them.
        size: bytes of bodies kept at most, dead letters among them.
        age: seconds the oldest waiting message may have waited before no new one is taken; None for no such limit.
    """

    messages: int = 200_000
    size: int = 1 << 30
    age: float | None = None

    def __attrs_post_init__(self) -> None:
        arguments.whole("InboxLimits.messages", self.messages)
        arguments.whole("InboxLimits.size", self.size)
        if self.age is not None:
            arguments.seconds("InboxLimits.age", self.age)


@attrs.frozen
class InboxStats:
    """An inbox at one moment.

    Attributes:
        waiting: messages not handled yet, those being handled or retried among them.
        dead: dead letters.
        size: bytes of all their bodies.
        oldest: seconds since the epoch at which the oldest waiting message came; None where none waits.
    """

    waiting: int
    dead: int
    size: int
    oldest: float | None


@attrs.frozen
class DeadLetter:
    """A message set aside, since handling it failed too often."""

    id: int
    kind: str
    device: str
    received_at: datetime
    attempts: int
    error: str
    text: str = attrs.field(repr=False)
    """The body as it came."""


class Inbox(Protocol):
    """Keeps messages between answer and handler. All methods may be called from any thread."""

    durable: bool
    """Whether what it took outlives the process."""

    def start(self, deliver: Deliver) -> None:
        """Open, and tell of every waiting message in order of arrival, then of each new one once it is safe.

        Raises:
            InboxInUseError: somebody else works on it.
        """
        ...

    def put(self, message: Message) -> Future[bool]:
        """Take a message; the future is done when it is safe: True when it is new, False for a repetition.

        The future fails with an InboxError when the message could not be kept.

        Raises:
            InboxFullError: a limit is reached; the text says which.
        """
        ...

    def refused_another(self) -> None:
        """Take note that a message came and was refused before anybody knew whose it is.

        Until then a message may have counted as a repetition because nothing else of its device came between.
        """
        ...

    def get(self, message_id: int) -> Message:
        """Return a waiting message.

        Raises:
            MessageGoneError: it is not there any more.
            NotAMessageError: it is there, and cannot be read.
        """
        ...

    def done(self, message_id: int) -> None:
        """Let go of a message that was handled, if it is there. May be carried out a moment later."""
        ...

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Set a waiting message aside as a dead letter, if it is there."""
        ...

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        ...

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Make dead letters wait again, all or those named, and tell of them; return how many."""
        ...

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters for good; return how many."""
        ...

    def stats(self) -> InboxStats:
        """Return how full it is."""
        ...

    def stop(self) -> None:
        """Carry out what is still to be written, and close. Harmless when not started."""
        ...


class Ledger:
    """What a full inbox, its age and its repetitions are judged by; guarded by its inbox's lock."""

    def __init__(self, limits: InboxLimits, seen: Seen) -> None:
        self.limits, self.seen = limits, seen
        # Ordered, as its first entry is asked for while most are taken from the front: slow in a plain dict.
        self.waiting: OrderedDict[int, tuple[float, int]] = OrderedDict()
        self.dead: dict[int, int] = {}
        self.size = 0

    def repeated(self, message: Message, size: int) -> bool:
        """Return whether a message is a repetition, else make sure that there is room for it.

        Raises:
            InboxFullError: one more message of `size` bytes is too much.
        """
        if self.seen.knows(message):
            return True
        try:
            self._check(size, message.received_at)
        except InboxFullError:
            self.seen.interrupt(message)
            raise
        return False

    def _check(self, size: int, now: float) -> None:
        limits = self.limits
        count = len(self.waiting) + len(self.dead)
        if count >= limits.messages:
            raise InboxFullError(f"the inbox holds {count} messages, its limit")
        if self.size + size > limits.size:
            raise InboxFullError(f"the inbox holds {self.size} bytes, and its limit is {limits.size}")
        oldest = self.oldest() if limits.age is not None else None
        if limits.age is not None and oldest is not None and now - oldest > limits.age:
            raise InboxFullError(f"the oldest message has waited {now - oldest:.0f} s, and the limit is {limits.age} s")

    def add(self, message_id: int, received_at: float, size: int) -> None:
        """Count a waiting message."""
        self.waiting[message_id] = (received_at, size)
        self.size += size

    def remove(self, message_id: int) -> bool:
        """Count a waiting message out; return whether it was there."""
        found = self.waiting.pop(message_id, None)
        if found is not None:
            self.size -= found[1]
        return found is not None

    def bury(self, message_id: int) -> bool:
        """Count a waiting message as a dead letter; return whether it was there."""
        found = self.waiting.pop(message_id, None)
        if found is not None:
            self.dead[message_id] = found[1]
        return found is not None

    def revive(self, message_id: int, new_id: int, now: float) -> None:
        """Count a dead letter as waiting from now on, under a new id at the end."""
        size = self.dead.pop(message_id)
        self.size -= size
        self.add(new_id, now, size)

    def discard(self, message_id: int) -> None:
        """Count a dead letter out."""
        self.size -= self.dead.pop(message_id)

    def oldest(self) -> float | None:
        """Return when the oldest waiting message came."""
        return next(iter(self.waiting.values()))[0] if self.waiting else None

    def stats(self) -> InboxStats:
        """Return the figures."""
        return InboxStats(len(self.waiting), len(self.dead), self.size, self.oldest())
