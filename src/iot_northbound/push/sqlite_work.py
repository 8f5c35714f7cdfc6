"""The requests to the writing thread of the durable inbox, and its memory of new messages."""

from __future__ import annotations

from concurrent.futures import Future

import attrs

from iot_northbound.push.duplicates import Trace
from iot_northbound.push.parse import Message
from iot_northbound.push.sqlite_file import Left

_FRESH_MESSAGES = 5_000
_FRESH_CHARACTERS = 16 * 1024 * 1024
"""The limits of `Fresh`."""


@attrs.frozen(eq=False)
class Put:
    """Store a new message."""

    id: int
    message: Message
    body: bytes
    trace: Trace | None
    future: Future[bool]


@attrs.frozen(eq=False)
class Repetition:
    """Wait for the transaction that has the original message, or for a later one."""

    identity: bytes
    trace: Trace | None
    future: Future[bool]


@attrs.frozen(eq=False)
class Done:
    """Delete a message that was handled."""

    id: int


@attrs.frozen(eq=False)
class Bury:
    """Turn a message into a dead letter."""

    id: int
    attempts: int
    error: str


@attrs.frozen(eq=False)
class Revive:
    """Make dead letters wait again, or delete them; `ids` None means all."""

    ids: list[int] | None
    delete: bool
    future: Future[int]
    moved: list[tuple[int, int, str]] = attrs.field(factory=list)
    """The transaction adds: old id, new id, device."""


@attrs.frozen(eq=False)
class Begin:
    """Note that the handlers of a message begin, and for which time; the last process may have ended because of it."""

    id: int
    times: int
    future: Future[None]


@attrs.define(eq=False)
class Bring:
    """Take over messages that another process left in its file, and the traces of them and of earlier ones."""

    rows: list[Left]
    traces: list[Trace]
    future: Future[None]
    brought: list[tuple[int, Left]] = attrs.field(factory=list)
    """The transaction adds: the rows with their new ids."""


Work = Put | Repetition | Done | Bury | Revive | Begin | Bring


class Fresh:
    """New messages, kept in memory up to some limits, so that they need not be read from the file.

    Its user's lock guards it.
    """

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}
        self._characters = 0

    def add(self, message_id: int, message: Message) -> None:
        """Keep a message if there is room."""
        size = len(message.text)
        if len(self._messages) < _FRESH_MESSAGES and self._characters + size < _FRESH_CHARACTERS:
            self._messages[message_id] = message
            self._characters += size

    def pop(self, message_id: int) -> Message | None:
        """Return a message and keep it no longer; None if it is not here."""
        message = self._messages.pop(message_id, None)
        if message is not None:
            self._characters -= len(message.text)
        return message


def parts_of(batch: list[Work]) -> list[list[Work]]:
    """Split a batch: the new messages together, and each other request by itself."""
    new: list[Work] = [work for work in batch if isinstance(work, Put | Repetition)]
    others: list[list[Work]] = [[work] for work in batch if not isinstance(work, Put | Repetition)]
    return [new, *others] if new else others
