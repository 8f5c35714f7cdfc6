"""The requests to the writing thread of the durable inbox."""

from __future__ import annotations

from concurrent.futures import Future

import attrs

from iot_northbound.push.duplicates import Trace
from iot_northbound.push.parse import Message


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


Work = Put | Repetition | Done | Bury | Revive


def parts_of(batch: list[Work]) -> list[list[Work]]:
    """Split a batch: the new messages together, and each other request by itself."""
    new: list[Work] = [work for work in batch if isinstance(work, Put | Repetition)]
    others: list[list[Work]] = [[work] for work in batch if not isinstance(work, Put | Repetition)]
    return [new, *others] if new else others
