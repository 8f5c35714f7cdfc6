from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.push.inboxes.parts import SCHEMA, Make, Part, Quiet
from tests.servers import PostgresServer


@pytest.fixture
def server(postgres_server: PostgresServer) -> PostgresServer:
    postgres_server.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return postgres_server


@pytest.fixture
def make(server: PostgresServer) -> Iterator[Make]:
    """Make a part whose own heart does not beat: a test says when."""
    parts: list[Part] = []

    def build(**options: Any) -> Part:
        parts.append(Part(server.url, **{"clock": Quiet(), **options}))
        return parts[-1]

    yield build
    for part in parts:
        part.inbox.stop()
