"""The token of several processes: each `Process` here has a connection, a timer and a moment of its own."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform, at_once, refused

from iot_northbound import (
    ClientClosedError,
    ConnectionFailedError,
    NorthApiException,
    NotAuthorizedError,
    RequestTimeoutError,
    SharedStateError,
)
from iot_northbound.core.asking import Asking
from iot_northbound.core.refusals import Refusals
from iot_northbound.core.shared_tokens import SharedTokens
from iot_northbound.core.tokens import Tokens
from iot_northbound.shared import StateAwayError, open_state
from iot_northbound.shared.seal import Seal
from iot_northbound.tokens import Grant, TokenState

APPLICATION = "platform.example:8743/app"
SECRET = "invented-secret"
LIFE, LEASE = 1000.0, 5.0


class Process:
    """One process: its connection, its keeper and its tokens. `is_away` cuts the connection."""

    def __init__(
        self, folder: Path, clock: FakeClock, platform: Platform, secret: str, away: str, chance: float, shift: float
    ) -> None:
        self.is_away = False
        self.before: dict[str, Callable[[], Any]] = {}
        self.clock = clock
        self.state: Any = open_state(f"file:{folder}/shared.sqlite3?lease={LEASE}", APPLICATION, clock=clock)
        own = Shifted(clock, shift) if shift else clock
        asking = Asking(self, clock.monotonic)  # type: ignore[arg-type]
        self.keeper = SharedTokens(
            asking, Seal(APPLICATION, secret), own, away=away, app_id="app", chance=lambda: chance
        )
        self.tokens = Tokens(
            lambda until: self._moved(platform.login(until), shift),
            lambda token, until: self._moved(platform.refresh(token, until), shift),
            self.keeper,
            own,
        )

    @staticmethod
    def _moved(grant: Grant, shift: float) -> Grant:
        return Grant(grant.access_token, grant.refresh_token, grant.granted_at + shift, grant.expires_in)

    def __getattr__(self, name: str) -> Any:
        """Return a step of the state, or an attribute of it."""
        step = getattr(self.state, name)
        if not callable(step):
            return step

        def asked(*arguments: Any) -> Any:
            if self.is_away:
                raise StateAwayError("connection refused")
            self.before.get(name, lambda: None)()
            return step(*arguments)

        return asked


class Shifted:
    """A machine whose time of day is wrong."""

    def __init__(self, clock: FakeClock, shift: float) -> None:
        self._clock, self._shift = clock, shift

    def now(self) -> float:
        return self._clock.now() + self._shift

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)


@pytest.fixture
def new(tmp_path: Path, clock: FakeClock, platform: Platform) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def process(*, secret: str = SECRET, away: str = "fail", chance: float = 0.0, shift: float = 0.0) -> Process:
        made.append(Process(tmp_path, clock, platform, secret, away, chance, shift))
        return made[-1]

    yield process
    for each in made:
        each.is_away = True
        each.tokens.stop()
        each.state.close()


def started(new: Callable[..., Process], **settings: Any) -> Process:
    """Return a process that makes calls but has no timer, so that nothing happens by itself."""
    process = new(**settings)
    process.tokens._running = True
    process.tokens._start_timer = lambda: None  # type: ignore[method-assign]
    return process


# -- one token ---------------------------------------------------------------------------------------------------------


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


# -- early, in the background ------------------------------------------------------------------------------------------


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


def test_a_timer_that_finds_the_lease_taken_looks_again_soon(new: Any, platform: Platform, clock: FakeClock) -> None:
    one, other = new(), started(new)
    one.tokens.start()
    eventually(lambda: clock.waits)
    assert other.state.acquire("other", 60, 1)
    clock.advance(0.76 * LIFE - 1)
    clock.advance(1)
    eventually(lambda: clock.waits and clock.waits[0] <= 0.5)
    assert one.tokens.current() == "token-1"
    assert one.tokens.status().failures_in_a_row == 0


# -- who waits, and who takes over -------------------------------------------------------------------------------------


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


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_wrong_secret_is_tried_once_a_second_by_all_together(new: Any, platform: Platform, clock: FakeClock) -> None:
    crew = [started(new) for _ in range(4)]
    platform.outcomes = [refused() for _ in range(100)]
    for _ in range(3):
        for each in crew:
            with pytest.raises(NotAuthorizedError, match="100208"):
                each.tokens.current()
        clock.advance(1.1)
    assert len(platform.logins) == 3


def test_others_are_told_which_failure_it_was(new: Any, platform: Platform) -> None:
    one, other = started(new), started(new)
    platform.outcomes = [ConnectionFailedError("1003", "nobody listens", endpoint="POST /login")]
    with pytest.raises(ConnectionFailedError):
        one.tokens.current()
    with pytest.raises(ConnectionFailedError, match="another process tried it within the last second") as caught:
        other.tokens.current()
    assert caught.value.endpoint == "POST /login"


def test_a_failure_of_this_process_alone_is_not_told(new: Any, platform: Platform) -> None:
    one, other = started(new), started(new)
    platform.outcomes = [NorthApiException("1001", "a hook failed")]
    with pytest.raises(NorthApiException, match="a hook failed"):
        one.tokens.current()
    assert other.tokens.current() == "token-2"


def test_another_secrets_failure_is_nobody_elses(new: Any, platform: Platform, clock: FakeClock) -> None:
    old, good = started(new, secret="older-secret"), started(new)
    platform.outcomes = [refused()]
    with pytest.raises(NotAuthorizedError):
        old.tokens.current()
    assert good.tokens.current() == "token-2"


@pytest.mark.parametrize("failure", ["garbage", "{}", "[]", "1", '{"by": 3}'])
def test_a_failure_that_cannot_be_read_is_nobodys(new: Any, platform: Platform, failure: str) -> None:
    one = started(new)
    one.state.fail(one.state.acquire("x", LEASE, 0).fence, failure)
    assert one.tokens.current() == "token-1"


def test_an_interrupted_renewal_gives_the_lease_back(new: Any, platform: Platform) -> None:
    one, other = started(new), started(new)

    def interrupt() -> None:
        raise KeyboardInterrupt

    platform.outcomes = [interrupt]
    with pytest.raises(KeyboardInterrupt):
        one.tokens.current()
    assert other.tokens.current() == "token-2"
    assert other.keeper.waits.value == 0


# -- life --------------------------------------------------------------------------------------------------------------


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


# -- what is stored ----------------------------------------------------------------------------------------------------


def test_the_file_has_no_token_and_no_secret(new: Any, platform: Platform, tmp_path: Path) -> None:
    platform.with_refresh = True
    started(new).tokens.current()
    content = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"app" in content
    for secret in (b"token-1", b"refresh-1", SECRET.encode()):
        assert secret not in content


def test_a_record_that_cannot_be_opened_is_replaced_and_named_once(
    new: Any, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    other = started(new, secret="another-secret")
    other.tokens.current()
    one = started(new)
    assert one.tokens.status().state is TokenState.NONE
    assert one.tokens.current() == "token-2"
    assert one.state.status().gen == 2
    warnings = [each.getMessage() for each in caplog.records if "cannot be opened" in each.getMessage()]
    assert len(warnings) == 1
    assert "another secret" in warnings[0]


def test_a_record_of_a_newer_version_is_left_alone(new: Any, platform: Platform) -> None:
    one = started(new)
    one.state.save(0, b"\x09future", LIFE, one.state.time())
    with pytest.raises(SharedStateError, match="a newer version of the SDK wrote the shared token: update this one"):
        one.tokens.current()
    assert platform.logins == []
    assert one.state.read().record == b"\x09future"


# -- the engine is away ------------------------------------------------------------------------------------------------


def test_while_the_state_is_away_the_last_token_is_used(
    new: Any, platform: Platform, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "iot_northbound.shared")
    one = started(new)
    one.tokens.current()
    one.is_away = True
    for _ in range(10):
        clock.advance(1.5)
        assert one.tokens.current() == "token-1"
    one.is_away = False
    clock.advance(1.5)
    assert one.tokens.current() == "token-1"
    said = [each.getMessage() for each in caplog.records]
    assert [text.split(" is ")[1].split(":")[0] for text in said] == ["away", "back after 15 s"]
    assert one.keeper._asking.away_seconds == pytest.approx(15)


def test_a_state_that_failed_is_left_alone_for_a_second(new: Any, clock: FakeClock) -> None:
    one = started(new)
    one.tokens.current()
    one.is_away = True
    one.tokens.current()
    one.is_away = False
    one.before["read"] = lambda: pytest.fail("it was asked too soon")
    clock.advance(0.9)
    one.tokens.current()
    one.before.clear()
    clock.advance(0.2)
    one.tokens.current()
    assert one.keeper._asking.away_for == 0


def test_without_token_and_state_a_call_fails_and_says_what_to_do(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one = started(new)
    one.tokens.current()
    one.is_away = True
    one.tokens.current()
    clock.advance(LIFE + 1)
    with pytest.raises(SharedStateError) as caught:
        one.tokens.current()
    assert caught.value.error_code == "1001"
    assert "has been away for 1001 s, and there is no token without it (connection refused)" in str(caught.value)
    assert "start it, or set shared_away='alone'" in str(caught.value)
    assert len(platform.logins) == 1


def test_a_state_that_is_back_before_a_lease_is_over_costs_no_call(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one = started(new)
    one.is_away = True
    began, sleep = clock.monotonic(), clock.sleep

    def passes(seconds: float, wake: Any = None) -> None:
        sleep(seconds, wake)
        one.is_away = clock.monotonic() < began + LEASE - 1.5

    clock.sleep = passes  # type: ignore[method-assign]
    assert one.tokens.current() == "token-1"
    assert len(platform.logins) == 1


def test_a_call_with_less_time_than_a_lease_does_not_wait_for_the_state_past_its_deadline(
    new: Any, clock: FakeClock
) -> None:
    one = started(new)
    one.is_away = True
    until = clock.monotonic() + 2
    with pytest.raises(SharedStateError, match="there is no token without it"):
        one.tokens.current(until)
    assert clock.monotonic() <= until


def test_alone_a_process_logs_in_once_a_minute_and_offers_its_token_later(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one, other = started(new, away="alone"), started(new)
    other.tokens.current()
    one.is_away = True
    assert one.tokens.current() == "token-2"
    with pytest.raises(SharedStateError, match=r"alone, a process logs in once in 60 s"):
        one.tokens.replace("token-2")
    clock.advance(61)
    assert one.tokens.replace("token-2") == "token-3"
    one.is_away = False
    clock.advance(2)
    assert one.tokens.current() == "token-3"
    assert other.tokens.current() == "token-3"
    assert len(platform.logins) == 3


def test_a_token_whose_saving_failed_is_used_and_saved_later(new: Any, platform: Platform, clock: FakeClock) -> None:
    one, other = started(new), started(new)
    platform.outcomes = [lambda: setattr(one, "is_away", True)]
    assert one.tokens.current() == "token-1"
    one.is_away = False
    clock.advance(2)
    assert one.tokens.current() == other.tokens.current() == "token-1"
    assert len(platform.logins) == 1


def test_an_engine_that_came_back_empty_gets_the_token_back_without_a_login(
    new: Any, platform: Platform, clock: FakeClock, tmp_path: Path
) -> None:
    one, other = started(new), started(new)
    one.tokens.current()
    other.tokens.current()
    clock.advance(100)
    for each in tmp_path.iterdir():
        each.unlink()
    assert one.tokens.current() == other.tokens.current() == "token-1"
    assert one.state.read().left == pytest.approx(LIFE - 100, abs=1)
    assert len(platform.logins) == 1


def test_an_older_record_that_came_back_gives_way_to_the_newest_token(
    new: Any, platform: Platform, clock: FakeClock, tmp_path: Path
) -> None:
    one = started(new)
    one.tokens.current()
    old = one.state.read()
    clock.advance(10)
    assert one.tokens.replace("token-1") == "token-2"
    for each in tmp_path.iterdir():
        each.unlink()
    one.state._clock = Shifted(clock, -9)  # a backup of one second after the first login
    one.state.save(0, old.record, LIFE, one.state.time() - 1.0)
    one.state._clock = clock
    assert one.tokens.current() == "token-2"
    assert started(new).tokens.current() == "token-2"
    assert len(platform.logins) == 2


def test_the_timer_says_nothing_of_an_outage_while_the_token_is_good(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one = new()
    one.tokens.start()
    eventually(lambda: clock.waits)
    one.is_away = True
    clock.advance(0.76 * LIFE)
    eventually(lambda: clock.waits and clock.waits[0] <= 0.5)
    assert one.tokens.status().failures_in_a_row == 0


# -- what the platform refuses -----------------------------------------------------------------------------------------


def test_an_endpoint_that_no_token_opens_costs_one_login_a_pause_for_all(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    crew = [started(new) for _ in range(8)]
    notes = [Refusals(each.tokens.notes) for each in crew]

    def call(process: Process, refusals: Refusals) -> None:
        token = process.tokens.current()
        if not refusals.is_forbidden("GET /x", token):
            refusals.note("GET /x", process.tokens.replace(token))

    for _ in range(240):
        for process, refusals in zip(crew, notes, strict=True):
            call(process, refusals)
        clock.advance(0.5)
    assert len(platform.logins) <= 1 + 7  # after 0, 1, 3, 7, 15, 31 and 63 s


def test_an_endpoint_that_accepts_a_token_is_forbidden_no_more(new: Any, platform: Platform) -> None:
    one, other = started(new), started(new)
    mine, others = Refusals(one.tokens.notes), Refusals(other.tokens.notes)
    mine.note("GET /x", one.tokens.current())
    token = other.tokens.current()
    assert others.is_forbidden("GET /x", token)
    others.accepted("GET /x", token)
    assert not mine.is_forbidden("GET /x", token)


def test_while_the_state_is_away_nothing_is_noted(new: Any, platform: Platform) -> None:
    one = started(new)
    token = one.tokens.current()
    refusals = Refusals(one.tokens.notes)
    one.is_away = True
    refusals.note("GET /x", token)
    assert not refusals.is_forbidden("GET /x", token)
    refusals.accepted("GET /x", token)


def test_a_program_that_does_not_share_is_named_after_some_tokens(
    new: Any, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    one = started(new)
    token = one.tokens.current()
    for count in range(1, 6):
        refused_one, token = token, one.tokens.replace(token)
        one.tokens.was_replaced(refused_one)
        one.tokens.was_replaced(refused_one)
        assert len(caplog.records) == (count >= 3)
    assert "another program probably logs in with the application id app and does not use shared='file:" in caplog.text
