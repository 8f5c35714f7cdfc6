"""The inbox between the answer and the handler: its protocol, and what the implementations share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, Protocol, cast, runtime_checkable

import attrs

from iot_northbound.push import arguments
from iot_northbound.push.duplicates import Seen
from iot_northbound.push.parse import Message

Deliver = Callable[[int, str], None]
"""Called for each message once it is safe, with its id and the key of its order. Must not block."""


UNDELIVERED = 1_000
"""How many messages that are neither done nor buried a leased inbox delivers at most; the rest stays in the engine."""


class InboxError(Exception):
    """The inbox cannot accept a message now; the answer is 503, so that the platform sends it again."""


class InboxFullError(InboxError):
    """The inbox has reached one of its limits."""


class InboxInUseError(InboxError):
    """Another process, or another receiver in this process, uses the same inbox."""


class InboxConfigError(InboxError):
    """The inbox cannot be used as it is set up; the text says what to change. Waiting does not help."""


class MessageGoneError(InboxError):
    """A message is no longer this process's: an earlier handler has finished it, or another process has its device."""


@attrs.frozen
class InboxLimits:
    """When an inbox is full. A full inbox refuses messages (503), so that the platform keeps them.

    Attributes:
        messages: how many messages are kept at most, including dead letters.
        size: how many bytes of bodies are kept at most, including dead letters.
        age: no new message is accepted if the oldest one has waited longer, in seconds; None for no such limit.
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
        waiting: messages that are not handled yet, including those that are being handled or retried.
        dead: dead letters.
        size: bytes of all their bodies.
        oldest: when the oldest waiting message came, in seconds since the epoch; None if no message waits.
    """

    waiting: int
    dead: int
    size: int
    oldest: float | None


@attrs.frozen
class DeadLetter:
    """A message that was set aside because its handlers failed too often."""

    id: int
    kind: str
    device: str
    received_at: datetime
    attempts: int
    error: str
    text: str = attrs.field(repr=False)
    """The body as it came."""


def letter_of(row: Sequence[Any]) -> DeadLetter:
    """Return a dead letter from what a store has: id, kind, device, received_at, attempts, error, body.

    Other programs may have written anything there. The letter is listed all the same, or nobody could delete it. What
    is no time becomes the beginning of 1970.
    """
    number, kind, device, at, attempts, error, body = row
    try:
        received_at = datetime.fromtimestamp(at, UTC)
    except (TypeError, ValueError, ArithmeticError, OSError):
        received_at = datetime.fromtimestamp(0, UTC)
    return DeadLetter(number, _text(kind), _text(device), received_at, attempts, _text(error), _text(body))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Inbox(Protocol):
    """Keeps messages between the answer and the handler. All methods may be called from any thread."""

    durable: bool
    """Whether its messages survive the end of the process."""

    def start(self, deliver: Deliver) -> None:
        """Open, and call `deliver` for every waiting message in order of arrival, then for each new one once safe.

        Raises:
            InboxInUseError: another receiver uses it.
        """
        ...

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done when it is safe: True if it is new, False if it is a repetition.

        The future fails with an InboxError if the message cannot be stored.

        Raises:
            InboxFullError: the inbox has reached a limit; the message says which.
        """
        ...

    def refused_another(self) -> None:
        """Take note that a message came and was refused before its device was known.

        Until then a message may have counted as a repetition because nothing else of its device came between.
        """
        ...

    def get(self, message_id: int) -> Message:
        """Return a waiting message.

        Raises:
            MessageGoneError: it is no longer there.
            NotAMessageError: it is there, but cannot be read.
        """
        ...

    def done(self, message_id: int) -> None:
        """Delete a message that was handled, if it is there. This may happen a moment later."""
        ...

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Set a waiting message aside as a dead letter, if it is there."""
        ...

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        ...

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Make dead letters wait again (all, or those with these ids), and deliver them; return how many."""
        ...

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters; return how many."""
        ...

    def stats(self) -> InboxStats:
        """Return how full it is."""
        ...

    def stop(self) -> None:
        """Write everything that is still to be written, and close. Does nothing if it was not started."""
        ...


class Sink(Protocol):
    """Takes messages to be answered; an `Inbox` is one too. A sink that is not an inbox hands them to another program.

    It opens at the first `put`, in each process by itself. All methods may be called from any thread.
    """

    durable: bool
    """Whether its messages survive the end of the process."""

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done when it is safe: True if it is new, False if it is a repetition.

        The future fails with an InboxError if the message cannot be stored.

        Raises:
            InboxFullError: there is no room; the message says why.
        """
        ...

    def stats(self) -> InboxStats:
        """Return how full it is."""
        ...

    def stop(self) -> None:
        """Finish what was put, and close. Does nothing if it is not open."""
        ...


def as_inbox(sink: Sink | None) -> Inbox | None:
    """Return it as an inbox, or None if it is none: then messages go on to another program, and no handler runs."""
    return cast("Inbox", sink) if hasattr(sink, "get") else None


@runtime_checkable
class Leased(Protocol):
    """What an `Inbox` of several processes has besides: each process handles the devices that it has a lease for.

    - It delivers only messages of devices that it has a lease for, and at most `UNDELIVERED` that are not done yet.
    - `get` raises MessageGoneError for a message whose device was withdrawn, and `done` and `bury` of it do nothing.
    - `get` returns messages with their `shard` and `fence`, and with `begun` if an earlier owner ended without a word.
    - The receiver withdraws everything itself before it calls `stop`; `stop` releases the leases.
    """

    def start(self, deliver: Deliver | None) -> None:
        """Open. Without `deliver`, only messages are put: it takes no lease."""
        ...

    def on_withdraw(self, tell: Callable[[Callable[[str], bool]], int]) -> None:
        """Note the function that says which devices are no longer this process's; called before `start`.

        Call `tell` with a test of devices. It returns how many of them a handler still has: ask again until it is 0
        before you release their lease. The test must be quick, and must not take a lock.
        """
        ...


class Ledger:
    """How full an inbox is, how old its messages are, and which are repetitions; guarded by the inbox's lock."""

    def __init__(self, limits: InboxLimits, seen: Seen) -> None:
        self.limits, self.seen = limits, seen
        # Ordered: entries are removed mostly from the front, which makes the first entry of a plain dict slow to find.
        self.waiting: OrderedDict[int, tuple[float, int]] = OrderedDict()
        self.dead: dict[int, int] = {}
        self.size = 0

    def repeated(self, message: Message, size: int) -> bool:
        """Return whether a message is a repetition. If it is not, check that there is room for it.

        Raises:
            InboxFullError: there is no room for another message of `size` bytes.
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
            raise InboxFullError(f"the inbox has {count} messages, which is its limit")
        if self.size + size > limits.size:
            raise InboxFullError(f"the inbox has {self.size} bytes, and its limit is {limits.size}")
        oldest = self.oldest() if limits.age is not None else None
        if limits.age is not None and oldest is not None and now - oldest > limits.age:
            raise InboxFullError(f"the oldest message has waited {now - oldest:.0f} s, and the limit is {limits.age} s")

    def add(self, message_id: int, received_at: float, size: int) -> None:
        """Count a waiting message."""
        self.waiting[message_id] = (received_at, size)
        self.size += size

    def remove(self, message_id: int) -> bool:
        """Stop counting a waiting message; return whether it was there."""
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
        """Count a dead letter as waiting from now on, with a new id at the end."""
        size = self.dead.pop(message_id)
        self.size -= size
        self.add(new_id, now, size)

    def discard(self, message_id: int) -> None:
        """Stop counting a dead letter."""
        self.size -= self.dead.pop(message_id)

    def oldest(self) -> float | None:
        """Return when the oldest waiting message came."""
        return next(iter(self.waiting.values()))[0] if self.waiting else None

    def stats(self) -> InboxStats:
        """Return the figures."""
        return InboxStats(len(self.waiting), len(self.dead), self.size, self.oldest())
