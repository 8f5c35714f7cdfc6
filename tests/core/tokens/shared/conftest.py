"""Processes that share a token, stopped with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.clock import FakeClock
from tests.core.tokens.rig import Platform
from tests.core.tokens.shared.rig import SECRET, Process


@pytest.fixture
def new(tmp_path: Path, clock: FakeClock, platform: Platform) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def process(*, secret: str = SECRET, away: str = "fail", chance: float = 0.0, shift: float = 0.0) -> Process:
        made.append(Process(tmp_path, clock, platform, secret, away, chance, shift))
        return made[-1]

    yield process
    for each in made:
        each.is_away = True
        each.tokens.stop()
        each.state.close()
