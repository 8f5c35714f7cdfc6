"""Failures of a login: which of them other processes are told."""

from typing import Any

import pytest
from tests.clock import FakeClock
from tests.core.tokens.rig import Platform, refused
from tests.core.tokens.shared.rig import LEASE, started

from iot_northbound import ConnectionFailedError, NorthApiException, NotAuthorizedError


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
