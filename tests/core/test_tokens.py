"""The token's life: one renewal at a time, ahead of its end, past every failure. No network: see test_client."""

import logging
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.clock import FakeClock, eventually

from iot_northbound import NorthApiException, NotAuthorizedError, RequestTimeoutError
from iot_northbound.core.tokens import Tokens
from iot_northbound.tokens import Grant, MemoryTokenStore, TokenState

Outcome = Exception | Callable[[], Any] | None


class Platform:
    """Gives out tokens; `fail` holds what logins and refreshes raise, one each, or do, before they go on."""

    def __init__(self, clock: FakeClock, expires_in: float = 1000, refresh: bool = False) -> None:
        self.clock = clock
        self.expires_in = expires_in
        self.with_refresh = refresh
        self.logins: list[str] = []
        self.refreshes: list[str] = []
        self.outcomes: list[Outcome] = []
        self.untils: list[float | None] = []

    def _grant(self, until: float | None) -> Grant:
        self.untils.append(until)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            outcome()
        number = len(self.logins) + len(self.refreshes)
        refresh = f"refresh-{number}" if self.with_refresh else None
        return Grant(f"token-{number}", refresh, self.clock.now(), self.expires_in)

    def login(self, until: float | None) -> Grant:
        self.logins.append(threading.current_thread().name)
        return self._grant(until)

    def refresh(self, refresh_token: str, until: float | None) -> Grant:
        self.refreshes.append(refresh_token)
        return self._grant(until)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def platform(clock: FakeClock) -> Platform:
    return Platform(clock)


@pytest.fixture
def make(clock: FakeClock, platform: Platform) -> Iterator[Callable[..., Tokens]]:
    made: list[Tokens] = []

    def new(store: Any = None) -> Tokens:
        made.append(Tokens(platform.login, platform.refresh, store or MemoryTokenStore(), clock))
        return made[-1]

    yield new
    for each in made:
        each._store = MemoryTokenStore()
        each.stop()


def refused(status: int | None = 401) -> NotAuthorizedError:
    return NotAuthorizedError("100208", "wrong secret", http_status_code=status)


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """Do it in that many threads that start together; return results and exceptions."""
    ready = threading.Barrier(count, timeout=20)
    found: list[Any] = []

    def run() -> None:
        ready.wait()
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001  # they are what the test looks at
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == count
    return found


def timers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "iot-northbound-token-timer"]


# -- for callers -------------------------------------------------------------------------------------------------------


def test_without_a_timer_there_is_no_token(make: Any, platform: Platform) -> None:
    tokens = make()
    for ask in (tokens.current, lambda: tokens.replace("token-0")):
        with pytest.raises(NorthApiException) as caught:
            ask()
        assert caught.value.error_code == "1009"
    assert not platform.logins


def test_a_hundred_threads_that_meet_an_expired_token_cause_one_login(
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


def test_who_looked_before_anothers_renewal_and_asks_after_it_causes_no_second_one(
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


def test_a_login_that_fails_is_shared_by_those_who_wait_each_with_an_exception_of_its_own(
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
    assert platform.untils == [None, until]


def test_who_waits_for_anothers_renewal_waits_no_longer_than_its_own_deadline(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    tokens = make()
    tokens.start()
    go_on, begun = threading.Event(), threading.Event()
    platform.outcomes.append(lambda: (begun.set(), go_on.wait(10)))
    leader = threading.Thread(target=lambda: tokens.replace("token-1"))
    leader.start()
    assert begun.wait(10)
    found: list[Any] = []
    follower = threading.Thread(
        target=lambda: found.extend(at_once(1, lambda: tokens.replace("token-1", clock.monotonic() + 5)))
    )
    follower.start()
    eventually(lambda: any(0 < each <= 5 for each in clock.waits))
    clock.advance(6)
    follower.join(10)
    go_on.set()
    leader.join(10)
    assert isinstance(found[0], RequestTimeoutError)
    assert tokens.current() == "token-2"


def test_a_leader_short_of_time_does_not_fail_those_who_have_more(
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
    assert begun.wait(10)
    found["patient"] = at_once(1, lambda: tokens.replace("token-1", clock.monotonic() + 60))
    hasty.join(10)
    assert isinstance(found["hasty"][0], RequestTimeoutError)
    assert found["patient"] == ["token-3"]


def test_a_token_the_application_fetched_itself_is_taken_over(make: Any, platform: Platform, clock: FakeClock) -> None:
    tokens = make()
    tokens.adopt(Grant("early", None, clock.now(), 1000))
    assert tokens.status().state is TokenState.NONE
    tokens.start()
    tokens.adopt(Grant("mine", None, clock.now(), 1000))
    assert tokens.current() == "mine"
    assert tokens.replace("token-1") == "mine"


def test_a_token_taken_over_ends_a_run_of_failures(make: Any, platform: Platform, clock: FakeClock) -> None:
    tokens = make()
    tokens.start()
    platform.outcomes.append(refused())
    with pytest.raises(NotAuthorizedError):
        tokens.replace("token-1")
    tokens.adopt(Grant("mine", None, clock.now(), 1000))
    assert (tokens.status().failures_in_a_row, tokens.status().last_error) == (0, None)
    clock.advance(100)
    assert tokens.current() == "mine"
    assert len(platform.logins) == 2


def test_a_token_taken_over_while_a_renewal_is_under_way_breaks_nothing(make: Any, platform: Platform) -> None:
    tokens = make()
    tokens.start()
    platform.outcomes.append(lambda: tokens.adopt(Grant("mine", None, platform.clock.now(), 1000)))
    assert tokens.replace("token-1") == "token-2"
    assert tokens.current() == "token-2"


# -- the timer ---------------------------------------------------------------------------------------------------------


def test_the_timer_renews_ahead_of_the_end_by_login_where_there_is_no_refresh_token(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    assert clock.waits == [pytest.approx(800)]
    clock.advance(801)
    eventually(lambda: len(platform.logins) == 2)
    eventually(lambda: tokens.current() == "token-2")
    assert platform.logins[1] == "iot-northbound-token-timer"


def test_the_timer_renews_by_refresh_token_where_there_is_one(make: Any, platform: Platform, clock: FakeClock) -> None:
    platform.with_refresh = True
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    clock.advance(801)
    eventually(lambda: tokens.current() == "token-2")
    assert (len(platform.logins), platform.refreshes) == (1, ["refresh-1"])


def test_a_refused_refresh_token_leads_to_a_login(make: Any, platform: Platform, clock: FakeClock) -> None:
    platform.with_refresh = True
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    platform.outcomes.append(refused(403))
    clock.advance(801)
    eventually(lambda: tokens.current() == "token-3")
    assert (len(platform.logins), platform.refreshes) == (2, ["refresh-1"])


def test_the_timer_goes_on_after_failures_with_growing_pauses_and_says_so(
    make: Any, platform: Platform, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    platform.outcomes += [refused(), refused(None), ConnectionError("a login of the application's own"), refused()]
    clock.advance(801)
    with caplog.at_level(logging.WARNING, "iot_northbound"):
        for failures, pause in enumerate((1, 2, 4, 8), start=1):
            eventually(lambda: tokens.status().failures_in_a_row == failures and clock.waits)  # noqa: B023
            assert clock.waits == [pytest.approx(pause)]
            assert tokens.status().state is TokenState.STALE
            assert tokens.status().last_error is not None
            assert tokens.current() == "token-1"
            clock.advance(pause + 0.1)
    eventually(lambda: tokens.current() != "token-1")
    assert (tokens.status().failures_in_a_row, tokens.status().last_error) == (0, None)
    assert len([r for r in caplog.records if "will go on trying" in r.message]) == 4
    assert "100208" in caplog.text


def test_pauses_between_failures_end_at_a_minute(make: Any, platform: Platform, clock: FakeClock) -> None:
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    platform.outcomes += [refused() for _ in range(10)]
    clock.advance(801)
    for failures in range(1, 11):
        eventually(lambda: tokens.status().failures_in_a_row == failures and clock.waits)  # noqa: B023
        pause = clock.waits[0]
        clock.advance(pause + 0.01)
    assert pause == pytest.approx(60)


def test_a_store_that_forgets_makes_no_storm_of_logins(make: Any, platform: Platform, clock: FakeClock) -> None:
    class Forgetful(MemoryTokenStore):
        def load(self) -> None:
            return None

    tokens = make(Forgetful())
    tokens.start()
    for count in range(2, 5):
        eventually(lambda: clock.waits)
        assert clock.waits == [pytest.approx(1, abs=0.1)]
        clock.advance(1.1)
        eventually(lambda: len(platform.logins) == count)  # noqa: B023


class Failing(MemoryTokenStore):
    """Fails while told to."""

    def __init__(self) -> None:
        super().__init__()
        self.load_fails = self.save_fails = False

    def load(self) -> Grant | None:
        if self.load_fails:
            raise OSError("disk gone")
        return super().load()

    def save(self, grant: Grant) -> None:
        if self.save_fails:
            raise OSError("disk full")
        super().save(grant)


def test_a_store_that_cannot_save_hangs_nobody(make: Any, platform: Platform, clock: FakeClock) -> None:
    store = Failing()
    tokens = make(store)
    tokens.start()
    store.save_fails = True
    found = at_once(20, lambda: tokens.replace("token-1"))
    assert {(type(each), each.error_code) for each in found} == {(NorthApiException, "1001")}
    with pytest.raises(NorthApiException, match="the token store failed to save: OSError"):
        tokens.adopt(Grant("token-own", None, clock.now(), 1000))
    store.save_fails = False
    clock.advance(1.1)
    assert tokens.replace("token-1") == tokens.current() != "token-1"


def test_a_store_that_cannot_load_is_told_to_callers_and_survived_by_the_timer(
    make: Any, platform: Platform, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing()
    tokens = make(store)
    tokens.start()
    eventually(lambda: clock.waits)
    store.load_fails = True
    with pytest.raises(NorthApiException) as caught:
        tokens.current()
    assert caught.value.error_code == "1001"
    assert tokens.held == ()
    clock.advance(801)
    eventually(lambda: "will go on trying" in caplog.text)
    store.load_fails = False
    clock.advance(2)
    eventually(lambda: tokens.current() == "token-2")


def test_a_store_that_holds_no_grant_is_told_as_that(make: Any) -> None:
    store: Any = MemoryTokenStore()
    tokens = make(store)
    tokens.start()
    store.load = lambda: "token-1"
    for use in (tokens.current, tokens.status):
        with pytest.raises(NorthApiException, match="1001: the token store holds a str, not a Grant or None"):
            use()
    assert tokens.held == ()


def test_the_timer_is_one_daemon_thread_however_often_it_is_started(make: Any, platform: Platform) -> None:
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
    platform.outcomes.append(lambda: (begun.set(), go_on.wait(10)))
    clock.advance(801)
    assert begun.wait(10)
    stopping = threading.Thread(target=tokens.stop)
    stopping.start()
    eventually(lambda: not tokens.status().timer_running)
    assert stopping.is_alive()
    go_on.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert tokens.held == ()


def test_stopped_by_its_own_thread_it_does_not_wait_for_itself(make: Any, platform: Platform, clock: FakeClock) -> None:
    before = len(timers())
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    platform.outcomes.append(tokens.stop)
    clock.advance(801)
    eventually(lambda: len(timers()) == before)
    assert tokens.held == ()


def test_stopped_and_started_again_it_works(make: Any, platform: Platform, clock: FakeClock) -> None:
    tokens = make()
    for count in range(1, 4):
        tokens.start()
        assert tokens.current() == f"token-{count}"
        tokens.stop()


def test_a_short_life_is_renewed_no_more_than_once_a_second(make: Any, platform: Platform, clock: FakeClock) -> None:
    platform.expires_in = 0.001
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    assert clock.waits[0] == pytest.approx(1)


def test_the_status_tells_the_tokens_age_and_never_the_token(make: Any, platform: Platform, clock: FakeClock) -> None:
    platform.with_refresh = True
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    status = tokens.status()
    assert (status.state, status.timer_running, status.renewals) == (TokenState.FRESH, True, 1)
    assert status.expires_at == pytest.approx(clock.now() + 1000)
    assert set(tokens.held) == {"token-1", "refresh-1"}
    assert "token-1" not in repr(status)
    assert "-1" not in repr(Grant("token-1", "refresh-1", 0, 5))
    platform.outcomes += [refused(), refused()]
    clock.advance(1001)
    eventually(lambda: tokens.status().failures_in_a_row)
    assert tokens.status().state is TokenState.EXPIRED


def test_a_forked_child_gets_locks_and_a_thread_of_its_own(make: Any, platform: Platform) -> None:
    """What `after_fork` does; the real fork is in test_client."""
    tokens = make()
    tokens.start()
    parents = tokens._timer
    assert parents is not None
    tokens.after_fork()
    assert tokens.current() == "token-1"
    assert tokens._timer not in (None, parents)
    parents.wake.set()
    parents.join(10)
    assert not parents.is_alive()


def test_a_child_forked_during_a_renewal_does_not_wait_for_the_parents_thread(make: Any, platform: Platform) -> None:
    tokens = make()
    tokens.start()
    begun, go_on = threading.Event(), threading.Event()
    platform.outcomes.append(lambda: (begun.set(), go_on.wait(10)))
    parents = threading.Thread(target=lambda: tokens.replace("token-1"))
    parents.start()
    assert begun.wait(10)
    timer = tokens._timer
    tokens.after_fork()
    assert tokens.replace("token-1") == "token-3"
    go_on.set()
    parents.join(10)
    timer.wake.set()
