"""A hub whose devices have a model."""

from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from tests.emulator.calling import Caller
from tests.emulator.rules.posting import SENSOR, Hub


@pytest.fixture
def hub(platform: Platform, app: Caller) -> Hub:
    platform.settings.hub_models = {"11": SENSOR}
    return Hub(platform, app)
