"""What the tests of workers share: a receiver that records numbers of devices, and an inbox that takes them away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iot_northbound.push import HandlerRetry, MemoryInbox, PushMessageReceiver
from iot_northbound.push.workers import Workers
from tests.push.helpers import Log, Recorder, data_body

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


def post(receiver: PushMessageReceiver, device: str, number: int) -> None:
    assert receiver.receive(data_body(device, number)).status == 200


def post_all(receiver: PushMessageReceiver, device: str, count: int) -> None:
    for number in range(count):
        post(receiver, device, number)


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
