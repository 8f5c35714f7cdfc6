"""A clock, and limits of one process or of several that share a state."""

from collections.abc import Callable
from typing import cast

import pytest
from tests.clock import FakeClock
from tests.shared.limit_rules import MemoryLimit

from iot_northbound.core.asking import Asking
from iot_northbound.core.budget import RateLimit
from iot_northbound.core.slot_sources import SharedSlots
from iot_northbound.shared import State
from iot_northbound.shared.slots import FRESH


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(clock: FakeClock) -> MemoryLimit:
    """An engine that is not new."""
    engine = MemoryLimit(clock)
    engine.put_back([])
    clock.advance(FRESH)
    return engine


@pytest.fixture
def process(engine: MemoryLimit, clock: FakeClock) -> Callable[[int], RateLimit]:
    """Make the limit of one process of an application."""
    return lambda calls: RateLimit(calls, clock, SharedSlots(Asking(cast(State, engine), clock.monotonic), clock))


@pytest.fixture(params=["own", "shared"])
def make(
    request: pytest.FixtureRequest, clock: FakeClock, process: Callable[[int], RateLimit]
) -> Callable[[int], RateLimit]:
    return process if request.param == "shared" else lambda calls: RateLimit(calls, clock)
