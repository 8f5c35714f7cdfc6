"""Which messages were there already."""

from __future__ import annotations

from collections import OrderedDict

import attrs

from iot_northbound.push.parse import Message


@attrs.frozen
class Duplicates:
    """How far back repetitions are recognised.

    Attributes:
        window: seconds that a message is remembered; the platform repeats a failed push within minutes.
        remembered: messages remembered at most, about 200 bytes of memory each.
    """

    window: float = 3_600.0
    remembered: int = 200_000


class Seen:
    """The messages of the window; not thread-safe by itself."""

    def __init__(self, rule: Duplicates | None) -> None:
        self._rule = rule
        self._slots: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    def knows(self, message: Message) -> bool:
        """Tell whether the message is a repetition."""
        if self._rule is None or message.slot is None:
            return False
        known = self._slots.get(message.slot)
        if known is None or known[0] != message.identity:
            return False
        return message.received_at - known[1] <= self._rule.window

    def remember(self, slot: bytes, identity: bytes, at: float) -> bool:
        """Remember a message; return whether it makes sense to keep that (False when recognition is off)."""
        if self._rule is None:
            return False
        self._slots[slot] = (identity, at)
        self._slots.move_to_end(slot)
        oldest = at - self._rule.window
        while self._slots:
            first = next(iter(self._slots))
            if len(self._slots) <= self._rule.remembered and self._slots[first][1] >= oldest:
                break
            del self._slots[first]
        return True

    def forget(self, slot: bytes, identity: bytes) -> None:
        """Forget a message that could not be kept, so that its repetition counts as new."""
        if self._slots.get(slot, (None,))[0] == identity:
            del self._slots[slot]
