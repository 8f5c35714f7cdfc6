"""Devices that the inbox takes away, and that may come back."""

from __future__ import annotations

import random
import threading

import pytest

from iot_northbound.push import HandlerRetry
from tests.clock import eventually
from tests.push.helpers import PATIENCE
from tests.push.workers.parts import Held, Run, post


def test_the_messages_of_a_withdrawn_device_are_handled_no_more_except_the_one_in_hand(run: Run) -> None:
    inbox = Held()
    receiver = run(inbox, threads=1)
    entered, release = threading.Event(), threading.Event()

    def act(_device: str, number: int) -> None:
        if number == 0:
            entered.set()
            assert release.wait(PATIENCE)

    receiver.act = act
    for number in range(3):
        post(receiver, "d1", number)
    post(receiver, "d2", 0)
    assert entered.wait(PATIENCE)
    assert inbox.withdraw(lambda device: device == "d1") == 1
    assert inbox.withdraw(lambda device: device == "d2") == 0
    release.set()
    eventually(lambda: inbox.withdraw(lambda device: device == "d1") == 0)
    post(receiver, "d3", 1)
    assert receiver.log.wait_for(2) == [("d1", 0), ("d3", 1)]


def test_a_device_that_comes_back_waits_for_the_handler_that_still_has_it(run: Run) -> None:
    inbox = Held()
    receiver = run(inbox, threads=4)
    entered, release = threading.Event(), threading.Event()

    def act(device: str, number: int) -> None:
        if (device, number) == ("d1", 0) and not entered.is_set():
            entered.set()
            assert release.wait(PATIENCE)

    receiver.act = act
    post(receiver, "d1", 0)
    post(receiver, "d1", 1)
    assert entered.wait(PATIENCE)
    inbox.withdraw(lambda device: True)
    for message_id in (1, 2):
        receiver.workers.add(message_id, "d1")
    post(receiver, "d2", 5)
    receiver.log.wait_for(1)
    assert receiver.log.items == [("d2", 5)]
    release.set()
    # The first one is done: the inbox has it no longer when it comes again.
    assert receiver.log.wait_for(3) == [("d2", 5), ("d1", 0), ("d1", 1)]


@pytest.mark.parametrize("attempts", [1, 9])
def test_a_handler_that_fails_after_its_device_was_withdrawn_is_not_tried_again(run: Run, attempts: int) -> None:
    inbox = Held()
    receiver = run(inbox, threads=1, retry=HandlerRetry(attempts=attempts, first=0))
    entered, release = threading.Event(), threading.Event()

    def act(device: str, _number: int) -> None:
        if device == "d1":
            entered.set()
            assert release.wait(PATIENCE)
            raise ValueError

    receiver.act = act
    post(receiver, "d1", 0)
    assert entered.wait(PATIENCE)
    inbox.withdraw(lambda device: True)
    release.set()
    post(receiver, "d2", 0)
    receiver.log.wait_for(1)
    assert receiver.tried.items == [("d1", 0), ("d2", 0)]
    assert receiver.workers._retried == {}


def test_a_withdrawn_device_is_forgotten_between_two_attempts_too(run: Run) -> None:
    inbox = Held()
    receiver = run(inbox, retry=HandlerRetry(first=1000.0, longest=1000.0))

    def act(_device: str, _number: int) -> None:
        raise ValueError

    receiver.act = act
    post(receiver, "d1", 0)
    eventually(lambda: bool(receiver.workers._parked))
    inbox.withdraw(lambda device: True)
    assert (receiver.workers._parked, receiver.workers._retried) == ([], {})


def test_random_withdrawals_keep_the_order_of_each_device_and_lose_no_message(run: Run) -> None:
    """The inbox takes devices away and gives them back at any moment, as leases that run out and come again do."""
    inbox = Held()
    receiver = run(inbox, threads=6)
    chance = random.Random(7)
    numbers = {f"d{each}": 0 for each in range(5)}
    for _ in range(300):
        device = chance.choice(list(numbers))
        if chance.random() < 0.8:
            post(receiver, device, numbers[device])
            numbers[device] += 1
        else:
            inbox.withdraw(lambda each, device=device: each == device)  # type: ignore[misc]
            with inbox._lock:
                left = [each for each in inbox._ledger.waiting if inbox._messages[each].device == device]
                for message_id in left:
                    receiver.workers.add(message_id, device)
    eventually(lambda: inbox.stats().waiting == 0)
    for device, count in numbers.items():
        first = dict.fromkeys(number for each, number in receiver.log.items if each == device)
        assert list(first) == list(range(count))
