from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications, devices, fleets, models


@pytest.fixture
def platform() -> Platform:
    platform = Platform()
    applications.add_application(platform, "app", "secret")
    return platform


@pytest.mark.parametrize("product_id", [model["productId"] for model in models.shipped()])
def test_the_data_of_many_devices_fit_every_shipped_model(platform: Platform, product_id: str) -> None:
    assert fleets.add(platform, "app", 0, 30, product_id=product_id) == 30
    model = models.by_id(platform, "app", product_id)
    assert model is not None
    for row in platform.table(devices.DEVICES).where(appId="app"):
        assert row["activated"]
        for service in model["services"]:
            data = row["services"][service["serviceId"]]["data"]
            for rule in service.get("properties") or ():
                assert models.fault_of(rule, data[rule["propertyName"]]) is None


def test_adding_goes_on_where_it_stopped(platform: Platform) -> None:
    fleets.add(platform, "app", 0, 2)
    fleets.add(platform, "app", 2, 2)
    names = [row["nodeId"] for row in platform.table(devices.DEVICES).where(appId="app")]
    assert names == ["device-000000", "device-000001", "device-000002", "device-000003"]
    with pytest.raises(ValueError, match="'device-000003' is there already"):
        fleets.add(platform, "app", 3, 1)
