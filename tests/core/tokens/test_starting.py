"""Starting, stopping and forking. The real fork is in tests/test_client.py."""

import threading
from typing import Any

import pytest
from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform, at_once, refused, timers

from iot_northbound import NorthApiException, NotAuthorizedError
from iot_northbound.tokens import TokenState


def test_without_a_timer_there_is_no_token(make: Any, platform: Platform) -> None:
    tokens = make()
    for ask in (tokens.current, lambda: tokens.replace("token-0")):
        with pytest.raises(NorthApiException) as caught:
            ask()
        assert caught.value.error_code == "1009"
    assert not platform.logins


def test_the_timer_is_one_daemon_thread_even_if_it_is_started_twice(make: Any, platform: Platform) -> None:
    before = len(timers())
    tokens = make()
    tokens.start()
    tokens.start()
    tokens.current()
    assert len(timers()) == before + 1
    assert all(thread.daemon for thread in timers())
    assert len(platform.logins) == 1


def test_started_by_two_threads_at_once_it_logs_in_once(make: Any, platform: Platform) -> None:
    tokens = make()
    at_once(8, lambda: (tokens.start(), tokens.current()))
    assert len(platform.logins) == 1


def test_a_first_login_that_fails_leaves_the_timer_off_and_can_be_tried_again_at_once(
    make: Any, platform: Platform
) -> None:
    before = len(timers())
    tokens = make()
    platform.outcomes.append(refused())
    with pytest.raises(NotAuthorizedError):
        tokens.start()
    assert len(timers()) == before
    assert not tokens.status().timer_running
    tokens.start()
    assert tokens.current() == "token-2"


def test_stop_joins_the_thread_and_forgets_the_token(make: Any, platform: Platform) -> None:
    before = len(timers())
    tokens = make()
    tokens.start()
    tokens.stop()
    tokens.stop()
    assert len(timers()) == before
    assert (tokens.held, tokens.status().state) == ((), TokenState.NONE)


def test_a_renewal_that_ends_after_stop_brings_no_token_back(make: Any, platform: Platform) -> None:
    tokens = make()
    tokens.start()
    platform.outcomes.append(tokens.stop)
    assert tokens.replace("token-1") == "token-2"
    assert tokens.held == ()


def test_stop_waits_for_a_renewal_in_the_timers_thread(make: Any, platform: Platform, clock: FakeClock) -> None:
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    begun, go_on = threading.Event(), threading.Event()
    platform.outcomes.append(lambda: (begun.set(), go_on.wait(60)))
    clock.advance(801)
    assert begun.wait(60)
    stopping = threading.Thread(target=tokens.stop)
    stopping.start()
    eventually(lambda: not tokens.status().timer_running)
    assert stopping.is_alive()
    go_on.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert tokens.held == ()


def test_if_the_timers_own_thread_stops_it_that_thread_does_not_wait_for_itself(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    before = len(timers())
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    platform.outcomes.append(tokens.stop)
    clock.advance(801)
    eventually(lambda: len(timers()) == before)
    assert tokens.held == ()


def test_it_can_be_stopped_and_started_again(make: Any, platform: Platform, clock: FakeClock) -> None:
    tokens = make()
    for count in range(1, 4):
        tokens.start()
        assert tokens.current() == f"token-{count}"
        tokens.stop()


def test_a_forked_child_gets_its_own_locks_and_thread(make: Any, platform: Platform) -> None:
    """What `after_fork` does; the real fork is in test_client."""
    tokens = make()
    tokens.start()
    parents = tokens._timer
    assert parents is not None
    tokens.after_fork()
    assert tokens.current() == "token-1"
    assert tokens._timer not in (None, parents)
    parents.wake.set()
    parents.join(60)
    assert not parents.is_alive()


def test_a_child_forked_during_a_renewal_does_not_wait_for_the_thread_of_its_parent(
    make: Any, platform: Platform
) -> None:
    tokens = make()
    tokens.start()
    begun, go_on = threading.Event(), threading.Event()
    platform.outcomes.append(lambda: (begun.set(), go_on.wait(60)))
    parents = threading.Thread(target=lambda: tokens.replace("token-1"))
    parents.start()
    assert begun.wait(60)
    timer = tokens._timer
    tokens.after_fork()
    assert tokens.replace("token-1") == "token-3"
    go_on.set()
    parents.join(60)
    timer.wake.set()
