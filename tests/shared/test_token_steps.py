"""The steps of the shared token, on every engine."""

import threading

import pytest

from iot_northbound.shared.state import Busy, Failed, Forbidden, Mine, Newer, State, TokenRecord
from tests.shared.engines import Engine

NOBODY = 0
TTL = 5.0


@pytest.fixture
def state(shared: Engine) -> State:
    return shared.open("one")


def fence(state: State, seen: int = 0) -> int:
    got = state.acquire("me", TTL, seen)
    assert isinstance(got, Mine)
    return got.fence


def test_there_is_no_token_at_first(state: State) -> None:
    assert state.read() == TokenRecord(0, None, 0.0, 0.0)


def test_a_saved_token_is_read_with_the_seconds_that_it_lasts(shared: Engine, state: State) -> None:
    record = bytes(range(256))
    assert state.save(fence(state), record, 100.0, state.time() - 1.5) == 1
    shared.clock.advance(20)
    assert state.read() == TokenRecord(1, record, 78.5, 100.0)
    shared.clock.advance(80)
    assert state.read().left == -1.5


def test_others_of_the_application_see_it_and_other_applications_do_not(shared: Engine, state: State) -> None:
    state.save(NOBODY, b"token", 100.0, state.time())
    assert shared.open("one").read().record == b"token"
    assert shared.open("two").read() == TokenRecord(0, None, 0.0, 0.0)
    assert isinstance(shared.open("two").acquire("me", TTL, 0), Mine)


def test_a_lease_is_one_callers_until_it_ends(shared: Engine, state: State) -> None:
    first = fence(state)
    assert state.acquire("you", TTL, 0) == Busy(TTL)
    shared.clock.advance(2)
    assert state.acquire("you", TTL, 0) == Busy(3.0)
    shared.clock.advance(3)
    assert state.acquire("you", TTL, 0) == Mine(first + 1)


def test_an_extended_lease_lasts_from_then(shared: Engine, state: State) -> None:
    mine = fence(state)
    shared.clock.advance(4)
    assert state.extend(mine, TTL)
    assert state.acquire("you", TTL, 0) == Busy(TTL)


def test_a_lost_lease_is_not_extended(shared: Engine, state: State) -> None:
    lost = fence(state)
    shared.clock.advance(6)
    assert fence(state) != lost
    assert not state.extend(lost, TTL)


def test_a_lease_without_a_successor_is_extended_after_its_end(shared: Engine, state: State) -> None:
    mine = fence(state)
    shared.clock.advance(6)
    assert state.extend(mine, TTL)
    assert state.acquire("you", TTL, 0) == Busy(TTL)


def test_a_lease_ends_with_the_token_that_is_saved(state: State) -> None:
    mine = fence(state)
    state.save(mine, b"token", 100.0, state.time())
    assert not state.extend(mine, TTL)
    assert isinstance(state.acquire("you", TTL, 1), Mine)


def test_who_saw_an_older_token_is_told_of_the_newer_one_even_beside_a_lease(state: State) -> None:
    state.save(fence(state), b"token", 100.0, state.time())
    fence(state, seen=1)
    assert state.acquire("you", TTL, 0) == Newer()
    assert state.acquire("you", TTL, 7) == Newer()  # a failover brought an older record back


def test_a_failure_is_everybodys_for_a_second(shared: Engine, state: State) -> None:
    state.fail(fence(state), "100208 the secret is wrong")
    shared.clock.advance(0.5)
    assert state.acquire("you", TTL, 0) == Failed("100208 the secret is wrong")
    shared.clock.advance(0.75)
    assert isinstance(state.acquire("you", TTL, 0), Mine)


def test_an_empty_failure_only_ends_the_lease(state: State) -> None:
    state.fail(fence(state), "")
    assert isinstance(state.acquire("you", TTL, 0), Mine)


def test_a_failure_of_a_lost_lease_changes_nothing(shared: Engine, state: State) -> None:
    lost = fence(state)
    shared.clock.advance(6)
    fence(state)
    state.fail(lost, "too late")
    assert state.acquire("you", TTL, 0) == Busy(TTL)


def test_any_text_can_be_a_failure(state: State) -> None:
    state.fail(fence(state), "100208 \0 \ud800 'quoted' ü 令牌")
    failed = state.acquire("you", TTL, 0)
    assert isinstance(failed, Failed)
    assert failed.failure.endswith("'quoted' ü 令牌")


def test_a_saved_token_ends_the_failure(state: State) -> None:
    state.fail(fence(state), "no")
    state.save(NOBODY, b"token", 100.0, state.time())
    assert isinstance(state.acquire("you", TTL, 1), Mine)


def test_a_late_finisher_whose_request_was_sent_before_the_stored_answer_is_older(shared: Engine, state: State) -> None:
    late = fence(state)
    shared.clock.advance(6)
    assert state.save(fence(state), b"living", 100.0, state.time() - 1.0) == 1
    shared.clock.advance(10)
    assert state.save(late, b"dead", 100.0, state.time() - 12.0) is None
    assert (
        state.save(late, b"dead", 100.0, state.time() - 10.0) is None
    )  # sent in the moment of the answer: nobody can know
    assert state.read().record == b"living"


def test_a_late_finisher_whose_request_was_sent_after_the_stored_answer_is_newer(shared: Engine, state: State) -> None:
    late = fence(state)
    shared.clock.advance(6)
    state.save(fence(state), b"dead", 100.0, state.time() - 1.0)
    shared.clock.advance(10)
    assert state.save(late, b"living", 100.0, state.time() - 9.5) == 2
    assert state.read() == TokenRecord(2, b"living", 90.5, 100.0)


def test_a_save_that_is_late_under_way_makes_no_token_younger(shared: Engine, state: State) -> None:
    late = fence(state)
    sent = state.time()
    shared.clock.advance(10)
    assert state.save(fence(state), b"living", 100.0, state.time()) == 1
    shared.clock.advance(10)
    assert state.save(late, b"dead", 100.0, sent) is None
    assert state.save(fence(state, seen=1), b"slow", 100.0, sent) == 2
    assert state.read().left == pytest.approx(80, abs=1e-4)


def test_a_token_that_seems_to_be_from_the_future_lasts_no_longer_than_any(shared: Engine, state: State) -> None:
    state.save(NOBODY, b"token", 100.0, state.time() + 3600)
    shared.clock.advance(10)
    assert state.read().left == pytest.approx(90, abs=1e-4)


def test_the_current_lease_saves_whatever_the_times_say(shared: Engine, state: State) -> None:
    state.save(NOBODY, b"old", 100.0, state.time())
    shared.clock.advance(10)
    assert state.save(fence(state, seen=1), b"new", 100.0, state.time() - 30.0) == 2


def test_an_application_that_got_a_token_itself_offers_it_without_a_lease(shared: Engine, state: State) -> None:
    assert state.save(NOBODY, b"first", 100.0, state.time() - 50.0) == 1  # nothing is there: every token is taken
    assert state.save(NOBODY, b"older", 100.0, state.time() - 1.0) is None
    shared.clock.advance(2)
    assert state.save(NOBODY, b"newer", 100.0, state.time() - 1.0) == 2


def test_clearing_removes_token_failure_and_notes_and_keeps_the_generation(state: State) -> None:
    state.save(NOBODY, b"token", 100.0, state.time())
    state.forbid("GET /a", 1.0, 1)
    state.fail(fence(state, seen=1), "no")
    state.clear()
    assert state.read()[:2] == (1, None)
    assert state.forbidden() == {}
    assert isinstance(state.acquire("you", TTL, 0), Mine)
    assert state.save(NOBODY, b"another", 100.0, state.time()) == 2


def test_notes_of_endpoints_have_an_age_and_are_forgotten(shared: Engine, state: State) -> None:
    state.forbid("GET /a", 4.0, 3)
    shared.clock.advance(10)
    state.forbid("GET /b", 1.5, 4)
    assert state.forbidden() == {"GET /a": Forbidden(10.0, 4.0, 3), "GET /b": Forbidden(0.0, 1.5, 4)}
    state.forbid("GET /b", 0.0, 0)
    state.forbid("GET /a", 8.0, 5)
    assert state.forbidden() == {"GET /a": Forbidden(0.0, 8.0, 5)}
    shared.clock.advance(601)
    assert state.forbidden() == {}


def test_an_engine_whose_clock_was_set_back_keeps_nobody_from_renewing(shared: Engine, state: State) -> None:
    fence(state)
    shared.clock.advance(-3600)
    assert isinstance(state.acquire("you", TTL, 0), Mine)
    state.fail(fence_of_next(state, shared), "no")
    shared.clock.advance(-3600)
    assert isinstance(state.acquire("you", TTL, 0), Mine)


def fence_of_next(state: State, shared: Engine) -> int:
    shared.clock.advance(TTL + 1)
    return fence(state)


def test_the_status_says_everything_but_the_token(shared: Engine, state: State) -> None:
    state.save(NOBODY, b"token", 100.0, state.time() - 2.0)
    state.acquire("host:12:abcd", TTL, 1)
    state.forbid("GET /a", 4.0, 1)
    shared.clock.advance(1)
    status = state.status()
    assert (status.gen, status.present, status.left, status.lifetime, status.age) == (1, True, 97.0, 100.0, 3.0)
    assert (status.owner, status.lease_left, status.failure) == ("host:12:abcd", 4.0, "")
    assert status.forbidden == {"GET /a": Forbidden(1.0, 4.0, 1)}
    assert "token" not in str([value for value in status if isinstance(value, bytes)])
    state.fail(1, "100208 no")
    shared.clock.advance(3)
    assert (state.status().failure, state.status().failed_ago) == ("100208 no", 3.0)


def test_the_status_of_nothing_is_empty(state: State) -> None:
    status = state.status()
    assert (status.gen, status.present, status.owner, status.lease_left) == (0, False, "", 0.0)
    assert (status.slots, status.waiting, status.processes, status.paused) == (0, 0, 0, 0.0)


def test_of_many_threads_one_gets_the_lease(shared: Engine) -> None:
    states = [shared.open("one") for _ in range(3)]
    start = threading.Barrier(24)
    answers = []

    def ask(number: int) -> None:
        start.wait(30)
        answers.append(states[number % 3].acquire(f"owner {number}", TTL, 0))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(type(answer).__name__ for answer in answers) == ["Busy"] * 23 + ["Mine"]


def test_a_closed_state_opens_again_with_the_next_step(state: State) -> None:
    state.save(NOBODY, b"token", 100.0, state.time())
    state.close()
    state.close()
    assert state.read().record == b"token"
