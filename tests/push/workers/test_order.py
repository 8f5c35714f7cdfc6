"""Each device's messages are handled in order, and whatever happens the workers go on."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path

import pytest

from iot_northbound.push import HandlerRetry, Message, SqliteInbox
from tests.push.helpers import PATIENCE
from tests.push.workers.parts import Run, post, post_all


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
