"""What the tests of repetitions share: an inbox that can be started again, and messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iot_northbound.push import DuplicateWindow, MemoryInbox, SqliteInbox
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body
from tests.clock import FakeClock
from tests.push.helpers import taken

WINDOW = 600.0
RULE = DuplicateWindow(seconds=WINDOW)


class Posted:
    """An inbox that can be started again."""

    inbox: MemoryInbox | SqliteInbox

    def __init__(self, make: Callable[..., MemoryInbox | SqliteInbox], **options: Any) -> None:
        self._make, self._options = make, options
        self.clock = FakeClock()
        self.start()

    def start(self) -> None:
        self.inbox = self._make(duplicates=RULE, clock=self.clock, **self._options)
        self.inbox.start(lambda _id, _device: None)

    def put(self, body: bytes) -> bool:
        return taken(self.inbox.put(parse(body, self.clock.now())))

    def handled(self, *bodies: bytes, apart: float = 0.0) -> list[bool]:
        found = []
        for body in bodies:
            found.append(self.put(body))
            self.clock.advance(apart)
        return found


def state(status: str = "ONLINE", device: str = "d1") -> bytes:
    return push_body("deviceInfoChanged", deviceId=device, deviceInfo={"status": status})


ADDED, DELETED = push_body("deviceAdded"), push_body("deviceDeleted")
DESIRED = push_body("deviceDesiredPropertiesModifyStatusChanged")
ALARM = push_body("deviceEvent")
DATA = push_body("deviceDataChanged")
READING = push_body("deviceDataChanged", requestId=None, service={"serviceId": "Meter", "data": {"level": 7}})
PRECISE = push_body(
    "deviceDataChanged", requestId=None, service={"serviceId": "Meter", "eventTime": "20260301T101500123Z"}
)
