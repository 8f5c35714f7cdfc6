"""The limit of calls per minute: who waits, until when a call counts, and what happens if the shared state is away."""

import contextlib
import threading
from collections.abc import Callable
from typing import cast

import pytest
from tests.clock import FakeClock, eventually
from tests.shared.limit_rules import MemoryLimit

from iot_northbound import NorthApiException, RequestTimeoutError, ThrottledError
from iot_northbound.core import budget
from iot_northbound.core.asking import TRY_AGAIN, Asking
from iot_northbound.core.budget import NoLimit, RateLimit, bulk
from iot_northbound.core.retry import AttemptFailed, Outcome
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.slot_sources import SharedSlots
from iot_northbound.shared import State
from iot_northbound.shared.slots import FRESH, WINDOW, Turn
from iot_northbound.shared.state import HeldSlot, StateAwayError


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(clock: FakeClock) -> MemoryLimit:
    """An engine that is not new."""
    engine = MemoryLimit(clock)
    engine.put_back([])
    clock.advance(FRESH)
    return engine


@pytest.fixture
def process(engine: MemoryLimit, clock: FakeClock) -> Callable[[int], RateLimit]:
    """Make the limit of one process of an application."""
    return lambda calls: RateLimit(calls, clock, SharedSlots(Asking(cast(State, engine), clock.monotonic), clock))


@pytest.fixture(params=["own", "shared"])
def make(
    request: pytest.FixtureRequest, clock: FakeClock, process: Callable[[int], RateLimit]
) -> Callable[[int], RateLimit]:
    return process if request.param == "shared" else lambda calls: RateLimit(calls, clock)


def call(limit: RateLimit, seconds: float = 0.0, clock: FakeClock | None = None, until: float | None = None) -> None:
    with limit.slot(until):
        if clock is not None:
            clock.advance(seconds)


def calls(limit: RateLimit, count: int) -> None:
    for _ in range(count):
        call(limit)


def fail(limit: RateLimit, error: BaseException) -> None:
    with pytest.raises(type(error)), limit.slot(None):
        raise error


def failure(outcome: Outcome, error: NorthApiException | None = None) -> AttemptFailed:
    return AttemptFailed(error or RequestTimeoutError("1003", "no answer"), outcome)


def slept(clock: FakeClock, work: Callable[[], object]) -> float:
    before = sum(clock.slept)
    work()
    return sum(clock.slept) - before


def test_a_call_counts_for_a_minute_after_its_answer(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(3)
    for _ in range(3):
        call(limit, 10, clock)
    assert slept(clock, lambda: call(limit)) == pytest.approx(WINDOW - 20, abs=0.01)
    assert slept(clock, lambda: call(limit)) == pytest.approx(10, abs=0.01)


def test_a_turn_beyond_the_deadline_is_refused_at_once_and_takes_no_turn(
    make: Callable[[int], RateLimit], clock: FakeClock
) -> None:
    limit = make(1)
    call(limit)
    for _ in range(5):
        with pytest.raises(
            ThrottledError, match="own limit of 1 calls per minute allows this call only after"
        ) as caught:
            call(limit, until=clock.monotonic() + 59)
    assert caught.value.error_code == "1010009"
    assert clock.slept == []
    assert slept(clock, lambda: call(limit, until=clock.monotonic() + 61)) == pytest.approx(WINDOW, abs=0.01)


def test_a_call_that_was_not_sent_does_not_count(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(1)
    fail(limit, failure(Outcome.NOT_SENT))
    fail(limit, NorthApiException("1001", "the client is closed"))
    call(limit)
    assert clock.slept == []


@pytest.mark.parametrize("error", [failure(Outcome.UNKNOWN), KeyboardInterrupt()])
def test_a_call_without_an_answer_counts_as_long_as_it_may_arrive(
    make: Callable[[int], RateLimit], clock: FakeClock, error: BaseException
) -> None:
    limit = make(1)
    with pytest.raises(type(error)), limit.slot(None, longest=25):
        raise error
    assert slept(clock, lambda: call(limit)) == pytest.approx(WINDOW + 25, abs=0.01)


def test_an_answered_failure_counts_like_a_success(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(1)
    fail(limit, failure(Outcome.FINAL))
    assert slept(clock, lambda: call(limit)) == pytest.approx(WINDOW, abs=0.01)


def test_a_refusal_by_the_platform_pauses_everybody_longer_each_time(
    make: Callable[[int], RateLimit], clock: FakeClock
) -> None:
    limit = make(1000)
    refusal = failure(Outcome.REFUSED_UNREAD, ThrottledError("1010009", "too many"))
    for expected in (5, 10, 20, 40, 60, 60):
        fail(limit, refusal)
        assert slept(clock, lambda: wait(limit)) == pytest.approx(expected, abs=0.01)
    call(limit)
    fail(limit, refusal)
    assert slept(clock, lambda: call(limit)) == pytest.approx(5, abs=0.01)
    assert limit.stats().refused_by_platform == 7


def wait(limit: RateLimit) -> None:
    """Wait for a turn, and send nothing."""
    fail(limit, failure(Outcome.NOT_SENT))


def test_the_platform_says_how_long_the_pause_is_within_reason(
    make: Callable[[int], RateLimit], clock: FakeClock
) -> None:
    limit = make(1000)
    for asked, granted in ((17.0, 17), (1e9, budget.PAUSE_LONGEST)):
        error = ThrottledError("1010009", "too many", retry_after=asked)
        fail(limit, failure(Outcome.REFUSED_UNREAD, error))
        assert slept(clock, lambda: wait(limit)) == pytest.approx(granted, abs=0.01)


def test_calls_that_are_refused_together_count_once(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(1000)
    refusal = failure(Outcome.REFUSED_UNREAD, ThrottledError("1010009", "too many"))
    calls = [limit.slot(None) for _ in range(8)]
    for each in calls:
        each.__enter__()
    for each in calls:
        assert not each.__exit__(type(refusal), refusal, None)
    assert slept(clock, lambda: call(limit)) == pytest.approx(5, abs=0.01)


def test_bulk_calls_come_evenly_and_a_call_goes_first(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(60)
    with bulk():
        calls(limit, 10)
        assert slept(clock, lambda: call(limit)) == pytest.approx(1, abs=0.1)
    assert slept(clock, lambda: call(limit)) == 0


def test_a_block_of_bulk_calls_ends_with_its_exception_and_may_contain_another(clock: FakeClock) -> None:
    limit = RateLimit(60, clock)
    with contextlib.suppress(ValueError), bulk():
        with bulk():
            pass
        assert slept(clock, lambda: calls(limit, 10)) > 5
        raise ValueError
    assert slept(clock, lambda: calls(limit, 10)) == 0


def test_a_thread_of_a_bulk_block_makes_calls_that_are_not_bulk(clock: FakeClock) -> None:
    limit = RateLimit(60, clock)
    with bulk():
        thread = threading.Thread(target=lambda: calls(limit, 20))
        thread.start()
        thread.join(60)
    assert clock.slept == []


def test_a_login_waits_two_seconds_at_most_and_counts(make: Callable[[int], RateLimit], clock: FakeClock) -> None:
    limit = make(2)
    call(limit)
    call(limit, 10, clock)

    def login() -> None:
        with limit.slot(None, login=True):
            pass

    assert slept(clock, login) == pytest.approx(budget.LOGIN_PATIENCE, abs=0.01)
    clock.advance(WINDOW - 10)  # the first call counts no more
    assert slept(clock, lambda: call(limit)) == pytest.approx(8, abs=0.01)
    assert slept(clock, lambda: call(limit)) == pytest.approx(budget.LOGIN_PATIENCE, abs=0.01)


def test_no_limit_never_waits(clock: FakeClock) -> None:
    limit = NoLimit()
    for _ in range(1000):
        with limit.slot(None):
            pass
    limit.after_fork()


# -- the line ----------------------------------------------------------------------------------------------------------


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


# -- the shared state is away, or lost its data ------------------------------------------------------------------------


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
