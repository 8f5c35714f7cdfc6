"""A server that answers hubs as a test wants, and what a hub says to it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from iot_northbound.device.hub import HubMessage, Measure, ServerMessage, ServerStatus
from tests.faulty_server import FaultyServer, Seen, Wire

TOKEN = "tok-5f1c"
METER = Measure("meter-1", {"power": 1})


class Server(FaultyServer):
    """Answers messages by steps, the last one for ever: an answer to encode, or a function that misbehaves."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context, self._answer)
        self.steps: list[ServerMessage | Callable[[Seen, Wire], Any]] = [ServerMessage(ServerStatus.ACK)]

    def _answer(self, seen: Seen, wire: Wire) -> Any:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if not isinstance(step, ServerMessage):
            return step(seen, wire)
        return 200, step.encode(), {"Content-Type": "text/xml"}

    @property
    def messages(self) -> list[HubMessage]:
        return [HubMessage.decode(each.body) for each in self.seen]


def reset(seen: Seen, wire: Wire) -> None:
    wire.reset()
