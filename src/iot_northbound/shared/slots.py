"""The rule of the limit: at most N calls in every 60 s of the platform's time, and who is next.

The platform counts a call somewhere between its sending and its answer. So a call takes a slot before it is sent, and
the slot is free again WINDOW after the answer. Until there is an answer, the slot lasts as long as one may come.

- Who waits has a place: logins first, then calls, then bulk calls, each in the order of their first question. If no
  bulk call was granted for AGEING seconds, the bulk caller that has waited as long is next.
- A caller is granted if fewer others are before it than slots are free.
- Each granted call moves the pace on by MINUTE/N seconds. A bulk call waits for the pace, so that bulk calls come
  evenly and leave slots for others. Other calls do not wait for it, except in the first FRESH seconds of an engine, and
  after slots were put back: perhaps it lost its slots, and not all owners put theirs back yet.

Engines differ in where they keep a `Flow` and `Slots`, and in their time.
"""

import contextlib
import itertools
import json
import math
import os
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, Protocol, Self

from iot_northbound.shared.state import HeldSlot, Slot

WINDOW = 60.05
"""Seconds after the answer for which a call counts: a minute, and something for the platform's clock."""
AGEING = 30.0
"""Seconds after which a bulk caller goes first, if no bulk call was granted meanwhile."""
MINUTE = WINDOW + 1.0
"""Seconds in which the pace reaches the limit. Slots end a little faster, so that a call finds a free one."""
BURST = 2.0
"""Seconds by which the pace may be behind, so that a pause is caught up."""
FRESH = 5.0
"""Seconds in which slots are granted only at the pace, when the engine is new or was away."""
SETTLING = 2.5
"""Of these, the seconds in which calls get none, if slots were put back: the other owners put theirs back as well."""
GIVEN_UP = 3.0
"""Seconds after which a caller that asked no more does not wait any more."""
REMEMBERED = 60.0
"""Seconds for which a process counts after its last question."""
_NUMBERS = ("fresh", "pace", "bulk", "paused", "latest", "behind")


class Turn(IntEnum):
    """What a call is, for its place among those that wait."""

    LOGIN = -1
    """A login or a refresh: all others need its token."""
    CALL = 0
    BULK = 1


class Slots(Protocol):
    """Where an engine keeps the slots."""

    def drop(self, now: float) -> None:
        """Remove the slots that ended."""
        ...

    def count(self) -> int:
        """Return how many slots there are."""
        ...

    def end(self, position: int) -> float:
        """Return the end of the slot at this position of all slots in the order of their ends, the first one is 0."""
        ...

    def has(self, id: str) -> bool:
        """Return whether this slot is there."""
        ...

    def put(self, id: str, end: float) -> None:
        """Store a slot, or its new end."""
        ...

    def free(self, id: str) -> None:
        """Remove a slot, if it is there."""
        ...


class Flow:
    """Everything but the slots. An engine stores it as text."""

    def __init__(self) -> None:
        self.born = ""
        """A random name of this engine's data; empty until the first slot."""
        self.fresh = 0.0
        """Until when slots are granted only at the pace."""
        self.pace = 0.0
        """When the next bulk call is due."""
        self.bulk = 0.0
        """When the last bulk call was granted."""
        self.paused = 0.0
        """Until when nobody is granted a slot."""
        self.latest = 0.0
        """The latest time that was seen."""
        self.behind = 0.0
        """How far the engine's clock was set back so far."""
        self.askers: dict[str, list[float]] = {}
        """Who asked: "turn owner" -> when it asked first for the slot it waits for (0: it does not wait) and last."""

    @classmethod
    def load(cls, text: str | None) -> Self:
        """Return the flow that is stored as this text; a new one if there is none, or nothing that can be read."""
        flow = cls()
        with contextlib.suppress(ValueError, TypeError, AttributeError, OverflowError):
            stored = json.loads(text or "{}")
            numbers = {name: float(stored[name]) for name in _NUMBERS if name in stored}
            askers = {name: [float(first), float(last)] for name, (first, last) in stored.get("askers", {}).items()}
            for name in askers:
                Turn(int(name.split(" ", 1)[0]))
            if all(map(math.isfinite, (*numbers.values(), *itertools.chain(*askers.values())))):
                flow.__dict__.update(numbers, born=str(stored.get("born", "")), askers=askers)
        return flow

    def dump(self) -> str:
        """Return the flow as text."""
        return json.dumps(self.__dict__, separators=(",", ":"))

    def time(self, now: float) -> float:
        """Return the time that never goes back, even if the engine's clock does."""
        self.behind = max(self.behind, self.latest - now)
        self.latest = now + self.behind
        return self.latest

    def begin(self, now: float) -> None:
        """Give the data their name, if they have none yet."""
        if not self.born:
            self.born, self.fresh, self.pace, self.bulk = os.urandom(8).hex(), now + FRESH, now - BURST, now

    def ask(self, owner: str, turn: int, now: float) -> float:
        """Note a question; return when the owner asked first for the slot that it waits for."""
        self.askers = {
            name: [first if now - last <= GIVEN_UP else 0.0, last]
            for name, (first, last) in self.askers.items()
            if now - last <= REMEMBERED
        }
        asker = self.askers.setdefault(f"{turn} {owner}", [0.0, now])
        asker[:] = asker[0] or now, now
        return asker[0]

    def place(self, turn: int, first: float) -> tuple[float, float]:
        """Return what orders those who wait."""
        if turn == Turn.BULK:
            return max(first, self.bulk) + AGEING, first
        return (first if turn == Turn.CALL else 0.0), first

    def rank(self, owner: str, turn: int, first: float) -> int:
        """Return how many of those who wait are before this one."""
        mine, name = self.place(turn, first), f"{turn} {owner}"
        waiting = {other: since for other, (since, _) in self.askers.items() if since}
        return sum((self.place(int(other.split(" ")[0]), waiting[other]), other) < (mine, name) for other in waiting)

    def start(self, turn: int, first: float) -> float:
        """Return when this call may start, if there are slots."""
        due = {
            Turn.LOGIN: 0.0,
            Turn.CALL: min(self.pace, self.fresh),
            Turn.BULK: min(self.pace, self.place(turn, first)[0]),
        }
        return max(self.paused, due[Turn(turn)])

    def granted(self, owner: str, turn: int, limit: int, now: float) -> None:
        """Note that a call got its slot."""
        self.askers[f"{turn} {owner}"][0] = 0.0
        self.pace = min(max(now - BURST, self.pace) + MINUTE / limit, now + MINUTE)
        if turn == Turn.BULK:
            self.bulk = now

    def processes(self, now: float) -> int:
        """Return how many owners asked in the last minute."""
        return len({name.split(" ", 1)[1] for name, (_, last) in self.askers.items() if now - last <= REMEMBERED})

    def waiting(self, now: float) -> int:
        """Return how many callers wait."""
        return sum(bool(first) and now - last <= GIVEN_UP for first, last in self.askers.values())


def take(flow: Flow, slots: Slots, now: float, owner: str, turn: int, limit: int, hold: float, id: str) -> Slot:
    """Take the slot `id` for `hold` seconds, or return when to ask again. A slot that was granted stays granted."""
    now = flow.time(now)
    flow.begin(now)
    slots.drop(now)
    if slots.has(id):
        return Slot(True, 0.0, flow.born, flow.processes(now))
    first = flow.ask(owner, turn, now)
    taken = slots.count()
    rank = flow.rank(owner, turn, first)
    start = flow.start(turn, first)
    missing = rank - (limit - taken)  # the position of the slot that must end first; none if negative
    if missing < 0 and start <= now:
        slots.put(id, now + hold)
        flow.granted(owner, turn, limit, now)
        return Slot(True, 0.0, flow.born, flow.processes(now))
    end = now if missing < 0 else now + WINDOW  # a call that is answered now, frees its slot then
    if 0 <= missing < taken:
        end = min(slots.end(missing), end)
    return Slot(False, max(start, end) - now, flow.born, flow.processes(now))


def settle(flow: Flow, slots: Slots, now: float, id: str, seconds: float) -> None:
    """Let a slot end `seconds` from now; 0 frees it at once."""
    if seconds > 0:
        slots.put(id, flow.time(now) + seconds)
    else:
        slots.free(id)


def pause(flow: Flow, now: float, seconds: float) -> None:
    """Let nobody take a slot for this long."""
    flow.paused = max(flow.paused, flow.time(now) + seconds)


def put_back(flow: Flow, slots: Slots, now: float, held: Iterable[HeldSlot]) -> None:
    """Store slots again, after the engine lost its data or was away. Others may still have to do so too."""
    now = flow.time(now)
    flow.begin(now)
    if flow.fresh <= now:
        flow.fresh = now + FRESH
    flow.pace = max(flow.pace, flow.fresh - FRESH + SETTLING)
    slots.drop(now)
    for slot in held:
        slots.put(slot.id, now + slot.seconds)


class LimitStatus(NamedTuple):
    """What a state's status says about the limit."""

    slots: int
    waiting: int
    processes: int
    paused: float


def status(flow: Flow, slots: Slots, now: float) -> LimitStatus:
    """Return what is stored."""
    now = flow.time(now)
    slots.drop(now)
    return LimitStatus(slots.count(), flow.waiting(now), flow.processes(now), max(flow.paused - now, 0.0))


class MemorySlots:
    """Slots in the memory of one process."""

    def __init__(self) -> None:
        self.ends: dict[str, float] = {}

    def drop(self, now: float) -> None:
        """Remove the slots that ended."""
        self.ends = {id: end for id, end in self.ends.items() if end > now}

    def count(self) -> int:
        """Return how many slots there are."""
        return len(self.ends)

    def end(self, position: int) -> float:
        """Return the end of the slot at this position."""
        return sorted(self.ends.values())[position]

    def has(self, id: str) -> bool:
        """Return whether this slot is there."""
        return id in self.ends

    def put(self, id: str, end: float) -> None:
        """Store a slot, or its new end."""
        self.ends[id] = end

    def free(self, id: str) -> None:
        """Remove a slot, if it is there."""
        self.ends.pop(id, None)
