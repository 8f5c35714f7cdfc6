from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

APPLICATION = """
from iot_northbound.dto import RegDirectDeviceInDTO2

def test_registers(northbound_client):
    northbound_client.device_management.reg_direct_device(RegDirectDeviceInDTO2(node_id="n-1"))
    assert len(list(northbound_client.data_collection.iter_devices())) == 1

def test_starts_empty(northbound_client, northbound_emulator):
    assert list(northbound_client.data_collection.iter_devices()) == []
    assert northbound_emulator.base_url.startswith("https://127.0.0.1:")
"""


def test_an_application_gets_an_empty_platform_and_a_client_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["iot_northbound.testing.fixtures"]')
    pytester.makepyfile(APPLICATION)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
