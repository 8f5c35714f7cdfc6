"""Where messages wait until the platform has confirmed them: in memory, or (`queue_sqlite`) in a file."""

from collections.abc import Sequence
from itertools import count
from typing import Protocol

import attrs

from iot_northbound.errors import InvalidArgumentError


@attrs.frozen
class Message:
    """A message as it is published."""

    topic: str
    payload: bytes
    qos: int = 1


class Queue(Protocol):
    """What keeps messages. `add` and `remove` are called on different threads, each never twice at a time."""

    limit: int
    """How many messages may wait. If there are more, the oldest is dropped."""

    def open(self, device_id: str) -> list[tuple[int, Message]]:
        """Return what an earlier run has left, oldest first, with the number of each message.

        Raises:
            QueueError: the queue cannot be used, or belongs to another device.
        """
        ...

    def add(self, message: Message, instead_of: Sequence[int] = ()) -> int:
        """Keep a message, drop those with the given numbers, and return the number of the new one.

        Raises:
            QueueError: it cannot be kept; nothing was changed.
        """
        ...

    def remove(self, seqs: Sequence[int]) -> None:
        """Forget the messages with these numbers.

        Raises:
            QueueError: the queue cannot be written.
        """
        ...

    def close(self) -> None:
        """Release what the queue holds; called once."""
        ...


class MemoryQueue:
    """Messages wait in memory. What is not confirmed when the client is closed is lost.

    Args:
        limit: how many messages may wait. If there are more, the oldest is dropped.
    """

    def __init__(self, limit: int = 1_000) -> None:
        self.limit = checked_limit("MemoryQueue.limit", limit)
        self._seqs = count(1)

    def open(self, device_id: str) -> list[tuple[int, Message]]:
        """Return nothing: there is no earlier run."""
        return []

    def add(self, message: Message, instead_of: Sequence[int] = ()) -> int:
        """Return a number; the client has the message."""
        return next(self._seqs)

    def remove(self, seqs: Sequence[int]) -> None:
        """Do nothing: the client has the messages."""

    def close(self) -> None:
        """Do nothing."""


def checked_limit(name: str, limit: int) -> int:
    """Return the limit of a queue.

    Raises:
        InvalidArgumentError: it is not a whole number from 1 (1007).
    """
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise InvalidArgumentError.of(name, repr(limit)[:80], "it must be a whole number from 1")
    return limit
