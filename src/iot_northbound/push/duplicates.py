"""Which messages were there already."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import attrs

from iot_northbound.push.parse import Message
from iot_northbound.push.recognition import Repeats

_K = TypeVar("_K")

_JITTER = 0.25
"""Seconds that a message may be older than one before it, as threads overtake each other. More is a clock set back."""


@attrs.frozen
class Duplicates:
    """How far back repetitions are recognised.

    Attributes:
        window: seconds that a message is remembered; the platform repeats a failed push within minutes.
        remembered: messages remembered at most, about 300 bytes of memory each.
    """

    window: float = 3_600.0
    remembered: int = 200_000


@attrs.frozen
class Trace:
    """What is remembered of a message.

    Attributes:
        device: what the message keeps its order by.
        identity: stands for its body.
        at: when it came, seconds since the epoch.
        era: how often the clock had been set back until then.
        again: whether the same body is looked for from now on, and not just next.
    """

    device: str
    identity: bytes
    at: float
    era: int
    again: bool


class Seen:
    """The messages of the window; not thread-safe by itself.

    A body is dropped as a repetition if the same body was kept within the window, no clock was set back since, and

    - the body says when it happened, to the millisecond or beside a request's id; or
    - it says so to the second, and came later than a second event of that second would; or
    - it says what is the case now, and no other message of its device came since.

    In every other case it counts as new: a message handled twice does less harm than one never handled.
    """

    def __init__(self, rule: Duplicates | None) -> None:
        self._rule = rule
        self._bodies: OrderedDict[bytes, Trace] = OrderedDict()
        self._last: OrderedDict[str, Trace] = OrderedDict()
        """The newest message of each device."""
        self._era, self._now = 0, float("-inf")

    def __len__(self) -> int:
        return len(self._bodies) + len(self._last)

    def knows(self, message: Message) -> bool:
        """Tell whether a message that came now is a repetition."""
        if self._rule is None:
            return False
        at, told = message.received_at, message.recognition
        if at < self._now - _JITTER:
            self._era += 1
            self._now = at
        self._now = max(self._now, at)
        if told.repeats is Repeats.NEVER:
            return False
        known = self._last.get(message.device) if told.repeats is Repeats.NEXT else self._bodies.get(told.identity)
        if known is None or known.identity != told.identity or known.era != self._era:
            return False
        return told.after <= at - known.at <= self._rule.window

    def remember(self, message: Message, *, dropped: bool = False) -> Trace | None:
        """Remember a message; return what to keep of that, None if recognition is off or nothing is new.

        A repetition that is dropped counts as a message of its device and nothing more.
        """
        if self._rule is None:
            return None
        told = message.recognition
        if dropped:
            known = self._last.get(message.device)
            if known is not None and known.identity == told.identity:
                return None
        again = not dropped and told.repeats in (Repeats.LATER, Repeats.ALWAYS)
        trace = Trace(message.device, told.identity, message.received_at, self._era, again)
        self.recall(trace)
        return trace

    def recall(self, trace: Trace) -> None:
        """Take in what was remembered, in this process or an earlier one."""
        if self._rule is None:
            return
        if trace.era > self._era or not self:
            self._era, self._now = trace.era, trace.at
        self._now = max(self._now, trace.at)
        if trace.again:
            self._keep(self._rule, self._bodies, trace.identity, trace)
        self._keep(self._rule, self._last, trace.device, trace)

    def _keep(self, rule: Duplicates, traces: OrderedDict[_K, Trace], key: _K, trace: Trace) -> None:
        traces[key] = trace
        traces.move_to_end(key)
        while traces:
            first = next(iter(traces.values()))
            if len(traces) <= rule.remembered and first.at >= trace.at - rule.window and first.era == self._era:
                break
            traces.popitem(last=False)

    def interrupt(self, message: Message) -> None:
        """Take note that a message of a device came and was not kept: what was said before it may be said again."""
        self._last.pop(message.device, None)

    def forget(self, message: Message) -> None:
        """Forget a message that could not be kept, so that its repetition counts as new."""
        self._bodies.pop(message.recognition.identity, None)
        self.interrupt(message)
