"""Shared by the receiver's tests: a clock that is moved by hand, waiting, a recording receiver."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from iot_northbound.push import Message, PushMessageReceiver
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body

PATIENCE = 30.0


class ManualClock:
    def __init__(self, now: float = 1_770_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        self.time += seconds

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        self.time += seconds
        return wake.is_set()


class Log:
    """A list that threads append to and tests wait on."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._changed = threading.Condition()

    def add(self, item: Any) -> None:
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Any]:
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.items) >= count, PATIENCE)
            assert enough, f"{len(self.items)} of {count} after {PATIENCE} s: {self.items!r}"
            return list(self.items)


class Recorder(PushMessageReceiver):
    """Records the text of every message, as the handlers get it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.log = Log()

    def handle_body(self, body: str) -> None:
        self.log.add(body)


def until(condition: Callable[[], bool]) -> None:
    """Wait until another thread has made a condition true."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it did not become true in time")


def data_body(device: str = "d1", number: int = 0, *, extra: Any = None, **changes: Any) -> bytes:
    unknown = {"n": number, "extra": extra}
    return push_body("deviceDataChanged", unknown, deviceId=device, requestId=f"r{number}", **changes)


def data_message(device: str = "d1", number: int = 0, at: float = 1_770_000_000.0, **changes: Any) -> Message:
    return parse(data_body(device, number, **changes), at)


def taken(future: "Future[bool]") -> bool:
    return future.result(PATIENCE)
