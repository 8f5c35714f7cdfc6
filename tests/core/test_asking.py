"""A shared state that is away does not make every call wait."""

import threading

import pytest
from tests.clock import FakeClock

from iot_northbound.core.asking import LONGEST_TRY, TRY_AGAIN, Asking
from iot_northbound.shared.state import StateAwayError


class Named:
    shown = "engine:"


def away() -> None:
    raise StateAwayError("no answer")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def asking(clock: FakeClock) -> Asking:
    return Asking(Named(), clock.monotonic)  # type: ignore[arg-type]


def test_after_a_failure_nobody_asks_for_a_second(asking: Asking, clock: FakeClock) -> None:
    with pytest.raises(StateAwayError, match="no answer"):
        asking.ask(away)
    with pytest.raises(StateAwayError, match="no answer"):
        asking.ask(lambda: 1)
    clock.advance(TRY_AGAIN)
    assert asking.ask(lambda: 1) == 1
    assert asking.ask(lambda: 2) == 2
    assert (asking.away_for, asking.away_seconds) == (0, TRY_AGAIN)


def test_while_one_thread_finds_out_the_others_do_not_wait(asking: Asking, clock: FakeClock) -> None:
    with pytest.raises(StateAwayError):
        asking.ask(away)
    clock.advance(TRY_AGAIN)
    asked, answer = threading.Event(), threading.Event()

    def slow() -> int:
        asked.set()
        assert answer.wait(30)
        return 1

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(asking.ask(slow)))
    thread.start()
    assert asked.wait(30)
    clock.advance(LONGEST_TRY - 1)
    with pytest.raises(StateAwayError):
        asking.ask(lambda: 2)
    answer.set()
    thread.join()
    assert found == [1]
    assert asking.ask(lambda: 2) == 2
