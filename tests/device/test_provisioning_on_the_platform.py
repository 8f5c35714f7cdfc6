"""A device that knows only the secret of its product model, on the embedded platform."""

import json
import logging
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from iot_northbound import NorthApiClient
from iot_northbound.device import Backoff, DeviceClient, DeviceCredentials, DeviceRefusedError, DeviceSide
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile

PRODUCT, SECRET = "wm_tr01", "product-secret-1"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(port=0, control_port=None, folder=tmp_path_factory.mktemp("platform"), mqtt_port=0) as running:
        running.control.change_settings(mqtt_model_secrets=True)
        model = json.loads((resources.files("iot_northbound.emulator") / "models" / "water_meter.json").read_text())
        running.control.add_model({**model, "productId": PRODUCT, "secret": SECRET})
        yield running


def provision(platform: Emulator, node_id: str, secret: str = SECRET, **options: Any) -> DeviceCredentials:
    host, port = platform.mqtt_address
    given: dict[str, Any] = {
        "ca_path": platform.device_ca,
        "backoff": Backoff(first=0, longest=0),
        "keep": lambda found: None,
    }
    return DeviceClient.provision(PRODUCT, node_id, secret, host, port, **{**given, **options})


def test_a_device_fetches_a_secret_of_its_own_and_reports_with_it(
    platform: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    own = provision(platform, "node_9")
    with DeviceSide.from_profile(platform.profile_path).device(own) as device:
        device.report("WaterMeter", {"flowRate": 0.5}).result(30)
    with NorthApiClient(*load_profile(platform.profile_path)) as client:
        found = client.data_collection.query_single_device_info(own.id)
    assert found.device_info is not None
    assert found.device_info.node_id == "node_9"
    said = f"{caplog.text} {platform.control.journal()} {own!r}"
    for secret in (own.secret, SECRET):
        assert secret not in said


def test_a_device_that_could_not_store_its_secret_gets_it_once_more(platform: Emulator) -> None:
    seen: list[DeviceCredentials] = []

    def fails(found: DeviceCredentials) -> None:
        seen.append(found)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        provision(platform, "node_10", keep=fails)
    assert provision(platform, "node_10") == seen[0]


def test_a_device_with_a_secret_of_its_own_gets_no_other(platform: Emulator) -> None:
    provision(platform, "node_11")
    with pytest.raises(DeviceRefusedError) as caught:
        provision(platform, "node_11")
    assert caught.value.return_code == 5


def test_a_wrong_secret_of_the_product_is_refused(platform: Emulator) -> None:
    with pytest.raises(DeviceRefusedError) as caught:
        provision(platform, "node_12", "another")
    assert caught.value.return_code == 4
