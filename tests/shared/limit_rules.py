"""The limit in memory as a `State`, for tests; and the proof of the rule for any engine."""

import itertools
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from iot_northbound.shared import State
from iot_northbound.shared import slots as slot_rule
from iot_northbound.shared.slots import WINDOW, Turn
from iot_northbound.shared.state import HeldSlot, Slot, StateAwayError
from tests.clock import FakeClock

LIMIT = 3
LONGEST = 40.0
"""Seconds in which a call arrives, or never does."""


class MemoryLimit:
    """The steps of the limit, with the rule itself. Tests can make it lose its data and be away."""

    shown = "memory:"

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.away = False
        self.questions = 0
        self.asked_in_vain = 0
        self.lose()

    def lose(self) -> None:
        self.flow, self.slots = slot_rule.Flow(), slot_rule.MemorySlots()

    def _now(self) -> float:
        if self.away:
            self.asked_in_vain += 1
            raise StateAwayError("it is away")
        return self._clock.now()

    def take(self, owner: str, turn: int, limit: int, hold: float, id: str) -> Slot:
        self.questions += 1
        return slot_rule.take(self.flow, self.slots, self._now(), owner, turn, limit, hold, id)

    def settle(self, id: str, seconds: float) -> None:
        slot_rule.settle(self.flow, self.slots, self._now(), id, seconds)

    def pause(self, seconds: float) -> None:
        slot_rule.pause(self.flow, self._now(), seconds)

    def put_back(self, slots: list[HeldSlot]) -> None:
        slot_rule.put_back(self.flow, self.slots, self._now(), slots)

    def status(self) -> Any:
        return slot_rule.status(self.flow, self.slots, self._now())


class Call:
    """A call on its way, and where in its time the platform stamps it: 0 when it is sent, 1 as late as possible."""

    def __init__(self, id: str, sent: float, stamped: float) -> None:
        self.id, self.sent, self.stamped = id, sent, stamped


class LimitMachine(RuleBasedStateMachine):
    """Callers with any fate. The platform may stamp a call anywhere between sending and answer.

    At most LIMIT stamps lie in any 60 seconds, and nobody waits for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.state: State = self.make(self.clock)
        self.model = MemoryLimit(self.clock)
        self.ids = map(str, itertools.count())
        self.calls: list[Call] = []
        self.stamps: list[float] = []
        self.asked = ""

    def make(self, clock: FakeClock) -> State:
        """Return the engine that is tried."""
        raise NotImplementedError

    @rule(
        owner=st.sampled_from("abc"),
        turn=st.sampled_from(Turn),
        stamped=st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1)),
    )
    def ask(self, owner: str, turn: Turn, stamped: float) -> None:
        self.take(owner, turn, stamped)

    def take(self, owner: str, turn: Turn, stamped: float) -> Slot:
        id, hold = next(self.ids), WINDOW + LONGEST
        self.asked = id
        slot = self.state.take(owner, turn, LIMIT, hold, id)
        modelled = self.model.take(owner, turn, LIMIT, hold, id)
        assert slot.granted == modelled.granted
        assert abs(slot.again_in - modelled.again_in) < 1e-3
        assert slot.processes == modelled.processes
        if slot.granted:
            self.calls.append(Call(id, self.clock.monotonic(), stamped))
        return slot

    @rule(owner=st.sampled_from("abc"), turn=st.sampled_from(Turn), count=st.integers(2, 6), early=st.booleans())
    def hurry(self, owner: str, turn: Turn, count: int, early: bool) -> None:
        """Make calls one after the other, each as soon as it may start; they are answered at once, or not yet."""
        for _ in range(count):
            while not (slot := self.take(owner, turn, 0.0)).granted:
                self.time_passes(min(slot.again_in, 1.0) + 0.001)
            if early:
                self.arrive(self.calls[-1], 0.0)
                self.settle(self.asked, WINDOW)

    @rule(seconds=st.one_of(st.sampled_from([0.01, 0.6, 20.0, 30.0, 60.0, WINDOW]), st.floats(0, 70)))
    def time_passes(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        for call in [call for call in self.calls if call.sent + LONGEST <= end]:
            self.arrive(call, LONGEST)  # its process was killed
        self.clock.advance(seconds)

    def arrive(self, call: Call, within: float) -> None:
        self.calls.remove(call)
        self.stamps.append(call.sent + call.stamped * within)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        self.arrive(call, self.clock.monotonic() - call.sent)
        self.settle(call.id, WINDOW)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        self.arrive(call, self.clock.monotonic() - call.sent + LONGEST)
        self.settle(call.id, WINDOW + LONGEST)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def not_sent(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        self.calls.remove(call)
        self.settle(call.id, 0.0)

    def settle(self, id: str, seconds: float) -> None:
        self.state.settle(id, seconds)
        self.model.settle(id, seconds)

    @rule(seconds=st.floats(0, 10))
    def pause(self, seconds: float) -> None:
        self.state.pause(seconds)
        self.model.pause(seconds)

    @invariant()
    def no_minute_has_more_stamps_than_the_limit(self) -> None:
        ordered = sorted(self.stamps)
        assert all(ordered[at + LIMIT] - ordered[at] >= 60.0 for at in range(len(ordered) - LIMIT))

    def teardown(self) -> None:
        for call in self.calls.copy():
            self.arrive(call, LONGEST)
        self.no_minute_has_more_stamps_than_the_limit()
        self.state.status()  # it notes the time of day, which may have been set back
        self.clock.advance(2 * (WINDOW + LONGEST))  # all slots are over, and all who waited are gone
        assert self.state.take("d", Turn.BULK, LIMIT, WINDOW, "last").granted


class MemoryMachine(LimitMachine):
    def make(self, clock: FakeClock) -> Any:
        return MemoryLimit(clock)


class SettingBackMachine(MemoryMachine):
    """The engine's time of day is set back now and then."""

    @rule(seconds=st.floats(0, 7200))
    def set_back(self, seconds: float) -> None:
        self.clock.set_time_of_day(-seconds)
