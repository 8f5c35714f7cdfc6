"""A linked device, and what it hears: the rules' side of a real device, without sockets."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import links, outbox

WINDOW = 20


class Linked:
    """A device with a session of its own; nothing is subscribed at first."""

    def __init__(self, platform: Platform, device_id: str, session: str = "s1", kind: str = "mqtt") -> None:
        self.platform, self.id, self.session = platform, device_id, session
        platform.work(links.connect, platform, device_id, session, kind)

    def listen(self, channel: str = "json", qos: int = 1) -> Linked:
        """Subscribe to a channel, as the device's SUBSCRIBE does."""
        self.platform.work(links.subscribe, self.platform, self.id, self.session, channel, qos)
        return self

    def take(self, limit: int = WINDOW) -> list[Row]:
        """Return the messages that go out now."""
        rows = outbox.waiting(self.platform, self.id, limit)
        for row in rows:
            self.platform.work(outbox.sent, self.platform, row["seq"])
        return rows

    def acknowledge(self, mid: int) -> None:
        """Acknowledge a message (PUBACK)."""
        self.platform.work(outbox.delivered, self.platform, self.id, mid)

    def answer(self, mid: int | None, errcode: int = 0, **body: Any) -> str:
        """Answer a message."""
        result: str = self.platform.work(outbox.answered, self.platform, self.id, mid, errcode, body)
        return result

    def leave(self) -> None:
        """Lose the session."""
        self.platform.work(links.disconnect, self.platform, self.id, self.session)
