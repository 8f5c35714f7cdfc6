"""Handlers that fail: when they are called again, and what is set aside."""

from __future__ import annotations

import threading

import attrs
import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import Event, HandlerRetry, MemoryInbox, Message
from tests.clock import FakeClock, eventually
from tests.push.helpers import Log
from tests.push.workers.parts import AT_ONCE, Run, post


def test_a_failed_handler_is_called_again_and_its_device_waits(run: Run) -> None:
    receiver = run(retry=AT_ONCE)
    failures = [ValueError("once"), ValueError("twice")]

    def act(_: str, number: int) -> None:
        if number == 0 and failures:
            raise failures.pop()

    receiver.act = act
    post(receiver, "d", 0)
    post(receiver, "d", 1)
    assert receiver.log.wait_for(2) == [("d", 0), ("d", 1)]
    assert receiver.tried.items == [("d", 0)] * 3 + [("d", 1)]
    assert receiver.metrics().failures == 2


def test_pauses_grow_and_are_waited_for(run: Run) -> None:
    clock = FakeClock()
    receiver = run(clock=clock, retry=HandlerRetry(attempts=4, first=2.0, longest=5.0))

    def act(_device: str, _number: int) -> None:
        raise ValueError("always")

    receiver.act = act
    post(receiver, "d", 0)
    for attempt, pause in enumerate((2.0, 4.0, 5.0), start=1):
        receiver.tried.wait_for(attempt)
        eventually(lambda: bool(receiver.workers._parked))
        clock.advance(pause - 0.01)
        receiver.workers.wake()
        assert len(receiver.tried.items) == attempt
        clock.advance(0.02)
        receiver.workers.wake()
    receiver.tried.wait_for(4)
    eventually(lambda: receiver.metrics().dead == 1)


def test_other_devices_go_on_while_one_waits_for_its_next_attempt(run: Run) -> None:
    receiver = run(threads=1, retry=HandlerRetry(first=1000.0, longest=1000.0))

    def act(device: str, _: int) -> None:
        if device == "bad":
            raise ValueError

    receiver.act = act
    post(receiver, "bad", 0)
    receiver.tried.wait_for(1)
    post(receiver, "good", 0)
    assert receiver.log.wait_for(1) == [("good", 0)]


def test_what_fails_too_often_is_set_aside_and_the_device_goes_on(run: Run) -> None:
    receiver = run(retry=AT_ONCE)

    def act(_: str, number: int) -> None:
        if number == 0:
            raise ValueError("never mind")

    receiver.act = act
    post(receiver, "d", 0)
    post(receiver, "d", 1)
    assert receiver.log.wait_for(1) == [("d", 1)]
    (letter,) = receiver.dead_letters()
    assert (letter.device, letter.attempts, letter.error) == ("d", 3, "ValueError: never mind")
    receiver.act = lambda device, number: None
    assert receiver.replay([letter.id]) == 1
    assert receiver.log.wait_for(2) == [("d", 1), ("d", 0)]
    assert receiver.dead_letters() == []


def test_only_handlers_that_failed_are_called_again(run: Run) -> None:
    receiver = run(retry=AT_ONCE)
    second = Log()

    @receiver.on_body
    def flaky(text: str) -> None:
        second.add(text)
        if len(second.items) < 3:
            raise RuntimeError("not yet")

    post(receiver, "d", 0)
    second.wait_for(3)
    eventually(lambda: receiver.metrics().handled == 1)
    assert receiver.tried.items == [("d", 0)]


def test_a_handler_registered_between_two_attempts_changes_nothing_for_the_others(run: Run) -> None:
    receiver = run(retry=AT_ONCE)
    late, failed = Log(), threading.Event()

    @receiver.on_body
    def flaky(text: str) -> None:
        if not failed.is_set():
            failed.set()
            receiver.on_body(late.add)
            raise RuntimeError("not yet")

    post(receiver, "d", 0)
    eventually(lambda: receiver.metrics().handled == 1)
    assert receiver.tried.items == [("d", 0)]
    assert len(late.items) == 1


def test_a_rule_for_attempts_has_to_make_sense() -> None:
    assert [HandlerRetry(attempts=5, first=1, longest=3).pause(each) for each in range(1, 6)] == [1, 2, 3, 3, None]
    assert HandlerRetry(attempts=10_000).pause(9_000) == 60.0
    for wrong in ({"attempts": 0}, {"first": -1}):
        with pytest.raises(InvalidArgumentError):
            HandlerRetry(**wrong)


def test_a_message_that_cannot_be_read_becomes_a_dead_letter(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = run(retry=AT_ONCE)
    original = Event.of

    def of(message: Message, message_id: int, attempt: int) -> Event:
        if message.raw["n"] == 0:
            raise RecursionError("too deep")
        return original(message, message_id, attempt)

    monkeypatch.setattr(Event, "of", of)
    post(receiver, "d", 0)
    post(receiver, "d", 1)
    assert receiver.log.wait_for(1) == [("d", 1)]
    assert [letter.error for letter in receiver.dead_letters()] == ["RecursionError: too deep"]


def test_a_message_that_ended_as_many_processes_as_it_has_attempts_is_a_dead_letter(run: Run) -> None:
    inbox = MemoryInbox()
    receiver = run(inbox, retry=AT_ONCE)
    original = inbox.get
    inbox.get = lambda message_id: attrs.evolve(original(message_id), begun=message_id)  # type: ignore[method-assign]
    for number in range(4):
        post(receiver, "d", number)
    assert receiver.log.wait_for(2) == [("d", 0), ("d", 1)]
    eventually(lambda: receiver.metrics().dead == 2)
    assert [letter.error for letter in receiver.dead_letters()] == [
        "3 processes ended while they had it",
        "4 processes ended while they had it",
    ]
