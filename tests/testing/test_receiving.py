"""The receiver of a test."""

from __future__ import annotations

import ssl

import pytest

from iot_northbound.testing.platform import IotPlatform
from iot_northbound.testing.receiving import PushReceiver


def test_receivers_of_one_platform_read_its_certificate_once(
    iot_platform: IotPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []
    real = iot_platform.emulator.home.server_context

    def counted(**options: bool) -> ssl.SSLContext:
        made.append(real(**options))
        return made[-1]

    monkeypatch.setattr(type(iot_platform.emulator.home), "server_context", lambda _, **options: counted(**options))
    for _ in range(2):
        PushReceiver(iot_platform)
    assert len(made) <= 1
    assert iot_platform.server_context(ask=True) is not iot_platform.server_context(ask=True), "a test's own may change"
