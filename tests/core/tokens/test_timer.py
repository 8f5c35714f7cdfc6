"""The timer renews before the token ends, and goes on after failures."""

import logging
from typing import Any

import pytest
from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform, refused

from iot_northbound.tokens import TokenState


def test_the_timer_logs_in_before_the_end_if_there_is_no_refresh_token(
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


def test_the_timer_uses_the_refresh_token_if_there_is_one(make: Any, platform: Platform, clock: FakeClock) -> None:
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


def test_after_failures_the_timer_goes_on_with_growing_pauses_and_logs_that(
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
    assert len([r for r in caplog.records if "will be tried again" in r.message]) == 4
    assert "100208" in caplog.text


def test_pauses_between_failures_grow_to_one_minute(make: Any, platform: Platform, clock: FakeClock) -> None:
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


def test_a_token_with_a_short_life_is_renewed_at_most_once_per_second(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
    platform.expires_in = 0.001
    tokens = make()
    tokens.start()
    eventually(lambda: clock.waits)
    assert clock.waits[0] == pytest.approx(1)
