"""The timers of several processes: the first one renews the token for all."""

from typing import Any

import pytest
from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform, refused
from tests.core.tokens.shared.rig import LEASE, LIFE, started

from iot_northbound.shared.state import Mine


def test_each_process_draws_its_own_moment(new: Any) -> None:
    assert [new(chance=chance).keeper.part for chance in (0.0, 0.5, 1.0)] == pytest.approx([0.75, 0.775, 0.8])


def timers(clock: FakeClock) -> list[float]:
    """Return the waits of timers. A shorter one is that of a lease, while a renewal is still in progress."""
    return [seconds for seconds in clock.waits if seconds > LEASE]


def test_the_first_timer_renews_for_all(new: Any, platform: Platform, clock: FakeClock) -> None:
    crew = [new(chance=chance) for chance in (0.0, 1.0)]
    for each in crew:
        each.tokens.start()
    eventually(lambda: timers(clock) == pytest.approx([0.75 * LIFE, 0.8 * LIFE]))
    clock.advance(0.76 * LIFE)
    eventually(lambda: timers(clock) == pytest.approx([0.04 * LIFE, 0.75 * LIFE]))
    clock.advance(0.05 * LIFE)  # the other one's moment: it sees the new token
    eventually(lambda: timers(clock) == pytest.approx([0.7 * LIFE, 0.75 * LIFE]))
    assert {each.tokens.current() for each in crew} == {"token-2"}
    assert len(platform.logins) == 2


def test_a_timer_does_not_renew_the_token_that_another_process_got_at_the_same_moment(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one, other = new(), started(new)
    one.tokens.start()
    eventually(lambda: timers(clock) == pytest.approx([0.75 * LIFE]))
    read = one.state.read

    def slowly() -> Any:
        found = read()
        one.state.read = read
        other.tokens.replace("token-1")
        return found

    one.state.read = slowly
    clock.advance(0.76 * LIFE)
    eventually(lambda: len(platform.logins) > 1 and timers(clock) == pytest.approx([0.75 * LIFE]))
    assert len(platform.logins) == 2


def test_a_timer_whose_renewal_failed_leaves_the_token_alone_that_another_process_has_got_since(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one, other = new(), started(new)
    one.tokens.start()
    eventually(lambda: timers(clock) == pytest.approx([0.75 * LIFE]))
    platform.outcomes = [refused(None)]
    clock.advance(0.76 * LIFE)
    eventually(lambda: one.tokens.status().failures_in_a_row == 1 and clock.waits == pytest.approx([1.0]))
    assert other.tokens.replace("token-1") == "token-3"
    clock.advance(1.1)
    eventually(lambda: one.tokens.status().failures_in_a_row == 0 and timers(clock))
    assert len(platform.logins) == 3
    assert timers(clock) == pytest.approx([0.75 * LIFE - 1.1])


def test_a_timer_that_finds_the_lease_taken_looks_again_soon(new: Any, platform: Platform, clock: FakeClock) -> None:
    one, other = new(), started(new)
    one.tokens.start()
    eventually(lambda: clock.waits)
    assert isinstance(other.state.acquire("other", LIFE, 1), Mine)
    clock.advance(0.76 * LIFE)
    eventually(lambda: clock.waits and 0 < clock.waits[0] <= 0.5)
    assert one.tokens.current() == "token-1"
    assert one.tokens.status().failures_in_a_row == 0


def test_the_timer_says_nothing_of_an_outage_while_the_token_is_good(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one = new()
    one.tokens.start()
    eventually(lambda: clock.waits)
    one.is_away = True
    clock.advance(0.76 * LIFE)
    eventually(lambda: clock.waits and 0 < clock.waits[0] <= 0.5)
    assert one.tokens.status().failures_in_a_row == 0
