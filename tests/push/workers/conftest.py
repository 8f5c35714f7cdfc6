"""Receivers that are stopped with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import Inbox, MemoryInbox
from tests.push.workers.parts import Numbers, Run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    running: list[Numbers] = []

    def build(inbox: Inbox | None = None, **options: Any) -> Numbers:
        receiver = Numbers(inbox or MemoryInbox(), **options).start()
        running.append(receiver)
        return receiver

    yield build
    for receiver in running:
        receiver.stop(0)
