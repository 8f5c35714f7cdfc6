"""A clock, a platform, and tokens that are stopped with the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.clock import FakeClock
from tests.core.tokens.rig import Platform

from iot_northbound.core.keeping import OwnToken
from iot_northbound.core.tokens import Tokens
from iot_northbound.tokens import MemoryTokenStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def platform(clock: FakeClock) -> Platform:
    return Platform(clock)


@pytest.fixture
def make(clock: FakeClock, platform: Platform) -> Iterator[Callable[..., Tokens]]:
    made: list[Tokens] = []

    def new(store: Any = None) -> Tokens:
        made.append(Tokens(platform.login, platform.refresh, OwnToken(store or MemoryTokenStore(), clock), clock))
        return made[-1]

    yield new
    for each in made:
        each._keeper = OwnToken(MemoryTokenStore(), clock)
        each.stop()
