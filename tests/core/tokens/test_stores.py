"""Token stores that forget, fail, or hold something else."""

from typing import Any

import pytest
from tests.clock import FakeClock, eventually
from tests.core.tokens.rig import Platform, at_once

from iot_northbound import NorthApiException
from iot_northbound.tokens import Grant, MemoryTokenStore


class Failing(MemoryTokenStore):
    """Fails while `load_fails` or `save_fails` is set."""

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


def test_a_store_that_forgets_causes_no_storm_of_logins(make: Any, platform: Platform, clock: FakeClock) -> None:
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


def test_no_thread_hangs_if_the_store_cannot_save(make: Any, platform: Platform, clock: FakeClock) -> None:
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


def test_if_the_store_cannot_load_callers_get_an_error_and_the_timer_goes_on(
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
    eventually(lambda: "will be tried again" in caplog.text)
    store.load_fails = False
    clock.advance(2)
    eventually(lambda: tokens.current() == "token-2")


def test_a_store_with_something_else_than_a_grant_is_reported(make: Any) -> None:
    store: Any = MemoryTokenStore()
    tokens = make(store)
    tokens.start()
    store.load = lambda: "token-1"
    for use in (tokens.current, tokens.status):
        with pytest.raises(NorthApiException, match="1001: the token store returned a str, not a Grant or None"):
            use()
    assert tokens.held == ()
