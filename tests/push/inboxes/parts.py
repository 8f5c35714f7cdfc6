"""Inboxes on one PostgreSQL, each in the place of a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iot_northbound.core.signal_safe import Flag
from iot_northbound.push import (
    PostgresInbox,
)
from tests.clock import FakeClock, eventually
from tests.servers import PostgresServer

SCHEMA = "leased"


class Quiet(FakeClock):
    """A clock whose time never wakes a heart: a test beats itself."""

    def wait(self, wake: Flag, seconds: float) -> bool:
        while not wake.wait(seconds):
            pass
        return True


class Part:
    """An inbox in the place of a process, with what it delivered and what its workers have."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.delivered: list[tuple[int, str]] = []
        self.in_hand = 0
        self.withdrawn: list[Callable[[str], bool]] = []
        self.inbox = PostgresInbox(dsn, schema=SCHEMA, **options)
        self.inbox.on_withdraw(self._withdraw)

    def _withdraw(self, belongs: Callable[[str], bool]) -> int:
        self.withdrawn.append(belongs)
        return self.in_hand

    def start(self) -> Part:
        self.inbox.start(lambda message_id, device: self.delivered.append((message_id, device)))
        return self

    def wait_for(self, count: int) -> list[tuple[int, str]]:
        eventually(lambda: len(self.delivered) >= count)
        return self.delivered

    def beat(self) -> None:
        assert self.inbox._open is not None
        assert self.inbox._open.beating is not None
        self.inbox._open.beating.beat()

    @property
    def shards(self) -> int:
        return self.inbox.leases().shards


Make = Callable[..., Part]


def end_leases(server: PostgresServer) -> None:
    """Let the time of all leases run out."""
    server.execute(f"UPDATE {SCHEMA}.inbox_lease SET until = now() - interval '1 second'")
    server.execute(f"DELETE FROM {SCHEMA}.inbox_member")
