"""A token that the application fetched itself, and what the status says."""

from typing import Any

import pytest
from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform, refused

from iot_northbound import NotAuthorizedError
from iot_northbound.tokens import Grant, TokenState


def test_a_token_that_the_application_fetched_itself_is_taken_over(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
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


def test_a_token_may_be_taken_over_during_a_renewal(make: Any, platform: Platform) -> None:
    tokens = make()
    tokens.start()
    platform.outcomes.append(lambda: tokens.adopt(Grant("mine", None, platform.clock.now(), 1000)))
    assert tokens.replace("token-1") == "token-2"
    assert tokens.current() == "token-2"


def test_the_status_reports_the_age_of_the_token_but_not_the_token(
    make: Any, platform: Platform, clock: FakeClock
) -> None:
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
