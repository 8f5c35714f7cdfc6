"""What is still a repetition after a restart, and after somebody set the clock."""

from __future__ import annotations

import pytest

from iot_northbound.testing.messages import push_body
from tests.push.duplicates.parts import ADDED, ALARM, DATA, PRECISE, READING, WINDOW, Posted, state


@pytest.mark.parametrize("body", [DATA, PRECISE, ALARM, ADDED])
@pytest.mark.parametrize("back", [1, 90, 1_000_000])
def test_nothing_is_recognised_across_a_clock_that_was_set_back(posted: Posted, body: bytes, back: float) -> None:
    posted.handled(body, apart=30)
    posted.clock.advance(-(30 + back))
    posted.handled(state(device="another"))
    posted.clock.advance(back + 60)
    assert posted.handled(body, body, apart=5) == [True, False]


def test_threads_that_overtake_each_other_do_not_count_as_a_clock_set_back(posted: Posted) -> None:
    posted.handled(DATA, apart=1)
    posted.handled(state(device="another"), apart=-0.1)
    assert posted.handled(state(device="a third"), DATA) == [True, False]


@pytest.mark.parametrize("body", [DATA, PRECISE])
def test_what_is_certain_stays_so_across_a_restart(restarted: Posted, body: bytes) -> None:
    assert restarted.handled(body, state(), body, apart=1) == [True, True, False]
    restarted.clock.advance(WINDOW)
    assert restarted.handled(body) == [True]


@pytest.mark.parametrize("body", [ADDED, state(), ALARM, READING, push_body("commandStatusChanged")])
def test_what_is_not_certain_is_new_after_a_restart_as_a_closed_port_refuses_unseen(
    restarted: Posted, body: bytes
) -> None:
    assert restarted.handled(body, body, body, apart=10) == [True] * 3


@pytest.mark.parametrize("back", [1, 90, 1_000_000])
def test_a_clock_that_was_set_back_is_noticed_across_a_restart(restarted: Posted, back: float) -> None:
    restarted.handled(DATA, apart=30)
    restarted.clock.advance(-(30 + back))
    restarted.handled(state(device="another"))
    restarted.clock.advance(back + 60)
    assert restarted.handled(DATA, DATA, apart=5) == [True, False]


def test_an_inbox_in_memory_that_was_stopped_meanwhile_knows_what_is_certain(posted: Posted) -> None:
    posted.handled(DATA, ALARM, ADDED, apart=5)
    posted.inbox.stop()
    posted.inbox.start(lambda _id, _device: None)
    assert posted.handled(DATA, ALARM, ADDED) == [False, True, True]


@pytest.mark.parametrize("by", [3_000.0, 2.5, 0.3, -0.3, -90.0])
@pytest.mark.parametrize("body", [DATA, ALARM, ADDED])
def test_a_clock_that_somebody_sets_makes_everything_new(posted: Posted, body: bytes, by: float) -> None:
    posted.handled(body, apart=0.5)
    posted.clock.set_time_of_day(by)
    assert posted.put(body)
    posted.clock.advance(5)
    assert not posted.put(body)


def test_a_clock_that_somebody_sets_in_small_steps_makes_everything_new_too(posted: Posted) -> None:
    posted.handled(ALARM)
    for _ in range(9):
        posted.clock.advance(0.1)
        posted.clock.set_time_of_day(0.2)
        posted.put(state())
    assert posted.put(ALARM)  # 0.9 s later, 2.7 s by the time of day


def test_a_clock_that_is_only_read_late_was_not_set(posted: Posted) -> None:
    posted.handled(DATA)
    monotonic, late = posted.clock.monotonic, [0.0, 5.0]  # this thread was held up between the two
    posted.clock.monotonic = lambda: monotonic() + late.pop(0)  # type: ignore[method-assign]
    assert not posted.put(DATA)


def test_a_clock_set_far_ahead_and_back_does_not_forget_for_ever(posted: Posted) -> None:
    posted.clock.advance(1e9)
    posted.handled(DATA)
    posted.clock.advance(-1e9)
    assert posted.handled(DATA, DATA, apart=1) == [True, False]
