import json
from typing import Any

import pytest

from iot_northbound.device import DeviceClient, DeviceCredentials, DeviceRefusedError
from iot_northbound.errors import InvalidArgumentError, UnreadableAnswerError, WaitTimeoutError
from tests.clock import FakeClock, eventually
from tests.device.conftest import AT_ONCE
from tests.device.peer import Peer

PRODUCT, NODE, SECRET = "wmtr01", "860000000000033", "product-secret-1"
HOUR = 1_795_608_000.0  # 2026-11-25 12:00 UTC
FOLDER = f"/huawei/v1/products/{PRODUCT}/sn/{NODE}"


class Platform(Peer):
    """It sends a secret as soon as a device subscribes to it."""

    secret: bytes = json.dumps({"msgType": "cloudSendSecret", "deviceid": "d-1", "secret": "0wn"}).encode()

    def _handle(self, connection: Any, number: int, kind: int, flags: int, body: bytes) -> bool:
        goes_on = super()._handle(connection, number, kind, flags, body)
        if kind == 8 and self.secret:
            self.publish(f"{FOLDER}/secretNotify", self.secret)
        return goes_on


@pytest.fixture
def platform(tmp_path: Any) -> Any:
    with Platform(tmp_path) as platform:
        yield platform


def provision(platform: Platform, kept: list[DeviceCredentials], **options: Any) -> DeviceCredentials:
    given: dict[str, Any] = {
        "ca_path": platform.ca_path,
        "backoff": AT_ONCE,
        "clock": FakeClock(HOUR),
        "keep": kept.append,
    }
    return DeviceClient.provision(PRODUCT, NODE, SECRET, "localhost", platform.port, **given | options)


def test_a_device_gets_a_secret_and_confirms_it_after_it_was_stored(platform: Platform) -> None:
    kept: list[DeviceCredentials] = []
    found = provision(platform, kept)
    assert found == DeviceCredentials("d-1", "0wn")
    assert kept == [found]
    (login,) = platform.logins
    assert (login.client_id, login.username) == (f"{PRODUCT}_{NODE}_1_1_2026112512", PRODUCT)
    assert login.password == "65cd9735f47e0ae9fda19ae42ec169aaae599fad2c609204fcb297efb698d0d1"
    assert platform.subscribed == [[f"{FOLDER}/secretNotify"]]
    (taken,) = platform.published
    assert (taken.topic, taken.payload, taken.qos) == (f"{FOLDER}/secretACK", b"", 1)
    eventually(lambda: platform.left == 1)


def test_a_secret_that_could_not_be_stored_is_not_confirmed(platform: Platform) -> None:
    def fails(credentials: DeviceCredentials) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        provision(platform, [], keep=fails)
    assert platform.published == []


def test_a_refused_product_is_told_at_once(platform: Platform) -> None:
    platform.rules.codes = [5]
    with pytest.raises(DeviceRefusedError, match=f"{PRODUCT}/{NODE}") as caught:
        provision(platform, [])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [b"t0p", b'{"msgType":"cloudSendSecret"}', b'{"msgType":"cloudSendSecret","deviceid":"a/b","secret":"t0p"}'],
)
def test_a_message_without_a_secret_is_an_error_that_repeats_nothing(platform: Platform, wrong: bytes) -> None:
    platform.secret = wrong
    with pytest.raises(UnreadableAnswerError, match="no usable secret") as caught:
        provision(platform, [])
    assert "t0p" not in str(caught.value)


def test_a_platform_that_sends_nothing_is_left_in_time(platform: Platform) -> None:
    platform.secret = b'{"msgType":"another"}'
    with pytest.raises(WaitTimeoutError, match=r"0\.2 s"):
        provision(platform, [], timeout=0.2)


@pytest.mark.parametrize(("product", "node"), [("", "n"), ("p", "a/b"), ("p" * 200, "n" * 100)])
def test_ids_that_cannot_be_used_are_refused(product: str, node: str) -> None:
    with pytest.raises(InvalidArgumentError):
        DeviceClient.provision(product, node, SECRET, "localhost", keep=print)
