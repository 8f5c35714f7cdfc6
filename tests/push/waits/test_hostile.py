"""Waits whose surroundings are hostile: callbacks that raise what they may not, a system without threads."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, as_completed, wait
from typing import Any
from unittest import mock

import pytest

from iot_northbound.errors import WaitStoppedError
from iot_northbound.push import MemoryInbox, PushMessageReceiver
from tests.clock import FakeClock, eventually
from tests.push.helpers import PATIENCE
from tests.push.waits.platform import ByHand, Platform, command_push, request


def leave(_: object) -> None:
    sys.exit(3)


def cancelled(_: object) -> None:
    raise asyncio.CancelledError


@pytest.fixture
def receiver() -> Iterator[PushMessageReceiver]:
    with PushMessageReceiver(MemoryInbox(), clock=FakeClock(), callback_url="https://na.example/") as receiver:
        yield receiver


def begun(receiver: PushMessageReceiver, platform: Platform, number: int = 1) -> list[Future[Any]]:
    futures = [receiver.commands.submit(platform, request()) for _ in range(number)]
    eventually(lambda: len(receiver._waits._board._waits) == number)
    return futures


def command_of(receiver: PushMessageReceiver, future: Future[Any]) -> str:
    (found,) = (each.subject.topic[1] for each in receiver._waits._open if each.future is future)
    return found


@pytest.mark.parametrize("raise_", [leave, cancelled])
def test_a_callback_that_raises_what_is_no_exception_stops_no_other_wait(
    receiver: PushMessageReceiver, raise_: Callable[[object], None]
) -> None:
    first, second, third = begun(receiver, Platform(), 3)
    ids = [command_of(receiver, each) for each in (first, second, third)]
    first.add_done_callback(raise_)
    with receiver._waits._lock:  # so that one turn settles both
        for command_id in ids[:2]:
            receiver._waits._told += receiver._waits._board.hear(news(command_id))
    receiver._waits._wake.set()
    assert second.result(PATIENCE).status == "SUCCESSFUL"
    receiver._waits.heard(command_push(ids[2], "SUCCESSFUL"))
    assert third.result(PATIENCE).status == "SUCCESSFUL"


def news(command_id: str) -> Any:
    from iot_northbound.push.waits.reading import news_of

    return news_of(command_push(command_id, "SUCCESSFUL"))


def test_a_call_that_raises_what_is_no_exception_ends_its_wait_and_no_other(receiver: PushMessageReceiver) -> None:
    platform = Platform(during=leave)
    for _ in range(20):  # more than there are threads that make calls
        future = receiver.commands.submit(platform, request())
        future.add_done_callback(leave) if not future.done() else None
        assert isinstance(future.exception(PATIENCE), SystemExit)
    platform.during = lambda command_id: receiver._waits.heard(command_push(command_id, "SUCCESSFUL"))
    assert receiver.commands.submit(platform, request()).result(PATIENCE).status == "SUCCESSFUL"


def test_a_look_that_raises_what_is_no_exception_ends_its_wait_and_no_other(receiver: PushMessageReceiver) -> None:
    platform = Platform(at_look=lambda: leave(None))
    assert isinstance(receiver.commands.follow(platform, "c1", "d1").exception(PATIENCE), SystemExit)
    platform.at_look = lambda: None
    platform.post_device_command(request())
    platform.move("c1", "SUCCESSFUL")
    assert receiver.commands.follow(platform, "c1", "d1").result(PATIENCE).status == "SUCCESSFUL"


def test_a_subject_that_fails_at_a_push_ends_its_wait_with_the_error() -> None:
    waits, platform = ByHand(FakeClock()), Platform()
    receiver = PushMessageReceiver(MemoryInbox())
    receiver._waits = waits
    future, other = (receiver.commands.submit(platform, request()) for _ in range(2))
    waits.all_steps()
    broken = next(each for each in waits._open if each.future is future)
    broken.subject = mock.Mock(wraps=broken.subject, topic=broken.subject.topic, after=mock.Mock(side_effect=KeyError))
    for command_id in ("c1", "c2"):
        waits.heard(command_push(command_id, "SUCCESSFUL"))
    with pytest.raises(KeyError):
        waits.settle()
    waits.settle()
    assert isinstance(future.exception(0), KeyError)
    assert other.result(0).status == "SUCCESSFUL"
    assert waits.is_empty


def test_a_stop_ends_all_waits_though_a_callback_raises(receiver: PushMessageReceiver) -> None:
    futures = begun(receiver, Platform(), 10)
    for each in futures:
        each.add_done_callback(leave)
    with pytest.raises(SystemExit):
        receiver._waits.stop()
    assert not wait(futures, PATIENCE).not_done
    assert {type(each.exception()) for each in futures} == {WaitStoppedError}
    eventually(lambda: not any(each.name.startswith("iot-northbound-wait") for each in threading.enumerate()))


def test_whoever_waits_for_futures_learns_that_one_was_cancelled(receiver: PushMessageReceiver) -> None:
    first, second = begun(receiver, Platform(), 2)
    late = threading.Thread(target=first.cancel)
    late.start()
    assert not wait([first], PATIENCE).not_done
    late.join(PATIENCE)
    assert first.cancel()
    assert second.cancel()
    assert set(as_completed([first, second], PATIENCE)) == {first, second}
    assert receiver._waits.count == 0


@pytest.mark.parametrize("fails_at", [1, 2, 3])
@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_wait_that_got_no_thread_leaves_nothing_and_the_next_one_works(
    receiver: PushMessageReceiver, fails_at: int, error: BaseException
) -> None:
    platform, start, started = Platform(), threading.Thread.start, list[threading.Thread]()

    def fails(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) == fails_at:
            raise error
        start(thread)

    with mock.patch.object(threading.Thread, "start", fails), pytest.raises(type(error)):
        receiver.commands.submit(platform, request())
    assert receiver._waits.count == 0
    assert not receiver._waits._board.listens
    platform.during = lambda command_id: receiver._waits.heard(command_push(command_id, "SUCCESSFUL"))
    assert receiver.commands.submit(platform, request()).result(PATIENCE).status == "SUCCESSFUL"


def test_if_the_system_has_no_more_threads_those_that_there_are_make_the_calls(receiver: PushMessageReceiver) -> None:
    platform, gate = Platform(), threading.Event()
    platform.during = lambda _: gate.wait(PATIENCE)
    receiver.commands.submit(platform, request())
    with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
        second = receiver.commands.submit(platform, request())
    platform.during = lambda command_id: receiver._waits.heard(command_push(command_id, "SUCCESSFUL"))
    gate.set()
    assert second.result(PATIENCE).status == "SUCCESSFUL"


def test_a_look_that_a_push_overtook_does_not_set_the_command_back() -> None:
    clock = FakeClock()
    waits, platform, told = ByHand(clock), Platform(), list[str]()
    receiver = PushMessageReceiver(MemoryInbox(), callback_url="https://na.example/")
    receiver._waits = waits
    future = receiver.commands.submit(platform, request(), on_progress=lambda state: told.append(str(state.status)))
    waits.all_steps()

    def overtake() -> None:
        waits.heard(command_push("c1", "SENT"))
        waits.settle()

    platform.at_look = overtake
    clock.advance(5)
    waits.all_steps()
    assert told == ["PENDING", "SENT"]
    platform.at_look = lambda: platform.move("c1", "SUCCESSFUL")
    clock.advance(10)
    waits.all_steps()
    assert future.result(0).status == "SUCCESSFUL"
    assert told == ["PENDING", "SENT", "SUCCESSFUL"]
