import math
from typing import Any

import attrs
import pytest

from iot_northbound.errors import (
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    NotFoundError,
    ThrottledError,
    WaitTimeoutError,
)
from iot_northbound.services.waiting import Polling, wait_until
from tests.clock import FakeClock


@attrs.define
class State:
    status: str


class Looks:
    """Gives one prepared answer a look, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self) -> State | None:
        self.count += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return State(answer) if answer else None


def wait(looks: Looks, clock: FakeClock | None = None, **changes: Any) -> State:
    options: dict[str, Any] = {
        "what": "the task t-1",
        "endpoint": "GET /tasks/{task_id}",
        "timeout": 60.0,
        "polling": Polling(),
        "clock": clock or FakeClock(),
    }
    return wait_until(looks, lambda state: state.status == "done", **(options | changes))


def test_a_state_that_has_ended_is_returned_at_once() -> None:
    clock = FakeClock()
    assert wait(Looks("done"), clock).status == "done"
    assert clock.slept == []


def test_the_intervals_grow_up_to_the_cap() -> None:
    clock = FakeClock()
    looks = Looks(*["running"] * 6, "done")
    wait(looks, clock, polling=Polling(start=2.0, factor=2.0, cap=10.0), timeout=1000)
    assert clock.slept == [2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_progress_is_told_at_first_sight_and_at_each_change_and_not_between() -> None:
    told: list[State] = []
    wait(Looks(None, "waiting", "waiting", "running", "running", "done"), on_progress=told.append)
    assert [state.status for state in told] == ["waiting", "running", "done"]


def test_a_failing_listener_ends_the_wait() -> None:
    def listener(_: State) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError):
        wait(Looks("running"), on_progress=listener)


def test_the_last_look_is_made_when_the_time_is_over() -> None:
    clock = FakeClock()
    looks = Looks("running")
    with pytest.raises(WaitTimeoutError) as caught:
        wait(looks, clock, timeout=5.0, polling=Polling(start=2.0, factor=1.0))
    assert clock.slept == [2.0, 2.0, 1.0]
    error = caught.value
    assert error.last_state == State("running")
    assert (error.error_code, error.attempts, error.elapsed) == ("1003", 4, 5.0)
    assert error.endpoint == "GET /tasks/{task_id}"
    assert "the task t-1 has not ended within 5 s" in str(error)


def test_an_end_seen_at_the_last_look_counts() -> None:
    assert wait(Looks("running", "done"), timeout=0.5).status == "done"


def test_a_timeout_of_zero_looks_once() -> None:
    looks = Looks("running")
    with pytest.raises(WaitTimeoutError):
        wait(looks, timeout=0)
    assert looks.count == 1


def test_what_was_never_found_is_told_apart() -> None:
    with pytest.raises(WaitTimeoutError, match="was not found within 60 s") as caught:
        wait(Looks(None))
    assert caught.value.last_state is None


@pytest.mark.parametrize("timeout", [-1.0, math.nan, "soon", None, pytest.param(10**5000, id="huge")])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="timeout"):
        wait(Looks("done"), timeout=timeout)


def test_a_failure_before_anything_was_seen_goes_to_the_caller() -> None:
    with pytest.raises(ConnectionFailedError):
        wait(Looks(None, ConnectionFailedError("1003", "refused")))


def test_a_failure_that_passes_does_not_end_a_wait_under_way() -> None:
    looks = Looks("running", ConnectionFailedError("1003", "refused"), "done")
    assert wait(looks).status == "done"


def test_a_failure_that_lasts_is_the_cause_of_the_timeout() -> None:
    failure = ConnectionFailedError("1003", "refused")
    with pytest.raises(WaitTimeoutError) as caught:
        wait(Looks("running", failure))
    assert caught.value.__cause__ is failure
    assert caught.value.last_state == State("running")


def test_an_answer_of_the_platform_ends_a_wait_under_way() -> None:
    with pytest.raises(NotFoundError):
        wait(Looks("running", NotFoundError("105005", "no such task")))


def test_a_platform_that_names_a_time_is_left_alone_until_then() -> None:
    clock = FakeClock()
    wait(Looks("running", ThrottledError("1010009", "too many calls", retry_after=17.0), "done"), clock)
    assert clock.slept == [1.0, 17.0]


@pytest.mark.parametrize(
    "wrong",
    [{"start": 0.0}, {"factor": 0.5}, {"cap": math.inf}, {"start": "1"}, pytest.param({"factor": 10**5000}, id="huge")],
)
def test_intervals_that_would_not_grow_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(NorthApiException, match=f"Polling.{next(iter(wrong))}") as caught:
        Polling(**wrong)
    assert caught.value.error_code == "1007"


@pytest.mark.parametrize("polling", [None, 5, {"start": 1.0}])
def test_intervals_of_another_type_are_refused(polling: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"polling = .*: it must be a Polling"):
        wait(Looks("done"), polling=polling)
