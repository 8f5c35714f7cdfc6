"""Inboxes in files, which are closed when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import SqliteInbox
from tests.push.leaving import Delivered


@pytest.fixture
def inboxes() -> Iterator[list[SqliteInbox]]:
    made: list[SqliteInbox] = []
    yield made
    for inbox in made:
        inbox.stop()


@pytest.fixture
def start(inboxes: list[SqliteInbox]) -> Any:
    def build(path: Path, delivered: Delivered | None = None, **options: Any) -> SqliteInbox:
        inbox = SqliteInbox(path, **options)
        inboxes.append(inbox)
        told = delivered if delivered is not None else []
        inbox.start(lambda message_id, device: told.append((message_id, device)))
        return inbox

    return build
