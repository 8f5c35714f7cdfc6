from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import Event, HandlerRetry, Inbox, MemoryInbox, Message, PushMessageReceiver, SqliteInbox
from iot_northbound.push.workers import Workers
from tests.clock import FakeClock, eventually
from tests.push.helpers import PATIENCE, Log, Recorder, data_body

AT_ONCE = HandlerRetry(attempts=3, first=0)


class Numbers(Recorder):
    """Records device and number; `act` may block or raise."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.act: Callable[[str, int], object] = lambda device, number: None
        self.tried = Log()

    @property
    def workers(self) -> Workers:
        assert self._running.workers is not None
        return self._running.workers

    def handle_body(self, body: Any) -> None:
        pass

    def handle_device_data_changed(self, body: Any) -> None:
        pair = body.device_id, self.event.raw["n"]
        self.tried.add(pair)
        self.act(*pair)
        self.log.add(pair)


Run = Callable[..., Numbers]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    running: list[Numbers] = []

    def build(inbox: Inbox | None = None, **options: Any) -> Numbers:
        receiver = Numbers(inbox or MemoryInbox(), **options).start()
        running.append(receiver)
        return receiver

    yield build
    for receiver in running:
        receiver.stop(0)


def post(receiver: PushMessageReceiver, device: str, number: int) -> None:
    assert receiver.receive(data_body(device, number)).status == 200


def post_all(receiver: PushMessageReceiver, device: str, count: int) -> None:
    for number in range(count):
        post(receiver, device, number)


@pytest.mark.parametrize("durable", [False, True])
def test_each_devices_messages_are_handled_in_order(run: Run, tmp_path: Path, durable: bool) -> None:
    receiver = run(SqliteInbox(tmp_path / "i") if durable else None, threads=8)
    senders = [threading.Thread(target=post_all, args=(receiver, f"d{each}", 100)) for each in range(6)]
    for sender in senders:
        sender.start()
    handled = receiver.log.wait_for(600)
    by_device = defaultdict(list)
    for device, number in handled:
        by_device[device].append(number)
    assert by_device == {f"d{each}": list(range(100)) for each in range(6)}


def test_a_slow_handler_delays_only_its_own_device(run: Run) -> None:
    receiver = run(threads=2)
    release = threading.Event()
    receiver.act = lambda device, _: device == "slow" and release.wait(PATIENCE)
    for number in range(50):
        post(receiver, "slow", number)
    for number in range(50):
        post(receiver, "quick", number)
    assert receiver.log.wait_for(50) == [("quick", number) for number in range(50)]
    release.set()
    assert receiver.log.wait_for(100)[50:] == [("slow", number) for number in range(50)]


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


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), RecursionError(), MemoryError()])
def test_no_handlers_error_ends_a_worker(run: Run, error: BaseException) -> None:
    receiver = run(threads=1, retry=HandlerRetry(attempts=1))

    def act(_: str, number: int) -> None:
        if number == 0:
            raise error

    receiver.act = act
    post(receiver, "d", 0)
    post(receiver, "d", 1)
    assert receiver.log.wait_for(1) == [("d", 1)]


def test_a_stop_handles_what_waits(run: Run) -> None:
    receiver = run(threads=1)
    entered, release = threading.Event(), threading.Event()

    def act(_device: str, number: int) -> None:
        if number == 0:
            entered.set()
            assert release.wait(PATIENCE)

    receiver.act = act
    for number in range(20):
        post(receiver, f"d{number % 4}", number)
    assert entered.wait(PATIENCE)
    finished = []
    stopper = threading.Thread(target=lambda: finished.append(receiver.stop(PATIENCE)))
    stopper.start()
    release.set()
    stopper.join(PATIENCE)
    assert finished == [True]
    assert len(receiver.log.items) == 20
    assert receiver.receive(data_body("d", 99)).status == 503


def test_a_stop_does_not_wait_beyond_its_time_and_a_durable_inbox_keeps_the_rest(run: Run, tmp_path: Path) -> None:
    receiver = run(SqliteInbox(tmp_path / "i"), threads=1)
    release = threading.Event()
    receiver.act = lambda _device, _number: release.wait(PATIENCE)
    for number in range(3):
        post(receiver, "d", number)
    receiver.tried.wait_for(1)
    assert receiver.stop(0.05) is False
    release.set()
    receiver.act = lambda _device, _number: None
    receiver.start()
    eventually(lambda: len({number for _, number in receiver.log.items}) == 3)
    assert receiver.log.items[-2:] == [("d", 1), ("d", 2)]


def test_a_stop_leaves_what_is_between_two_attempts_in_the_inbox(run: Run, tmp_path: Path) -> None:
    receiver = run(SqliteInbox(tmp_path / "i"), retry=HandlerRetry(first=1000.0, longest=1000.0))

    def act(_device: str, _number: int) -> None:
        raise ValueError

    receiver.act = act
    post(receiver, "d", 0)
    post(receiver, "d", 1)
    eventually(lambda: bool(receiver.workers._parked))
    assert receiver.stop(PATIENCE) is False
    receiver.act = lambda _device, _number: None
    receiver.start()
    assert receiver.log.wait_for(2) == [("d", 0), ("d", 1)]


def test_a_failing_inbox_delays_and_loses_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_northbound.push.workers._PAUSE_AFTER_READ_ERROR", 0.0)
    inbox = SqliteInbox(tmp_path / "i")
    receiver = run(inbox)
    original, errors = inbox.get, [OSError("disk"), OSError("disk")]

    def get(message_id: int) -> Message:
        if errors:
            raise errors.pop()
        return original(message_id)

    inbox.get = get  # type: ignore[method-assign]
    post(receiver, "d", 0)
    assert receiver.log.wait_for(1) == [("d", 0)]
    assert receiver.metrics().failures == 0


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


class Held(MemoryInbox):
    """An inbox of which other processes may take devices away; it keeps all messages, so that they can come again."""

    def __init__(self) -> None:
        super().__init__()
        self.withdraw: Callable[[Callable[[str], bool]], int] = lambda belongs: 0
        self.buried: list[int] = []

    def on_withdraw(self, tell: Callable[[Callable[[str], bool]], int]) -> None:
        self.withdraw = tell

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        self.buried.append(message_id)


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


def test_a_stop_leaves_to_others_what_no_handler_has(run: Run) -> None:
    receiver = run(Held(), threads=1)
    entered, release = threading.Event(), threading.Event()

    def act(_device: str, _number: int) -> None:
        entered.set()
        assert release.wait(PATIENCE)

    receiver.act = act
    for number in range(5):
        post(receiver, f"d{number}", number)
    assert entered.wait(PATIENCE)
    finished = []
    stopper = threading.Thread(target=lambda: finished.append(receiver.stop(PATIENCE)))
    stopper.start()
    eventually(lambda: receiver.workers._draining)
    receiver.workers.add(9, "d9")
    release.set()
    stopper.join(PATIENCE)
    assert (finished, receiver.log.items) == ([True], [("d0", 0)])


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
