"""A platform with a frozen clock, deterministic ids and two applications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound.emulator.state import auth
from iot_northbound.emulator.state.clock import Clock
from iot_northbound.emulator.state.ids import Ids
from iot_northbound.emulator.state.kernel import Platform
from iot_northbound.emulator.state.settings import Settings
from tests.emulator.state.calling import START, Caller


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def platform(settings: Settings) -> Platform:
    clock = Clock()
    clock.freeze(START)
    made = Platform(settings, clock, Ids("test"))
    auth.add_application(made, "app-one", "secret-one")
    auth.add_application(made, "app-two", "secret-two")
    return made


@pytest.fixture
def app(platform: Platform) -> Caller:
    return Caller(platform).login()


@pytest.fixture
def other(platform: Platform) -> Caller:
    return Caller(platform, "app-two", "secret-two").login()


@pytest.fixture
def told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """What the platform notified: (application, type, body)."""
    notified: list[tuple[str, str, dict[str, Any]]] = []
    original: Callable[..., None] = platform.notify

    def notify(app_id: str, notify_type: str, body: dict[str, Any]) -> None:
        notified.append((app_id, notify_type, body))
        original(app_id, notify_type, body)

    monkeypatch.setattr(platform, "notify", notify)
    return notified
