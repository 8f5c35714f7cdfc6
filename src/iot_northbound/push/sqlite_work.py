"""What the durable inbox's writing thread is asked for."""

from __future__ import annotations

from concurrent.futures import Future

import attrs

from iot_northbound.push.duplicates import Trace
from iot_northbound.push.parse import Message


@attrs.frozen(eq=False)
class Put:
    """Keep a new message."""

    id: int
    message: Message
    body: bytes
    trace: Trace | None
    future: Future[bool]


@attrs.frozen(eq=False)
class Repetition:
    """Waits for the transaction that holds the original, or for a later one."""

    identity: bytes
    trace: Trace | None
    future: Future[bool]


@attrs.frozen(eq=False)
class Done:
    """Delete a message that was handled."""

    id: int


@attrs.frozen(eq=False)
class Bury:
    """Make a message a dead letter."""

    id: int
    attempts: int
    error: str


@attrs.frozen(eq=False)
class Revive:
    """Makes dead letters wait again, or deletes them; `ids` None stands for all."""

    ids: list[int] | None
    delete: bool
    future: Future[int]
    moved: list[tuple[int, int, str]] = attrs.field(factory=list)
    """Filled by the transaction: old id, new id, device."""


Work = Put | Repetition | Done | Bury | Revive


def parts_of(batch: list[Work]) -> list[list[Work]]:
    """Return the new messages of a batch together, and each other work by itself."""
    new: list[Work] = [work for work in batch if isinstance(work, Put | Repetition)]
    others: list[list[Work]] = [[work] for work in batch if not isinstance(work, Put | Repetition)]
    return [new, *others] if new else others
