"""The shared state is away, or comes back without its data."""

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.clock import FakeClock
from tests.core.tokens.rig import Platform
from tests.core.tokens.shared.rig import LEASE, LIFE, Shifted, started

from iot_northbound import SharedStateError


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


def test_a_slow_reader_does_not_bring_an_older_token_back(new: Any, platform: Platform) -> None:
    one = started(new)
    assert one.tokens.current() == "token-1"
    read = one.state.read

    def slowly() -> Any:
        found = read()
        one.state.read = read
        assert one.tokens.replace("token-1") == "token-2"  # another thread, while this one has its answer
        return found

    one.state.read = slowly
    one.tokens.current()
    one.is_away = True
    assert one.tokens.current() == "token-2"


def test_a_slow_reader_does_not_throw_a_token_away_that_could_not_be_stored(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    one = started(new)
    assert one.tokens.current() == "token-1"
    clock.advance(10)
    read = one.state.read

    def slowly() -> Any:
        found = read()
        one.state.read = read
        platform.outcomes = [lambda: setattr(one, "is_away", True)]
        assert one.tokens.replace("token-1") == "token-2"  # another thread, while this one has its answer
        one.is_away = False
        return found

    one.state.read = slowly
    one.tokens.current()
    clock.advance(2)
    assert one.tokens.current() == "token-2"
    assert len(platform.logins) == 2


def test_a_reader_that_opens_a_record_slowly_does_not_bring_it_back(
    new: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = started(new), started(new)
    assert one.tokens.current() == "token-1"
    assert other.tokens.replace("token-1") == "token-2"
    seal = one.keeper._seal

    def slowly(record: bytes) -> Any:
        monkeypatch.undo()
        assert one.tokens.replace("token-2") == "token-3"  # another thread, while this one opens the record
        return seal.open(record)

    monkeypatch.setattr(seal, "open", slowly)
    one.tokens.current()
    one.is_away = True
    assert one.tokens.current() == "token-3"
