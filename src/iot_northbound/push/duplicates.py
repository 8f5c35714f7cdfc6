"""Recognises messages that have come before."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import attrs

from iot_northbound.core.clock import Clock
from iot_northbound.push import arguments
from iot_northbound.push.parse import Message
from iot_northbound.push.recognition import Repeats

_K = TypeVar("_K")

_JITTER = 0.25
"""Seconds by which clocks may differ because threads overtake each other. A larger difference: the clock was set."""


@attrs.frozen
class DuplicateWindow:
    """How far back repetitions are recognised.

    Attributes:
        seconds: how long a message is remembered; the platform repeats a failed push within minutes.
        messages: how many messages are remembered at most; each needs about 300 bytes of memory.
    """

    seconds: float = 3_600.0
    messages: int = 200_000

    def __attrs_post_init__(self) -> None:
        arguments.seconds("DuplicateWindow.seconds", self.seconds)
        arguments.whole("DuplicateWindow.messages", self.messages)


@attrs.frozen
class Trace:
    """The facts that are remembered about a message.

    Attributes:
        identity: the digest of its body.
        at: when it came, in seconds since the epoch.
        era: how often the clock had been set until then.
        certain: whether the same body is always a repetition, even after a restart.
        moment: when it came, on the monotonic clock of this process.
    """

    identity: bytes
    at: float
    era: int
    certain: bool
    moment: float = float("-inf")


class Seen:
    """The messages of the window. It is not thread-safe by itself.

    A body is dropped as a repetition if the same body was kept within the window, no clock was set since, and

    - the body has a time with milliseconds, or a time and a request's id; or
    - the body has a time in seconds, and it came later than a second event of that second would come; or
    - the body reports a state, and no other message of its device came since.

    The last two count only if no message that could have been of the same device was refused since, and never after a
    restart: a closed port may have refused one. In every other case a body counts as new: to handle a message twice
    does less harm than not to handle it.
    """

    def __init__(self, rule: DuplicateWindow | None, clock: Clock) -> None:
        self._rule, self._clock = rule, clock
        self._certain: OrderedDict[bytes, Trace] = OrderedDict()
        self._later: OrderedDict[bytes, Trace] = OrderedDict()
        self._last: OrderedDict[str, Trace] = OrderedDict()
        """The newest message of each device."""
        self._era, self._now = 0, float("-inf")
        self._moment = clock.monotonic()
        self._ahead = clock.now() - self._moment
        """By how much the time of day was ahead of the monotonic clock when this era began."""

    def __len__(self) -> int:
        return len(self._certain) + len(self._later) + len(self._last)

    def knows(self, message: Message) -> bool:
        """Return whether a message that came now is a repetition."""
        if self._rule is None:
            return False
        at, told = message.received_at, message.recognition
        self._look_at_the_clocks(at)
        known: Trace | None = None
        if told.repeats is Repeats.ALWAYS:
            known = self._certain.get(told.identity)
        elif told.repeats is Repeats.LATER:
            known = self._later.get(told.identity)
        elif told.repeats is Repeats.NEXT:
            known = self._last.get(message.device)
        if known is None or known.identity != told.identity:
            return False
        age = at - known.at
        return told.after <= min(age, self._moment - known.moment) and age <= self._rule.seconds

    def _look_at_the_clocks(self, at: float) -> None:
        """Begin a new era if the time of day was set back or ahead."""
        before, now, self._moment = self._clock.monotonic(), self._clock.now(), self._clock.monotonic()
        least, most = now - self._moment - _JITTER, now - before + _JITTER
        was_set = not least <= self._ahead <= most
        if was_set:
            self._ahead = now - self._moment
        if was_set or at < self._now - _JITTER:  # the second: set while nothing ran
            self._begin(self._era + 1, at)
        self._now = max(self._now, at)

    def _begin(self, era: int, at: float) -> None:
        self._era, self._now = era, at
        self._certain.clear()
        self.forget_doubtful()

    def remember(self, message: Message, *, dropped: bool = False) -> Trace | None:
        """Remember a message after `knows`; return the trace to store, or None if there is nothing to store.

        A dropped repetition counts only as a message of its device.
        """
        if self._rule is None:
            return None
        told = message.recognition
        certain = not dropped and told.repeats is Repeats.ALWAYS
        trace = Trace(told.identity, message.received_at, self._era, certain, self._moment)
        last = self._last.get(message.device)
        if dropped and last is not None and last.identity == told.identity:
            return None
        if certain:
            self._keep(self._rule, self._certain, trace.identity, trace)
        elif told.repeats is Repeats.LATER and not dropped:
            self._keep(self._rule, self._later, trace.identity, trace)
        self._keep(self._rule, self._last, message.device, trace)
        return trace

    def recall(self, trace: Trace) -> None:
        """Remember a trace of an earlier process, the oldest first."""
        if self._rule is None:
            return
        if trace.era > self._era:
            self._begin(trace.era, trace.at)
        self._now = max(self._now, trace.at)
        if trace.certain:
            self._keep(self._rule, self._certain, trace.identity, trace)

    def has(self, identity: bytes) -> bool:
        """Return whether a message with this identity is surely here, for messages that another inbox left."""
        return identity in self._certain

    def inherit(self, trace: Trace) -> Trace:
        """Return a certain trace of another inbox as one of this inbox; `recall` remembers it."""
        return attrs.evolve(trace, era=self._era)

    def _keep(self, rule: DuplicateWindow, traces: OrderedDict[_K, Trace], key: _K, trace: Trace) -> None:
        traces[key] = trace
        traces.move_to_end(key)
        while traces:
            first = next(iter(traces.values()))
            if len(traces) <= rule.messages and first.at >= trace.at - rule.seconds:
                break
            traces.popitem(last=False)

    def interrupt(self, message: Message) -> None:
        """Note that a message of a device came and was not kept: the message before it may come again as a new one."""
        self._certain.pop(message.recognition.identity, None)
        self._later.pop(message.recognition.identity, None)
        self._last.pop(message.device, None)

    def forget_doubtful(self) -> None:
        """Note that an unknown message came and was not kept: only what is certain is still recognised."""
        self._later.clear()
        self._last.clear()
