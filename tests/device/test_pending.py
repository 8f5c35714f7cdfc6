import threading

import pytest

from iot_northbound.core.signal_safe import Flag
from iot_northbound.device import Pending
from iot_northbound.errors import NorthApiException, WaitTimeoutError


def test_a_result_wakes_who_waits_for_it() -> None:
    pending: Pending[int] = Pending()
    threading.Thread(target=lambda: pending.succeed(7)).start()
    assert pending.result(30) == 7
    assert pending.done()
    assert pending.exception() is None


def test_an_error_is_raised_for_each_who_asks() -> None:
    pending: Pending[None] = Pending()
    pending.fail(NorthApiException("1001", "no"))
    for _ in range(2):
        with pytest.raises(NorthApiException, match="no"):
            pending.result()
    assert pending.exception() is not None


def test_a_wait_that_is_too_short_says_what_did_not_come() -> None:
    with pytest.raises(WaitTimeoutError, match="the PUBACK did not come in 0 s"):
        Pending("the PUBACK").result(0)


def test_the_first_result_counts() -> None:
    pending: Pending[int] = Pending()
    pending.succeed(1)
    pending.succeed(2)
    pending.fail(NorthApiException("1001", "late"))
    assert pending.result() == 1


def test_of_two_ends_at_the_same_moment_the_first_counts() -> None:
    pending: Pending[int] = Pending()
    heard: list[Pending[int]] = []
    pending.add_done_callback(heard.append)

    class Slow(Flag):
        def set(self) -> None:
            pending.fail(NorthApiException("1001", "another thread"))
            super().set()

    pending._flag = Slow()
    pending.succeed(1)
    assert (pending.exception(), pending.result()) == (None, 1)
    assert heard == [pending]


def test_callbacks_are_called_once_each_and_a_failing_one_stops_none(caplog: pytest.LogCaptureFixture) -> None:
    pending: Pending[int] = Pending()
    seen: list[object] = []
    pending.add_done_callback(seen.append)
    pending.add_done_callback(lambda _: 1 / 0)
    pending.add_done_callback(seen.append)
    pending.succeed(1)
    pending.add_done_callback(seen.append)
    assert seen == [pending] * 3
    assert "a done callback failed" in caplog.text


def test_a_pending_is_true_before_and_after_its_result() -> None:
    pending: Pending[None] = Pending()
    assert pending
    pending.succeed(None)
    assert pending
