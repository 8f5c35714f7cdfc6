"""Several processes use one token, from the first login to the last stop."""

import threading
import time
from collections import deque
from typing import Any
from unittest import mock

from tests.clock import FakeClock
from tests.core.tokens.rig import Platform, at_once, refused
from tests.core.tokens.shared.rig import LIFE, started

from iot_northbound.tokens import Grant


def test_processes_start_with_one_login(new: Any, platform: Platform) -> None:
    crew = [new() for _ in range(4)]
    for each in crew:
        each.tokens.start()
    assert {each.tokens.current() for each in crew} == {"token-1"}
    assert len(platform.logins) == 1


def test_many_threads_of_many_processes_renew_a_refused_token_once(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    clock.sleep = lambda seconds, wake=None: time.sleep(0.002)  # type: ignore[method-assign]  # no lease ends by itself
    crew = [started(new) for _ in range(4)]
    for each in crew:
        assert each.tokens.current() == "token-1"
    turns = deque(crew * 10)
    found = at_once(40, lambda: turns.popleft().tokens.replace("token-1"))
    assert set(found) == {"token-2"}
    assert len(platform.logins) == 2


def test_a_token_that_another_process_got_replaces_a_refused_one_without_a_login(new: Any, platform: Platform) -> None:
    one, other = started(new), started(new)
    one.tokens.current()
    other.tokens.current()
    assert one.tokens.replace("token-1") == "token-2"
    assert other.tokens.replace("token-1") == "token-2"
    assert other.tokens.current() == "token-2"
    assert len(platform.logins) == 2


def test_reading_a_token_twice_does_not_look_like_a_newer_one(new: Any, platform: Platform, clock: FakeClock) -> None:
    one = started(new)
    one.tokens.current()
    clock.advance(LIFE + 1)
    assert one.tokens.current() == "token-2"
    assert len(platform.logins) == 2


def test_the_refresh_token_is_shared_too(new: Any, platform: Platform, clock: FakeClock) -> None:
    platform.with_refresh = True
    one, other = started(new), started(new)
    one.tokens.current()
    clock.advance(LIFE + 1)
    assert other.tokens.current() == "token-2"
    assert platform.refreshes == ["refresh-1"]


def test_a_refused_refresh_token_leads_to_a_login_under_the_same_lease(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    platform.with_refresh = True
    one = started(new)
    one.tokens.current()
    clock.advance(LIFE + 1)
    platform.outcomes = [refused()]
    assert one.tokens.current() == "token-3"
    assert one.state.status().gen == 2


def test_machines_whose_clocks_differ_use_one_token_for_the_same_time(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    right, wrong = started(new), started(new, shift=-2700.0)
    right.tokens.current()
    assert wrong.tokens.current() == "token-1"
    clock.advance(LIFE - 1)
    assert {right.tokens.current(), wrong.tokens.current()} == {"token-1"}
    clock.advance(2)
    assert wrong.tokens.current() == right.tokens.current() == "token-2"
    assert len(platform.logins) == 2


def test_stopping_leaves_the_token_for_the_others_and_for_the_next_start(new: Any, platform: Platform) -> None:
    one, other = new(), started(new)
    one.tokens.start()
    one.tokens.stop()
    assert one.keeper.known() is None
    assert other.tokens.current() == "token-1"
    one.tokens.start()
    assert one.tokens.current() == "token-1"
    assert len(platform.logins) == 1


def test_a_token_that_the_application_got_itself_is_everybodys_even_without_a_timer(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one, other = started(new), new()
    one.tokens.current()
    clock.advance(1)
    other.tokens.adopt(Grant("token-own", None, clock.now(), LIFE))
    assert one.tokens.current() == "token-own"
    other.tokens.adopt(Grant("token-old", None, clock.now() - 1, LIFE))
    assert one.tokens.current() == "token-own"


def test_a_cleared_token_is_not_put_back(new: Any, platform: Platform) -> None:
    one, other = started(new), started(new)
    one.tokens.current()
    other.tokens.current()
    one.state.clear()
    assert other.tokens.current() == "token-2" == one.tokens.current()


def test_a_forked_child_is_another_owner(new: Any) -> None:
    one = new()
    before = one.keeper._owner
    one.tokens.after_fork()
    assert one.keeper._owner != before


def test_a_renewal_needs_no_thread_while_the_program_ends(new: Any, platform: Platform) -> None:
    with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't create new thread")):
        assert started(new).tokens.current() == "token-1"
    assert len(platform.logins) == 1
