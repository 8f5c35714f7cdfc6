"""Processes that share a limit, also while the shared state is away, or after it lost its data."""

import contextlib
from collections.abc import Callable
from typing import cast

import pytest
from tests.clock import FakeClock
from tests.core.budget.rig import call, calls, failure, slept, wait
from tests.shared.limit_rules import MemoryLimit

from iot_northbound import ThrottledError
from iot_northbound.core import slot_sources
from iot_northbound.core.asking import TRY_AGAIN, Asking
from iot_northbound.core.budget import RateLimit
from iot_northbound.core.retry import AttemptFailed, Outcome
from iot_northbound.core.slot_sources import SharedSlots
from iot_northbound.shared import State
from iot_northbound.shared.slots import WINDOW, Turn
from iot_northbound.shared.state import HeldSlot, StateAwayError


def processes_of(process: Callable[[int], RateLimit], count: int, calls: int, clock: FakeClock) -> list[RateLimit]:
    """Return the limits of processes that know of each other."""
    limits = [process(calls) for _ in range(count)]
    for _ in range(2):
        for limit in limits:
            wait(limit)
    clock.slept.clear()
    return limits


def granted_at_once(limit: RateLimit, clock: FakeClock) -> int:
    count = 0
    with contextlib.suppress(ThrottledError):
        while True:
            call(limit, until=clock.monotonic())
            count += 1
    return count


def test_processes_share_the_limit(process: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limits = processes_of(process, 4, 20, clock)
    assert [granted_at_once(limit, clock) for limit in limits] == [20, 0, 0, 0]
    assert limits[0].stats().processes == 4


def test_while_the_state_is_away_each_process_has_its_part(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    limits = processes_of(process, 4, 20, clock)
    assert [granted_at_once(limits[0], clock) for _ in range(3)] == [20, 0, 0]
    clock.advance(WINDOW)
    engine.away = True
    assert [granted_at_once(limit, clock) for limit in limits] == [1, 1, 1, 1]
    clock.advance(2 * WINDOW)
    assert [granted_at_once(limit, clock) for limit in limits] == [5, 5, 5, 5]
    assert [granted_at_once(limit, clock) for limit in limits] == [0, 0, 0, 0]
    assert caplog.text.count("the shared limit at memory: is away, and this process keeps 1/4 of the limit") == 4


def test_calls_from_before_count_in_the_part_of_a_process(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limits = processes_of(process, 4, 20, clock)
    calls(limits[0], 3)
    engine.away = True
    assert granted_at_once(limits[0], clock) == 0
    clock.advance(WINDOW - 0.1)
    assert granted_at_once(limits[0], clock) == 1  # its fifth one is due in a moment
    clock.advance(0.2)
    assert granted_at_once(limits[0], clock) == 4


def test_a_process_that_used_less_than_its_part_leaves_the_rest_to_those_that_used_more(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limits = processes_of(process, 4, 20, clock)
    calls(limits[0], 18)
    calls(limits[1], 2)
    engine.away = True
    assert [granted_at_once(limit, clock) for limit in limits[:2]] == [0, 0]
    clock.advance(WINDOW / 3 + 0.1)
    assert [granted_at_once(limit, clock) for limit in limits[:2]] == [0, 1]
    clock.advance(WINDOW)
    assert [granted_at_once(limit, clock) for limit in limits[:2]] == [5, 5]


def test_a_process_alone_keeps_the_whole_limit(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limit = process(20)
    calls(limit, 3)
    engine.away = True
    assert granted_at_once(limit, clock) == 17


def test_a_state_that_another_thread_finds_back_at_this_moment_is_no_failure(
    process: Callable[[int], RateLimit], engine: MemoryLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = process(5)
    engine.away = True
    monkeypatch.setattr(slot_sources.log, "warning", lambda *_: setattr(limit._source, "_alone", None))
    call(limit)
    assert limit.stats().taken == 1


def test_while_the_state_is_away_it_is_asked_once_a_second(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limit = process(20)
    call(limit)
    engine.away = True
    calls(limit, 5)
    assert engine.asked_in_vain == 1
    clock.advance(TRY_AGAIN)
    calls(limit, 5)
    assert engine.asked_in_vain == 2


def test_an_outage_in_which_a_process_got_no_slot_is_none_for_the_others(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limits = processes_of(process, 2, 10, clock)
    calls(limits[0], 5)
    engine.away = True
    assert granted_at_once(limits[0], clock) == 0
    engine.away = False
    clock.advance(TRY_AGAIN)
    assert granted_at_once(limits[0], clock) == 5


def test_a_slot_that_another_thread_gets_while_this_one_puts_slots_back_is_put_back_next(
    engine: MemoryLimit, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = SharedSlots(Asking(cast(State, engine), clock.monotonic), clock)
    put_back = engine.put_back

    def meanwhile(held: list[HeldSlot]) -> None:
        monkeypatch.undo()
        put_back(held)
        slots._take_here(StateAwayError("it is away"), Turn.CALL, 10, WINDOW, "another")

    slots.take(Turn.CALL, 10, WINDOW, "first")
    engine.lose()
    monkeypatch.setattr(engine, "put_back", meanwhile)
    for id in ("second", "third"):
        slots.take(Turn.CALL, 10, WINDOW, id)
    assert engine.slots.ends.keys() == {"first", "another"}


def test_what_was_granted_meanwhile_counts_when_the_state_is_back(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limits = processes_of(process, 4, 20, clock)
    engine.away = True
    assert [granted_at_once(limit, clock) for limit in limits] == [1, 1, 1, 1]
    clock.advance(WINDOW + 1)
    for limit in limits:
        assert granted_at_once(limit, clock) == 5
    engine.away = False
    clock.advance(TRY_AGAIN)
    assert [granted_at_once(limit, clock) for limit in limits] == [0, 0, 0, 0]
    assert engine.status().slots == 20
    clock.advance(WINDOW)
    assert granted_at_once(limits[0], clock) == 20


def test_more_processes_than_calls_may_make_one_each(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limits = processes_of(process, 4, 2, clock)
    engine.away = True
    assert [granted_at_once(limit, clock) for limit in limits] == [1, 1, 1, 1]


def test_slots_are_put_back_when_the_state_lost_them(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limits = processes_of(process, 2, 10, clock)
    calls(limits[0], 6)
    calls(limits[1], 4)
    engine.lose()
    assert granted_at_once(limits[0], clock) <= 1
    assert granted_at_once(limits[1], clock) == 0
    assert engine.status().slots in (10, 11)
    clock.advance(WINDOW + 1)
    assert granted_at_once(limits[0], clock) == 10


def test_a_failure_to_settle_or_to_pause_is_no_failure_of_the_call(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    limit = process(3)
    with limit.slot(None):
        engine.away = True
    refusal = failure(Outcome.REFUSED_UNREAD, ThrottledError("1010009", "too many"))
    with pytest.raises(AttemptFailed), limit.slot(None):
        raise refusal
    assert slept(clock, lambda: wait(limit)) == pytest.approx(5, abs=0.01)


def test_a_process_that_leaves_no_word_frees_its_slots_in_the_end(
    process: Callable[[int], RateLimit], engine: MemoryLimit, clock: FakeClock
) -> None:
    """It was killed after its question."""
    engine.take("killed", 0, 1, WINDOW + 40, "its id")
    assert slept(clock, lambda: call(process(1))) == pytest.approx(WINDOW + 40, abs=0.01)
