"""Which messages have come before."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import attrs

from iot_northbound.push.parse import Message
from iot_northbound.push.recognition import Repeats

_K = TypeVar("_K")

_JITTER = 0.25
"""Seconds that a message may be older than the one before it, because threads overtake each other.

A larger difference means that the clock was set back.
"""


@attrs.frozen
class DuplicateWindow:
    """How far back repetitions are recognised.

    Attributes:
        seconds: how long a message is remembered; the platform repeats a failed push within minutes.
        messages: how many messages are remembered at most; each needs about 300 bytes of memory.
    """

    seconds: float = 3_600.0
    messages: int = 200_000


@attrs.frozen
class Trace:
    """What is remembered about a message.

    Attributes:
        device: the key of its order.
        identity: the digest of its body.
        at: when it came, in seconds since the epoch.
        era: how often the clock had been set back until then.
        again: whether any later message with the same body can be a repetition, not only the next one of the device.
    """

    device: str
    identity: bytes
    at: float
    era: int
    again: bool


class Seen:
    """The messages of the window. It is not thread-safe by itself.

    A body is dropped as a repetition if the same body was kept within the window, the clock was not set back since, and

    - the body has a time with milliseconds, or a time and a request's id; or
    - the body has a time in seconds, and it came later than a second event of that second would come; or
    - the body reports a state, and no other message of its device came since.

    In every other case it counts as new: to handle a message twice does less harm than not to handle it.
    """

    def __init__(self, rule: DuplicateWindow | None) -> None:
        self._rule = rule
        self._bodies: OrderedDict[bytes, Trace] = OrderedDict()
        self._last: OrderedDict[str, Trace] = OrderedDict()
        """The newest message of each device."""
        self._era, self._now = 0, float("-inf")

    def __len__(self) -> int:
        return len(self._bodies) + len(self._last)

    def knows(self, message: Message) -> bool:
        """Return whether a message that came now is a repetition."""
        if self._rule is None:
            return False
        at, its = message.received_at, message.recognition
        if at < self._now - _JITTER:
            self._era += 1
            self._now = at
        self._now = max(self._now, at)
        if its.repeats is Repeats.NEVER:
            return False
        known = self._last.get(message.device) if its.repeats is Repeats.NEXT else self._bodies.get(its.identity)
        if known is None or known.identity != its.identity or known.era != self._era:
            return False
        return its.after <= at - known.at <= self._rule.seconds

    def remember(self, message: Message, *, dropped: bool = False) -> Trace | None:
        """Remember a message; return the trace to store, or None if recognition is off or nothing is new.

        A dropped repetition counts only as a message of its device.
        """
        if self._rule is None:
            return None
        its = message.recognition
        if dropped:
            known = self._last.get(message.device)
            if known is not None and known.identity == its.identity:
                return None
        again = not dropped and its.repeats in (Repeats.LATER, Repeats.ALWAYS)
        trace = Trace(message.device, its.identity, message.received_at, self._era, again)
        self.recall(trace)
        return trace

    def recall(self, trace: Trace) -> None:
        """Remember a trace again, from this process or an earlier one."""
        if self._rule is None:
            return
        if trace.era > self._era or not self:
            self._era, self._now = trace.era, trace.at
        self._now = max(self._now, trace.at)
        if trace.again:
            self._keep(self._rule, self._bodies, trace.identity, trace)
        self._keep(self._rule, self._last, trace.device, trace)

    def _keep(self, rule: DuplicateWindow, traces: OrderedDict[_K, Trace], key: _K, trace: Trace) -> None:
        traces[key] = trace
        traces.move_to_end(key)
        while traces:
            first = next(iter(traces.values()))
            if len(traces) <= rule.messages and first.at >= trace.at - rule.seconds and first.era == self._era:
                break
            traces.popitem(last=False)

    def interrupt(self, message: Message) -> None:
        """Note that a message of a device came and was not kept: the message before it may come again as a new one."""
        self._last.pop(message.device, None)

    def forget(self, message: Message) -> None:
        """Forget a message that could not be stored, so that its repetition counts as new."""
        self._bodies.pop(message.recognition.identity, None)
        self.interrupt(message)
