"""Whoever waits for another thread looks again soon."""

import pytest

from iot_northbound.core import renewals, signal_safe


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_safe.BriefLock, "PATIENCE", 0.01)
    monkeypatch.setattr(renewals, "LOOK", 0.01)
