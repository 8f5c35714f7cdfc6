"""One process renews the token: who waits for it, and who takes over."""

from typing import Any

import pytest
from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform
from tests.core.tokens.shared.rig import LEASE, LIFE, Shifted, started

from iot_northbound import ClientClosedError, RequestTimeoutError
from iot_northbound.tokens import Grant


def test_a_waiter_takes_over_when_the_renewer_died(new: Any, platform: Platform, clock: FakeClock) -> None:
    dead, waiting = started(new), started(new)
    dead.state.acquire("dead", LEASE, 0)
    before = clock.now()
    assert waiting.tokens.current() == "token-1"
    assert LEASE <= clock.now() - before < LEASE + 0.6
    assert waiting.keeper.waits.value > 3


def test_a_waiter_does_not_wait_beyond_its_deadline(new: Any, platform: Platform, clock: FakeClock) -> None:
    other, waiting = started(new), started(new)
    other.state.acquire("other", 60, 0)
    with pytest.raises(RequestTimeoutError, match=r"1003: another process's renewal of the token did not end before"):
        waiting.tokens.current(clock.monotonic() + 2)
    assert platform.logins == []


def test_who_waits_while_the_client_is_closed_stops_waiting(new: Any, clock: FakeClock) -> None:
    other, waiting = started(new), started(new)
    other.state.acquire("other", 60, 0)
    waiting.before["acquire"] = waiting.keeper.forget
    with pytest.raises(ClientClosedError):
        waiting.tokens.current()


def test_a_lease_is_extended_while_the_platform_is_slow(new: Any, platform: Platform, clock: FakeClock) -> None:
    one, other = started(new), started(new)
    seen: list[Any] = []

    def slow() -> None:
        for _ in range(6):
            eventually(lambda: clock.waits)
            clock.advance(LEASE / 3 + 0.01)
            eventually(lambda: one.state.status().lease_left > LEASE * 0.9)
        seen.append(other.state.acquire("other", LEASE, 0))

    platform.outcomes = [slow]
    one.tokens.current()
    assert type(seen[0]).__name__ == "Busy"


def test_who_froze_while_it_took_the_lease_begins_again(new: Any, platform: Platform, clock: FakeClock) -> None:
    one = started(new)
    acquire = one.state.acquire

    def freezing(*arguments: Any) -> Any:
        answer = acquire(*arguments)
        one.state.acquire = acquire
        clock.advance(LEASE * 0.7)
        return answer

    one.state.acquire = freezing
    assert one.tokens.current() == "token-1"
    assert one.state.acquire("other", LEASE, 1).fence == 3


def test_a_late_finisher_whose_token_is_older_uses_the_stored_one(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    late, successor = started(new), started(new)

    def freeze() -> None:
        clock.advance(LEASE * 4)
        assert successor.tokens.current() == "token-2"

    late.keeper._keep_lease = lambda *_: None  # type: ignore[method-assign]
    platform.outcomes = [freeze]
    assert late.tokens.current() == "token-2" == successor.tokens.current()
    assert late.keeper.lost_fences.value == 1


def test_a_token_that_was_surely_sent_for_later_is_kept_whoever_has_the_lease(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    late, successor = started(new), started(new)
    fence = late.state.acquire("late", LEASE, 0).fence
    clock.advance(LEASE * 4)  # frozen before its login
    assert successor.tokens.current() == "token-1"
    clock.advance(1)
    assert late.keeper._keep(fence, Grant("token-late", None, clock.now(), LIFE), clock.monotonic())
    assert successor.tokens.current() == "token-late"


def test_a_late_finisher_that_froze_while_it_stored_its_token_does_not_end_a_living_one(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    late, successor = started(new), started(new)

    def freeze() -> None:
        late.before.clear()
        clock.advance(LEASE * 4)
        assert successor.tokens.current() == "token-2"
        clock.advance(1)

    late.keeper._keep_lease = lambda *_: None  # type: ignore[method-assign]
    late.before["save"] = freeze
    assert late.tokens.current() == "token-2"
    assert late.keeper.lost_fences.value == 1


def test_a_late_finisher_whose_successor_is_still_busy_waits_for_it(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    late = started(new)
    late.tokens.current()

    def freeze() -> None:  # before the clock has moved on, which is what a clock that is set back looks like
        late.state._clock = Shifted(clock, 10)
        assert late.state.acquire("successor", LEASE, 1).fence == 3
        late.state._clock = clock

    late.keeper._keep_lease = lambda *_: None  # type: ignore[method-assign]
    platform.outcomes = [freeze]
    assert late.tokens.replace("token-1") == "token-3"
    assert late.keeper.lost_fences.value == 1
