from __future__ import annotations

import pytest

from iot_northbound.emulator import NotFound
from tests.emulator.conftest import Wire


def test_the_credentials_of_a_device_are_those_of_its_registration(wire: Wire) -> None:
    given = {"deviceInfo": {"nodeId": "meter-1"}, "productId": "home-gateway-mqtt", "secret": "0123456789abcdef0123"}
    _, answer = wire.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", given)
    credentials = wire.emulator.control.device_credentials(answer["deviceId"])
    assert credentials == {"deviceId": answer["deviceId"], "nodeId": "meter-1", "secret": "0123456789abcdef0123"}


def test_a_device_without_a_secret_has_no_credentials(wire: Wire) -> None:
    device_id = wire.register("meter-1")
    with pytest.raises(NotFound, match=r"1\.4\.2"):
        wire.emulator.control.device_credentials(device_id)
