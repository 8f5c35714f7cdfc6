"""Renewal for callers: one at a time, whatever the number of threads, and within each caller's deadline."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform, at_once, refused

from iot_northbound import NotAuthorizedError, RequestTimeoutError
from iot_northbound.tokens import Grant, MemoryTokenStore


def test_a_hundred_threads_that_find_an_expired_token_cause_one_login(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    platform.outcomes.append(lambda: eventually(lambda: len(waiting) == 100))
    waiting: list[int] = []
    clock.advance(platform.expires_in + 1)

    def ask() -> str:
        waiting.append(1)
        return str(tokens.current())

    assert set(at_once(100, ask)) == {"token-2"}
    assert len(platform.logins) == 2


def test_a_hundred_threads_whose_token_was_refused_cause_one_login_even_when_some_come_late(
    make: Any, platform: Platform
) -> None:
    tokens = make()
    tokens.start()
    old = tokens.current()
    assert set(at_once(100, lambda: tokens.replace(old))) == {"token-2"}
    assert tokens.replace(old) == "token-2"
    assert len(platform.logins) == 2


def test_a_thread_that_looked_before_a_renewal_and_asks_after_it_causes_no_second_login(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    class Late(MemoryTokenStore):
        meanwhile: Callable[[], Any] | None = None

        def load(self) -> Grant | None:
            seen, (then, self.meanwhile) = super().load(), (self.meanwhile, None)
            if then is not None:
                then()
            return seen

    store = Late()
    tokens = make(store)
    tokens._running = True  # without the timer's thread, which would look too
    tokens._timer = SimpleNamespace(wake=threading.Event(), is_alive=lambda: False)
    tokens.current()
    clock.advance(platform.expires_in + 1)
    store.meanwhile = tokens.current
    assert tokens.current() == "token-2"
    assert len(platform.logins) == 2


def test_threads_that_wait_share_a_failed_login_and_each_gets_its_own_exception(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    tokens = make()
    tokens.start()
    platform.outcomes.append(refused())
    found = at_once(100, lambda: tokens.replace("token-1"))
    assert {(type(each), each.error_code, each.http_status_code) for each in found} == {
        (NotAuthorizedError, "100208", 401)
    }
    assert len({id(each) for each in found}) == 100
    assert len(platform.logins) == 2
    assert tokens.status().failures_in_a_row == 1
    clock.advance(1.1)
    eventually(lambda: tokens.status().failures_in_a_row == 0)


def test_the_login_keeps_the_deadline_of_the_call_that_needs_it(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    tokens = make()
    tokens.start()
    until = clock.monotonic() + 0.3
    tokens.replace("token-1", until)
    assert platform.deadlines == [None, until]


def test_a_thread_waits_for_the_renewal_of_another_no_longer_than_its_own_deadline(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    tokens = make()
    tokens.start()
    go_on, begun = threading.Event(), threading.Event()
    platform.outcomes.append(lambda: (begun.set(), go_on.wait(60)))
    leader = threading.Thread(target=lambda: tokens.replace("token-1"))
    leader.start()
    assert begun.wait(60)
    found: list[Any] = []
    follower = threading.Thread(
        target=lambda: found.extend(at_once(1, lambda: tokens.replace("token-1", clock.monotonic() + 5)))
    )
    follower.start()
    eventually(lambda: any(0 < each <= 5 for each in clock.waits))
    clock.advance(6)
    follower.join(60)
    go_on.set()
    leader.join(60)
    assert isinstance(found[0], RequestTimeoutError)
    assert tokens.current() == "token-2"


def test_a_leader_whose_deadline_is_near_does_not_fail_threads_that_have_more_time(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    tokens = make()
    tokens.start()
    begun = threading.Event()

    def too_slow() -> None:
        begun.set()
        eventually(lambda: len(clock.waits) >= 2)  # the timer, and the one who follows
        clock.advance(0.4)
        raise RequestTimeoutError("1003", "no answer came in time")

    platform.outcomes.append(too_slow)
    found: dict[str, Any] = {}
    hasty = threading.Thread(
        target=lambda: found.update(hasty=at_once(1, lambda: tokens.replace("token-1", clock.monotonic() + 0.3)))
    )
    hasty.start()
    assert begun.wait(60)
    found["patient"] = at_once(1, lambda: tokens.replace("token-1", clock.monotonic() + 60))
    hasty.join(60)
    assert isinstance(found["hasty"][0], RequestTimeoutError)
    assert found["patient"] == ["token-3"]
