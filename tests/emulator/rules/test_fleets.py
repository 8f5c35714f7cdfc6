from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications, devices, models
from iot_northbound.emulator.rules.fleets import make_devices


@pytest.fixture
def platform() -> Platform:
    platform = Platform()
    applications.add_application(platform, "app", "secret")
    return platform


@pytest.mark.parametrize("product_id", [model["productId"] for model in models.shipped()])
def test_the_data_of_seeded_devices_fit_every_shipped_model(platform: Platform, product_id: str) -> None:
    assert make_devices(platform, "app", 0, 30, product_id=product_id) == 30
    model = models.by_id(platform, "app", product_id)
    assert model is not None
    for row in platform.table(devices.DEVICES).where(appId="app"):
        assert row["activated"]
        for service in model["services"]:
            data = row["services"][service["serviceId"]]["data"]
            for rule in service.get("properties") or ():
                assert models.fault_of(rule, data[rule["propertyName"]]) is None


def test_seeding_goes_on_where_it_stopped(platform: Platform) -> None:
    make_devices(platform, "app", 0, 2)
    make_devices(platform, "app", 2, 2)
    names = [row["nodeId"] for row in platform.table(devices.DEVICES).where(appId="app")]
    assert names == ["seed-000000", "seed-000001", "seed-000002", "seed-000003"]
    with pytest.raises(ValueError, match="'seed-000003' is there already"):
        make_devices(platform, "app", 3, 1)
