import threading
from unittest import mock

from iot_northbound.device.workers import Workers
from tests.clock import eventually


def no_more_threads() -> mock._patch:  # type: ignore[type-arg]  # its class is generic for type checkers only
    """As when the system has no more threads, or the program is ending."""
    return mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread"))


def test_without_a_thread_a_call_is_refused_and_the_next_one_tries_again() -> None:
    workers, ran = Workers(2, "test"), list[str]()
    with no_more_threads():
        assert not workers.submit(lambda: ran.append("never"))
    assert workers.open == 0
    assert workers.submit(lambda: ran.append("later"))
    eventually(lambda: ran == ["later"])
    workers.close()


def test_if_there_are_no_more_threads_those_that_there_are_do_the_work() -> None:
    workers, gate, ran = Workers(2, "test"), threading.Event(), list[str]()
    assert workers.submit(gate.wait)
    with no_more_threads():
        assert workers.submit(lambda: ran.append("second"))
    gate.set()
    eventually(lambda: ran == ["second"])
    workers.close()
