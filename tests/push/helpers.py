"""Shared by the receiver's tests: a list that threads fill, a recording receiver, and messages."""

import threading
from concurrent.futures import Future
from typing import Any

from iot_northbound.push import MemoryInbox, Message, PushMessageReceiver, SqliteInbox
from iot_northbound.push.inbox import Ledger
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body

PATIENCE = 30.0


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


def data_body(device: str = "d1", number: int = 0, *, extra: Any = None, **changes: Any) -> bytes:
    unknown = {"n": number, "extra": extra}
    return push_body("deviceDataChanged", unknown, deviceId=device, requestId=f"r{number}", **changes)


def data_message(device: str = "d1", number: int = 0, at: float = 1_770_000_000.0, **changes: Any) -> Message:
    return parse(data_body(device, number, **changes), at)


def taken(future: "Future[bool]") -> bool:
    return future.result(PATIENCE)


def ledger_of(inbox: MemoryInbox | SqliteInbox) -> Ledger:
    if isinstance(inbox, MemoryInbox):
        return inbox._ledger
    assert inbox._store is not None
    return inbox._store._ledger
