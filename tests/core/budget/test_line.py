"""The line of those who wait for a turn."""

import contextlib
import threading
from collections.abc import Callable
from typing import cast

import pytest
from tests.clock import FakeClock, eventually
from tests.core.budget.rig import call, slept
from tests.shared.limit_rules import MemoryLimit

from iot_northbound import ThrottledError
from iot_northbound.core import budget
from iot_northbound.core.asking import Asking
from iot_northbound.core.budget import RateLimit, bulk
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.slot_sources import SharedSlots
from iot_northbound.shared import State
from iot_northbound.shared.slots import WINDOW, Turn


class Waiters:
    """Threads that each wait for a turn, one after the other."""

    def __init__(self, limit: RateLimit, wake: Flag | None = None) -> None:
        self.limit, self.wake = limit, wake
        self.order: list[int | str] = []
        self.threads: list[threading.Thread] = []

    def add(self, name: int | str, *, turn: int = 0, until: float | None = None) -> None:
        def run() -> None:
            with bulk() if turn else contextlib.nullcontext():
                try:
                    with self.limit.slot(until, self.wake):
                        self.order.append(name)
                except ThrottledError:
                    self.order.append(f"{name} is too late")

        before = len(self.limit._lines[Turn(turn)])
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()
        eventually(lambda: len(self.limit._lines[Turn(turn)]) > before)

    def end(self) -> None:
        for each in self.threads:
            each.join(60)
            assert not each.is_alive()


class PatientClock(FakeClock):
    """Its sleepers wait until a test advances it."""

    def sleep(self, seconds: float, wake: Flag | None = None) -> None:
        self.wait(wake or Flag(), seconds)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for another thread looks again often, in real seconds."""
    monkeypatch.setattr(budget, "ASK_AGAIN", 0.01)


def run_out(clock: PatientClock, waiters: Waiters) -> None:
    """Let time pass until all waited long enough."""

    def over() -> bool:
        first = sum(bool(line) for line in waiters.limit._lines.values())
        if len(clock.waits) >= first and all(left > 0 for left in clock.waits):  # they did what they had to do
            clock.advance(1)
        return not any(each.is_alive() for each in waiters.threads)

    eventually(over)


def test_threads_get_their_turn_in_the_order_of_arrival(impatient: None) -> None:
    clock = PatientClock()
    limit = RateLimit(1, clock)
    call(limit)
    waiters = Waiters(limit)
    for number in range(5):
        waiters.add(number)
    run_out(clock, waiters)
    assert waiters.order == [0, 1, 2, 3, 4]


def test_only_the_first_of_a_line_asks_the_shared_state(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = PatientClock()
    engine = MemoryLimit(clock)
    limit = RateLimit(1, clock, SharedSlots(Asking(cast(State, engine), clock.monotonic), clock))
    call(limit)
    waiters = Waiters(limit, Flag())
    for number in range(20):
        waiters.add(number)
    eventually(lambda: engine.questions == 2)
    assert waiters.wake is not None
    waiters.wake.set()
    waiters.end()
    assert engine.questions == 2


def test_calls_pass_bulk_calls_that_wait_in_the_same_process(impatient: None) -> None:
    clock = PatientClock()
    limit = RateLimit(1, clock)
    call(limit)
    waiters = Waiters(limit)
    waiters.add("bulk 1", turn=1)
    waiters.add("bulk 2", turn=1)
    waiters.add("call")
    run_out(clock, waiters)
    assert waiters.order[0] == "call"


def test_the_deadline_of_a_call_in_the_middle_of_a_line_ends_its_wait(impatient: None) -> None:
    clock = PatientClock()
    limit = RateLimit(2, clock)
    call(limit)
    call(limit)
    waiters = Waiters(limit)
    waiters.add("first")
    waiters.add("second", until=clock.monotonic() + 30)
    waiters.add("third")
    run_out(clock, waiters)
    assert sorted(map(str, waiters.order)) == ["first", "second is too late", "third"]


def test_a_line_that_is_too_long_for_the_deadline_is_not_joined() -> None:
    clock = PatientClock()
    limit = RateLimit(2, clock)
    call(limit)
    call(limit)
    waiters = Waiters(limit, Flag())
    for number in range(4):
        waiters.add(number)
    with pytest.raises(ThrottledError):
        call(limit, until=clock.monotonic() + 119)
    assert waiters.wake is not None
    waiters.wake.set()
    waiters.end()


def test_the_first_of_a_line_that_is_gone_without_a_trace_is_followed_by_the_next(impatient: None) -> None:
    """Two signals in a row can keep a thread from leaving the line."""
    clock = PatientClock()
    limit = RateLimit(1, clock)
    line = limit._lines[Turn.CALL]
    line.append(gone := budget._Place(clock.monotonic()))
    waiters = Waiters(limit)
    waiters.add("next")
    waiters.add("last")

    def have_looked() -> bool:
        return gone not in line or min(each.seen for each in line[1:]) == clock.monotonic()

    while gone in line:
        clock.advance(1)
        eventually(have_looked)
    eventually(lambda: limit._taken == 1)
    run_out(clock, waiters)
    assert waiters.order == ["next", "last"]


def test_a_thread_that_slept_so_long_that_others_took_it_for_gone_goes_on_when_it_wakes() -> None:
    limit = RateLimit(1, PatientClock())
    line = limit._lines[Turn.CALL]
    sleeper, first = budget._Place(0.0), budget._Place(0.0)
    line += [first, sleeper]
    other = budget._Place(limit._clock.monotonic())
    line.append(other)
    limit._come_first(line, other, None, None)
    assert line == [other]
    limit._come_first(line, sleeper, None, None)
    line.remove(other)
    limit._come_first(line, budget._Place(0.0), None, None)


def test_a_forked_child_does_not_wait_for_threads_that_it_does_not_have(
    make: Callable[[int], RateLimit], clock: FakeClock
) -> None:
    limit = make(1)
    call(limit)
    limit._lines[Turn.CALL].append(budget._Place(clock.monotonic()))
    limit.after_fork()
    assert slept(clock, lambda: call(limit)) == pytest.approx(WINDOW, abs=0.01)  # the parent's calls still count
