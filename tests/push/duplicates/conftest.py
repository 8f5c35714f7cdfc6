"""Inboxes to which a test posts messages, stopped with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.push import MemoryInbox, SqliteInbox
from tests.push.duplicates.parts import Posted


@pytest.fixture(params=["memory", "sqlite"])
def posted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Posted]:
    made = Posted(
        MemoryInbox if request.param == "memory" else lambda **options: SqliteInbox(tmp_path / "i", **options)
    )
    yield made
    made.inbox.stop()


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Posted]:
    """An inbox that is started again after each message."""
    made = Posted(lambda **options: SqliteInbox(tmp_path / "i", **options))
    put = made.put

    def put_and_start_again(body: bytes) -> bool:
        new = put(body)
        made.inbox.stop()
        made.start()
        return new

    made.put = put_and_start_again  # type: ignore[method-assign]
    yield made
    made.inbox.stop()
