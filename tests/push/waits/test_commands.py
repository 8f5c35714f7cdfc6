from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound.core.budget import _turn, bulk
from iot_northbound.errors import (
    InvalidArgumentError,
    NotFoundError,
    RequestTimeoutError,
    WaitStoppedError,
    WaitTimeoutError,
)
from iot_northbound.push import PushMessageReceiver
from iot_northbound.push.parse import parse
from iot_northbound.push.waits.board import Board
from iot_northbound.push.waits.commands import PAGE, Command, Commands
from iot_northbound.push.waits.news import News, about_command
from iot_northbound.push.waits.wait import Wait
from iot_northbound.services.waiting import Polling
from iot_northbound.shared.slots import Turn
from tests.clock import FakeClock
from tests.push.waits.platform import ByHand, Platform, command_push, request

HERE = "https://na.example:8686/v1.0.0/messageReceiver"


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.waits = ByHand(self.clock)
        self.platform = Platform()
        self.receiver = PushMessageReceiver(clock=self.clock, callback_url=HERE)
        self.commands = Commands(self.receiver, self.waits)

    def submit(self, dto: Any = None, **options: Any) -> Any:
        future = self.commands.submit(self.platform, dto or request(), **options)
        self.waits.all_steps()
        return future

    def push(self, command_id: str, status: str, **rest: Any) -> None:
        self.waits.heard(command_push(command_id, status, **rest))
        self.waits.all_steps()

    def later(self, seconds: float) -> int:
        """Let time pass; return how many looks were made."""
        before = len(self.platform.looks)
        self.clock.advance(seconds)
        self.waits.all_steps()
        return len(self.platform.looks) - before


def a_wait() -> Wait[Any]:
    return Wait(Command(Platform(), request(), "d1", None, None), 1.0, Polling(), None)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.waits.stop()


def test_a_push_of_an_end_ends_the_wait_without_a_look(world: World) -> None:
    told: list[Any] = []
    future = world.submit(on_progress=told.append)
    for status in ("SENT", "DELIVERED"):
        world.push("c1", status)
        assert not future.done()
    world.push("c1", "SUCCESSFUL", resultDetail={"position": 7})
    done = future.result(0)
    assert (done.command_id, done.device_id, done.status) == ("c1", "d1", "SUCCESSFUL")
    assert done.result == {"resultCode": "SUCCESSFUL", "resultDetail": {"position": 7}}
    assert [state.status for state in told] == ["PENDING", "SENT", "DELIVERED", "SUCCESSFUL"]
    assert world.platform.looks == []
    assert world.waits.is_empty


@pytest.mark.parametrize("status", ["FAILED", "FAIL", "SUCCESS", "TIMEOUT", "EXPIRED", "CANCELLED", "aborted"])
def test_an_end_in_any_spelling_ends_the_wait(world: World, status: str) -> None:
    future = world.submit()
    world.push("c1", status)
    assert future.result(0).status == status


def test_a_push_that_overtakes_the_answer_is_not_lost(world: World) -> None:
    def during(command_id: str) -> None:
        world.waits.heard(command_push(command_id, "SENT"))
        world.waits.heard(command_push(command_id, "FAILED"))
        world.waits.heard(command_push(command_id, "DELIVERED"))
        world.waits.heard(command_push("somebody-elses", "FAILED"))

    world.platform.during = during
    told: list[Any] = []
    assert world.submit(on_progress=told.append).result(0).status == "FAILED"
    assert [state.status for state in told] == ["PENDING", "DELIVERED", "FAILED"]
    assert world.waits.is_empty


def test_a_push_of_a_command_that_nobody_sent_here_is_not_kept(world: World) -> None:
    world.push("c1", "FAILED")
    assert world.waits.is_empty
    assert not world.submit().done()


def test_a_push_of_an_earlier_step_changes_nothing(world: World) -> None:
    told: list[Any] = []
    future = world.submit(on_progress=told.append)
    world.push("c1", "DELIVERED")
    world.push("c1", "SENT")
    world.push("c1", "DELIVERED")
    assert [state.status for state in told] == ["PENDING", "DELIVERED"]
    assert not future.done()


def test_the_receivers_url_is_the_callback_url_of_a_command_that_has_none(world: World) -> None:
    dto = request()
    world.submit(dto)
    world.submit(request(callback_url="https://other.example/"))
    assert [each.callback_url for each in world.platform.sent] == [HERE, "https://other.example/"]
    assert dto.callback_url is None  # the caller's own is left alone


def test_looks_come_less_and_less_often_if_no_push_comes(world: World) -> None:
    future = world.submit(timeout=math.inf)
    assert [world.later(seconds) for seconds in (4.5, 0.5, 9.5, 0.5, 19.5, 0.5)] == [0, 1, 0, 1, 0, 1]
    assert [world.later(60) for _ in range(4)] == [1, 1, 1, 1]
    world.platform.move("c1", "SUCCESSFUL")
    world.later(60)
    assert future.result(0).status == "SUCCESSFUL"


def test_without_a_callback_url_looks_begin_after_a_second(world: World) -> None:
    world.receiver.callback_url = None
    future = world.submit()
    assert (world.later(0.5), world.later(0.5)) == (0, 1)
    world.platform.move("c1", "SUCCESSFUL")
    world.later(1.5)
    assert future.done()


def test_looks_are_bulk_calls_and_the_calls_of_the_application_are_not(world: World) -> None:
    turns: list[Turn] = []
    world.platform.during = lambda command_id: turns.append(_turn(login=False))
    world.platform.at_look = lambda: turns.append(_turn(login=False))
    world.submit()
    world.later(5)
    with bulk():
        in_bulk = world.commands.submit(world.platform, request())
    world.waits.all_steps()
    assert turns == [Turn.CALL, Turn.BULK, Turn.BULK]
    assert in_bulk.cancel()


def test_a_thousand_commands_without_pushes_are_read_with_one_query(world: World) -> None:
    futures = [world.commands.submit(world.platform, request(f"d{n}")) for n in range(1_000)]
    for _ in range(1_000):
        world.waits.begin()
        world.clock.advance(0.004)
    for n in range(1, 1_001):
        world.platform.move(f"c{n}", "SUCCESSFUL")
    world.waits.all_steps()
    world.later(1)
    world.later(5)
    assert {future.result(0).status for future in futures} == {"SUCCESSFUL"}
    assert [(look.device_id, look.start_time) for look in world.platform.looks] == [(None, "20260212T121212Z")]


def test_in_a_long_list_each_device_is_read_alone(world: World) -> None:
    old = request("old")
    for _ in range(PAGE):
        world.platform.post_device_command(old)
    futures = [world.commands.submit(world.platform, request(f"d{n}")) for n in range(2)]
    world.waits.all_steps()
    for n in (1, 2):
        world.platform.move(f"c{PAGE + n}", "SUCCESSFUL")
    world.later(5)
    assert all(future.done() for future in futures)
    assert [look.device_id for look in world.platform.looks] == [None, "d0", "d1"]


def test_a_device_that_cannot_be_read_fails_its_own_commands_only(world: World) -> None:
    world.platform.unreadable = {None, "bad"}
    bad, good = world.submit(request("bad")), world.submit(request("good"))
    world.platform.move("c2", "SUCCESSFUL")
    world.later(5)
    assert isinstance(bad.exception(0), NotFoundError)
    assert good.result(0).status == "SUCCESSFUL"


def test_the_error_after_the_timeout_has_the_last_state_and_a_last_look_was_made(world: World) -> None:
    future = world.submit(timeout=3)
    world.push("c1", "DELIVERED")
    world.platform.move("c1", "DELIVERED")
    assert world.later(3) == 1
    error = future.exception(0)
    assert isinstance(error, WaitTimeoutError)
    assert (error.last_state.status, error.attempts, error.error_code) == ("DELIVERED", 1, "1003")
    assert "command c1 has not ended within 3 s" in str(error)
    assert world.waits.is_empty


def test_the_last_look_may_find_the_end(world: World) -> None:
    future = world.submit(timeout=3)
    world.platform.move("c1", "SUCCESSFUL")
    world.later(3)
    assert future.result(0).status == "SUCCESSFUL"


def test_a_last_look_that_hangs_does_not_keep_the_wait(world: World) -> None:
    future = world.submit(timeout=3)
    world.clock.advance(3)
    world.waits.settle()  # the look is asked for, and never made
    world.clock.advance(10)
    world.waits.settle()
    assert isinstance(future.exception(0), WaitTimeoutError)


def test_a_look_that_fails_for_a_while_does_not_end_the_wait(world: World) -> None:
    world.platform.error = RequestTimeoutError("1003", "no answer")
    future = world.submit(timeout=30)
    assert world.later(5) == 1
    assert not future.done()
    for _ in range(4):
        world.later(10)
    error = future.exception(0)
    assert isinstance(error, WaitTimeoutError)
    assert isinstance(error.__cause__, RequestTimeoutError)


def test_a_command_that_is_refused_fails_at_once(world: World) -> None:
    refused = NotFoundError("100418", "no such device")

    def refuse(command_id: str) -> None:
        raise refused

    world.platform.during = refuse
    assert world.submit().exception(0) is refused
    assert world.waits.is_empty


def test_a_cancelled_future_is_forgotten_and_its_command_is_not_sent_any_more(world: World) -> None:
    under_way = world.submit()
    assert under_way.cancel()
    waiting = world.commands.submit(world.platform, request())
    assert waiting.cancel()
    world.waits.all_steps()
    world.push("c1", "SUCCESSFUL")
    assert under_way.cancelled()
    assert len(world.platform.sent) == 1
    assert world.waits.is_empty


def test_the_stop_ends_every_wait_with_its_last_state(world: World) -> None:
    begun = world.submit()
    world.push("c1", "DELIVERED")
    waiting = world.commands.submit(world.platform, request())
    world.waits.stop()
    error = begun.exception(0)
    assert isinstance(error, WaitStoppedError)
    assert error.last_state.status == "DELIVERED"
    assert "the receiver was stopped, and command c1 had not ended" in str(error)
    assert "a command that was not sent yet" in str(waiting.exception(0))
    with pytest.raises(WaitStoppedError, match="start it before"):
        world.commands.submit(world.platform, request())
    world.waits.start()
    world.platform.during = lambda command_id: world.waits.heard(command_push(command_id, "SUCCESSFUL"))
    assert world.submit().done()


def test_the_close_of_the_client_ends_its_waits_only(world: World) -> None:
    other = Platform(ids=iter([50]))
    future, elsewhere = world.submit(), world.commands.submit(other, request())
    world.waits.all_steps()
    world.platform.is_closed = True
    world.later(1)
    assert "the client was closed" in str(future.exception(0))
    assert isinstance(future.exception(0), WaitStoppedError)
    assert not elsewhere.done()


def test_an_error_of_on_progress_ends_the_wait_and_no_other(world: World) -> None:
    def fail(state: Any) -> None:
        raise SystemExit("enough")

    other = world.submit()
    future = world.submit(on_progress=fail)
    assert isinstance(future.exception(0), SystemExit)
    world.push("c1", "SUCCESSFUL")
    assert other.done()


def test_two_may_wait_for_the_same_command(world: World) -> None:
    first = world.submit()
    second = world.commands.follow(world.platform, "c1", "d1")
    world.waits.all_steps()
    assert [look.device_id for look in world.platform.looks] == ["d1"]
    world.push("c1", "SUCCESSFUL")
    assert first.result(0) == second.result(0)


def test_a_command_that_is_not_there_is_named_in_the_error(world: World) -> None:
    future = world.commands.follow(world.platform, "c99", "d1", timeout=2)
    world.waits.all_steps()
    world.later(2)
    assert "command c99 was not found within 2 s" in str(future.exception(0))


def test_a_push_without_an_id_or_a_code_is_ignored(world: World) -> None:
    future = world.submit()
    for body in ({"commandId": None}, {"commandId": "c1"}, {"commandId": "c1", "result": {"resultCode": None}}):
        world.waits.heard(parse(json.dumps(body).encode(), 0.0))
        world.waits.all_steps()
    assert not future.done()


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [({"timeout": -1}, "timeout"), ({"timeout": "1"}, "timeout"), ({"polling": 5}, "polling")],
)
def test_wrong_arguments_are_refused_at_once(world: World, arguments: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidArgumentError, match=wrong):
        world.commands.submit(world.platform, request(), **arguments)
    assert world.platform.sent == []
    assert world.waits.is_empty


def test_what_is_not_a_command_is_refused_at_once(world: World) -> None:
    with pytest.raises(InvalidArgumentError, match="it must be a PostDeviceCommandInDTO2"):
        world.commands.submit(world.platform, {"deviceId": "d1"})  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="command_id"):
        world.commands.follow(world.platform, "", "d1")


def test_the_intervals_can_be_chosen(world: World) -> None:
    world.submit(polling=Polling(start=100, factor=1, cap=100), timeout=math.inf)
    assert [world.later(99), world.later(1), world.later(99), world.later(1)] == [0, 1, 0, 1]


def test_early_news_take_limited_memory() -> None:
    board, first, second = Board(most_early=10_000), a_wait(), a_wait()
    board.begin(first)
    for number in range(1_000):
        board.hear(News(about_command(f"c{number}"), True, size=1_000))
        board.hear(News(about_command(f"c{number}"), True, size=1_000))
        assert board.early_size <= 10_000
    board.begin(second)
    board.begun(first)
    board.begun(first)
    assert board.early_size > 0
    board.begun(second)
    assert board.early_size == 0


def test_waits_that_are_over_leave_nothing(world: World) -> None:
    for number in range(1, 1_001):
        future = world.submit(timeout=3_600)
        world.push(f"c{number}", "SUCCESSFUL")
        assert future.done()
    world.later(1)
    assert world.waits.is_empty
    assert len(world.waits._plan) <= 100


def test_no_token_is_shown(world: World) -> None:
    future = world.submit(access_token="token-that-nobody-may-see")
    assert "nobody-may-see" not in repr(world.waits.only())
    world.waits.stop()
    assert "nobody-may-see" not in repr(future.exception(0)) + str(future.exception(0))
