"""A stop: what is still handled, and what stays in the inbox."""

from __future__ import annotations

import threading
from pathlib import Path

from iot_northbound.push import HandlerRetry, SqliteInbox
from tests.clock import eventually
from tests.push.helpers import PATIENCE, data_body
from tests.push.workers.parts import Held, Run, post


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
