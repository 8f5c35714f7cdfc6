"""The rule of the limit, on each engine."""

import itertools
from typing import cast

import pytest

from iot_northbound.shared import State
from iot_northbound.shared.slots import AGEING, BURST, FRESH, GIVEN_UP, MINUTE, SETTLING, WINDOW, Flow, Turn
from iot_northbound.shared.state import HeldSlot, Slot
from tests.clock import FakeClock
from tests.shared.engines import Engine
from tests.shared.limit_rules import MemoryLimit

HOLD = WINDOW + 60


class Desk:
    """Asks an engine, after its first seconds."""

    def __init__(self, state: State, clock: FakeClock) -> None:
        self.state, self.clock = state, clock
        self._ids = itertools.count()
        self.take("nobody", limit=100)
        self.state.settle("0", 0.0)
        clock.advance(FRESH)

    def take(self, owner: str = "a", turn: Turn = Turn.CALL, *, limit: int, hold: float = HOLD) -> Slot:
        self.id = str(next(self._ids))
        return self.state.take(owner, turn, limit, hold, self.id)


@pytest.fixture
def desk(shared: Engine, clock: FakeClock) -> Desk:
    return Desk(shared.open("app"), clock)


@pytest.fixture
def in_memory(clock: FakeClock) -> Desk:
    """For tests with thousands of questions."""
    return Desk(cast(State, MemoryLimit(clock)), clock)


def test_a_slot_is_free_again_a_minute_after_the_answer(desk: Desk, clock: FakeClock) -> None:
    assert desk.take(limit=1).granted
    taken = desk.id
    clock.advance(20)
    desk.state.settle(taken, WINDOW)
    clock.advance(WINDOW - 1)
    refused = desk.take(limit=1)
    assert not refused.granted
    assert refused.again_in == pytest.approx(1, abs=1e-4)
    clock.advance(1.001)
    assert desk.take(limit=1).granted


def test_a_call_without_an_answer_keeps_its_slot_as_long_as_it_may_arrive(desk: Desk, clock: FakeClock) -> None:
    assert desk.take(limit=1, hold=HOLD).granted
    clock.advance(HOLD - 1)
    assert not desk.take(limit=1).granted
    clock.advance(1.001)
    assert desk.take(limit=1).granted


def test_who_waits_for_a_call_without_an_answer_may_be_next_a_minute_from_now(desk: Desk) -> None:
    assert desk.take(limit=1, hold=HOLD).granted
    assert desk.take(limit=1).again_in == pytest.approx(WINDOW, abs=1e-4)


def test_a_call_that_was_not_sent_frees_its_slot(desk: Desk) -> None:
    assert desk.take(limit=1).granted
    desk.state.settle(desk.id, 0.0)
    assert desk.take(limit=1).granted


def test_a_question_whose_answer_was_lost_can_be_repeated(desk: Desk) -> None:
    assert desk.take(limit=2).granted
    assert desk.state.take("a", Turn.CALL, 2, HOLD, desk.id).granted
    assert desk.take(limit=2).granted
    assert desk.state.status().slots == 2


def test_the_first_who_asked_is_the_first_who_gets_a_slot(desk: Desk, clock: FakeClock) -> None:
    assert desk.take(limit=1).granted
    desk.state.settle(desk.id, 1.0)
    assert not desk.take("b", limit=1).granted
    clock.advance(0.5)
    assert not desk.take("c", limit=1).granted
    clock.advance(0.6)
    assert not desk.take("c", limit=1).granted
    assert desk.take("b", limit=1).granted


def test_logins_come_before_calls_and_calls_before_bulk_calls(desk: Desk, clock: FakeClock) -> None:
    assert desk.take(limit=1).granted
    desk.state.settle(desk.id, 1.0)
    for turn in (Turn.BULK, Turn.CALL, Turn.LOGIN):
        assert not desk.take("b", turn, limit=1).granted
        clock.advance(0.1)
    clock.advance(1)
    assert [desk.take("b", turn, limit=1).granted for turn in (Turn.BULK, Turn.CALL, Turn.LOGIN)] == [
        False,
        False,
        True,
    ]


def test_who_asks_no_more_waits_no_more(desk: Desk, clock: FakeClock) -> None:
    assert desk.take(limit=1).granted
    desk.state.settle(desk.id, 1.0)
    assert not desk.take("gone", limit=1).granted
    clock.advance(GIVEN_UP + 0.1)
    assert desk.take("b", limit=1).granted


def test_bulk_calls_come_at_the_pace_of_the_whole_flow(desk: Desk, clock: FakeClock) -> None:
    """After a pause a few come at once, and then one every MINUTE/N seconds. A call moves the pace on too."""
    clock.advance(60)
    step = MINUTE / 60
    at_once = sum(desk.take("a", Turn.BULK, limit=60).granted for _ in range(10))
    assert at_once == 1 + BURST // step
    due = clock.monotonic() - BURST + at_once * step
    for _ in range(5):
        assert desk.take("a", Turn.BULK, limit=60).again_in == pytest.approx(due - clock.monotonic(), abs=1e-4)
        clock.advance(due + 0.001 - clock.monotonic())
        assert desk.take("a", Turn.BULK, limit=60).granted
        due += step
    assert all(desk.take("b", limit=60).granted for _ in range(10))
    again = desk.take("a", Turn.BULK, limit=60).again_in
    assert again == pytest.approx(due + 10 * step - clock.monotonic(), abs=1e-4)


def test_when_bulk_calls_use_all_they_can_a_call_finds_a_free_slot(in_memory: Desk, clock: FakeClock) -> None:
    for _ in range(3000):
        if in_memory.take("a", Turn.BULK, limit=60).granted:
            in_memory.state.settle(in_memory.id, WINDOW)
        clock.advance(0.1)
    found = []
    for number in range(3000):
        if in_memory.take("a", Turn.BULK, limit=60).granted:
            in_memory.state.settle(in_memory.id, WINDOW)
        if number % 80 == 0:
            found.append(in_memory.take("b", limit=60).granted)
            in_memory.state.settle(in_memory.id, WINDOW if found[-1] else 0.0)
        clock.advance(0.1)
    assert found.count(True) >= 0.9 * len(found)


def test_bulk_calls_do_not_starve_behind_calls(in_memory: Desk, clock: FakeClock) -> None:
    """There are always calls that wait; a bulk call gets a slot now and then all the same."""
    granted: list[float] = []
    began = clock.monotonic()
    while clock.monotonic() - began < 600:
        for owner in "bcdefgh":
            while in_memory.take(owner, limit=10).granted:
                in_memory.state.settle(in_memory.id, WINDOW)
        if in_memory.take("a", Turn.BULK, limit=10).granted:
            in_memory.state.settle(in_memory.id, WINDOW)
            granted.append(clock.monotonic() - began)
        clock.advance(0.7)
    assert 8 <= len(granted) <= 600 / AGEING
    assert all(later - earlier < 2 * WINDOW for earlier, later in itertools.pairwise(granted))


def test_many_bulk_callers_make_no_call_wait_for_long(in_memory: Desk, clock: FakeClock) -> None:
    """Each bulk caller waits longer than AGEING, but bulk calls are granted all the time."""
    waited, asked = list[float](), None
    clock.advance(60)
    for second in range(300):
        for owner in range(40):
            if in_memory.take(f"bulk-{owner}", Turn.BULK, limit=60).granted:
                in_memory.state.settle(in_memory.id, WINDOW)
        if second % 10 == 0:
            asked = clock.monotonic()
        if asked is not None and in_memory.take("a", limit=60).granted:
            in_memory.state.settle(in_memory.id, WINDOW)
            waited.append(clock.monotonic() - asked)
            asked = None
        clock.advance(1)
    assert len(waited) == 30
    assert max(waited) <= 5
    assert sorted(waited)[15] <= 1


def test_a_new_engine_grants_slots_only_at_the_pace(shared: Engine, clock: FakeClock) -> None:
    state = shared.open("app")
    ids = map(str, itertools.count())
    at_once = sum(state.take("a", Turn.CALL, 60, HOLD, next(ids)).granted for _ in range(10))
    assert at_once == 1 + BURST // (MINUTE / 60)
    clock.advance(FRESH)
    assert all(state.take("a", Turn.CALL, 60, HOLD, next(ids)).granted for _ in range(10))


def test_nobody_gets_a_slot_in_a_pause(desk: Desk, clock: FakeClock) -> None:
    desk.state.pause(7)
    desk.state.pause(3)
    refused = desk.take(limit=60)
    assert not refused.granted
    assert refused.again_in == pytest.approx(7, abs=1e-4)
    assert desk.state.status().paused == pytest.approx(7, abs=1e-4)
    clock.advance(7.001)
    assert desk.take(limit=60).granted


def test_slots_are_put_back_into_an_engine_that_lost_them(shared: Engine, clock: FakeClock) -> None:
    state = shared.open("app")
    state.put_back([HeldSlot("x", 30.0), HeldSlot("y", 10.0)])
    refused = state.take("a", Turn.CALL, 2, HOLD, "z")
    assert not refused.granted
    assert refused.again_in == pytest.approx(10, abs=1e-4)
    assert refused.born


def test_after_slots_were_put_back_calls_wait_for_the_other_owners_to_do_so(shared: Engine, clock: FakeClock) -> None:
    state = shared.open("app")
    state.put_back([HeldSlot("x", 30.0)])
    refused = state.take("a", Turn.CALL, 60, HOLD, "y")
    assert not refused.granted
    assert refused.again_in == pytest.approx(SETTLING, abs=1e-4)
    clock.advance(SETTLING + 0.001)
    state.put_back([HeldSlot("z", 30.0)])  # who comes late makes nobody wait again
    assert state.take("a", Turn.CALL, 60, HOLD, "y").granted


def test_the_engine_counts_who_asked_in_the_last_minute(desk: Desk, clock: FakeClock) -> None:
    clock.advance(100)
    desk.take("a", limit=60)
    assert desk.take("b", limit=60).processes == 2
    clock.advance(59)
    assert desk.take("c", Turn.BULK, limit=60).processes == 3
    assert desk.take("c", Turn.CALL, limit=60).processes == 3
    clock.advance(2)
    assert desk.take("c", limit=60).processes == 1


def test_a_clock_that_is_set_back_keeps_slots_no_longer(desk: Desk, clock: FakeClock) -> None:
    assert desk.take(limit=1).granted
    desk.state.settle(desk.id, WINDOW)
    clock.set_time_of_day(-3600)
    assert not desk.take(limit=1).granted
    clock.advance(WINDOW + 0.001)
    assert desk.take(limit=1).granted


def test_applications_have_limits_of_their_own(shared: Engine) -> None:
    one, other = shared.open("one"), shared.open("other")
    assert one.take("a", Turn.CALL, 1, HOLD, "x").granted
    assert other.take("a", Turn.CALL, 1, HOLD, "x").granted
    assert not one.take("a", Turn.CALL, 1, HOLD, "y").granted


def test_processes_share_the_limit(shared: Engine, clock: FakeClock) -> None:
    one, other = shared.open("one"), shared.open("one")
    assert one.take("a", Turn.CALL, 1, HOLD, "x").granted
    clock.advance(FRESH)
    assert not other.take("b", Turn.CALL, 1, HOLD, "y").granted
    other.settle("x", 0.0)
    assert other.take("b", Turn.CALL, 1, HOLD, "y").granted


def test_nothing_is_kept_for_longer_than_it_counts(desk: Desk, clock: FakeClock) -> None:
    for number in range(50):
        desk.take(f"process-{number}", limit=10)
        desk.state.settle(desk.id, WINDOW)
        clock.advance(7)
    status = desk.state.status()
    assert (status.slots, status.processes, status.waiting) == (8, 8, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"pace": NaN}',
        '{"pace": 1' + 400 * "0" + "}",
        '{"pace": "soon"}',
        '{"askers": [1]}',
        '{"askers": {"a": 1}}',
        '{"askers": {"7 a": [1, 2]}}',
        '{"askers": {"": [1, 2]}}',
        '{"latest": Infinity}',
        '{"askers": {"0 a": [1]}}',
    ],
)
def test_a_flow_that_cannot_be_read_counts_as_lost(text: str) -> None:
    assert Flow.load(text).dump() == Flow().dump()


def test_a_flow_is_the_same_after_it_was_stored_and_what_a_newer_version_adds_is_left_out() -> None:
    flow = Flow()
    flow.begin(flow.time(1_770_000_000.25))
    flow.ask("host:7 and so on", Turn.BULK, 1_770_000_001.5)
    text = flow.dump()
    assert Flow.load(text).dump() == text
    assert Flow.load(text.replace("{", '{"more":[1],', 1)).dump() == text
