"""Message -> the DTO its handlers get, and the event around it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from iot_northbound.core import wire
from iot_northbound.core.fields import JsonObject
from iot_northbound.dto import NOTIFICATIONS, NotifyNBCCommandStatusChangedDTO
from iot_northbound.push.parse import COMMAND_STATUS, PROBE, UNKNOWN, Message

KINDS: Mapping[str, type[Any]] = {**NOTIFICATIONS, COMMAND_STATUS: NotifyNBCCommandStatusChangedDTO}
"""The class of each kind: the ``notifyType``, and `COMMAND_STATUS`."""

KIND_OF = {cls: kind for kind, cls in KINDS.items()}


@attrs.frozen(eq=False)
class Event:
    """The message that a handler is called for.

    Attributes:
        id: its number in the inbox; the same if it is handled again after a crash.
        kind: its ``notifyType``, ``commandStatusChanged``, or ``push success.`` for a test of the callback URL; empty
            if the message does not say it.
        body: its DTO; None if it fits no kind, and for a test of the callback URL.
        raw: its parsed JSON, including the fields that no DTO knows. A number that is too large for a float is infinite
            here; `text` has its digits.
        text: its body as it came.
        device: the key of its order, usually the device's id: messages with the same key are handled in order.
        received_at: when it came, UTC.
        attempt: 1 for the first call of the handlers, 2 for the second …
        shard: which part of a shared inbox it was in; 0 in an inbox of one process.
        fence: a number that grows each time another process takes over this part of the inbox; 0 in an inbox of one
            process. A handler that was frozen longer than its lease may still run while the next owner has begun.
            If that matters, write the fence beside your data, and refuse a smaller one of the same shard.
        problem: why it fits no kind; None if it fits one.
    """

    id: int
    kind: str
    body: Any
    raw: JsonObject = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    device: str
    received_at: datetime
    attempt: int
    problem: str | None = None
    shard: int = 0
    fence: int = 0

    @property
    def is_probe(self) -> bool:
        """Whether it is not a message, but the plain text with which some platforms test a callback URL."""
        return self.kind == PROBE

    @classmethod
    def of(cls, message: Message, message_id: int, attempt: int) -> Event:
        """Return the event of a message. It never fails: the event of an unreadable message has a `problem`."""
        body, problem = _read(message)
        received_at = datetime.fromtimestamp(message.received_at, UTC)
        return cls(
            message_id,
            message.kind,
            body,
            message.raw,
            message.text,
            message.device,
            received_at,
            attempt,
            problem,
            message.shard,
            message.fence,
        )


def _read(message: Message) -> tuple[Any, str | None]:
    cls = KINDS.get(message.kind)
    if message.kind == PROBE:
        return None, None
    if cls is None:
        if message.kind == UNKNOWN:
            return None, "it has neither a notifyType nor a commandId"
        return None, f"the reference does not know its notifyType {message.kind!r}"
    try:
        body = wire.structure(message.raw, cls)
    except wire.ShapeError as error:
        return None, f"it is not a {cls.__name__}: {error}"
    # A handler can still reach a field that does not fit. But a message without the part it is about is useless.
    lost = wire.lost_part(body)
    return (body, None) if lost is None else (None, f"it is not a {cls.__name__}: {lost}")
