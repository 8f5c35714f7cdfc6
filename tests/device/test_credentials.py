from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.device import DeviceCredentials
from iot_northbound.device.credentials import password_of, stamp_of
from iot_northbound.errors import InvalidArgumentError

UUID = "3f2b9c1e-7a64-4d0c-9f15-2c6f0e8d41aa"

# id, auth type, sign type, stamp, secret, client id, password; computed with another implementation
VECTORS = [
    (UUID, 0, 1, "2018072417", "6a1f0c93b7d24e58a0c1", f"{UUID}_0_1_2018072417",
     "adae28fb7418ca0d2bfcf5444dc190c8f4593dd95d62c05ce3f4449a81b3aa50"),
    (UUID, 0, 0, "2018072417", "6a1f0c93b7d24e58a0c1", f"{UUID}_0_0_2018072417",
     "adae28fb7418ca0d2bfcf5444dc190c8f4593dd95d62c05ce3f4449a81b3aa50"),
    ("860000000000017", 2, 1, "2026112512", "0123456789abcdef0123", "860000000000017_2_1_2026112512",
     "eaee4fb9a9c864c47615a700dc0ba541c9f351926704eafd367d796c617e6c69"),
    ("plant_7_pump_02", 2, 1, "2027010100", "pass word_ä", "plant_7_pump_02_2_1_2027010100",
     "9da4db198f72b44eb458a64df08a534848e0869fb83fe65b31688f73279a3bed"),
    ("gw_0_1_2018072417", 0, 1, "2018072423", "0" * 20, "gw_0_1_2018072417_0_1_2018072423",
     "63e894450f838c05848cd882493a89d95a48b41a2989d64c0b3072f9710937be"),
]  # fmt: skip


def seconds(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y%m%d%H").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("name", "auth", "sign", "stamp", "secret", "client_id", "password"), VECTORS)
def test_client_id_and_password_are_those_of_the_vectors(
    name: str, auth: int, sign: int, stamp: str, secret: str, client_id: str, password: str
) -> None:
    found = DeviceCredentials(name, secret, sign_type=sign, auth_type=auth)
    for moment in (seconds(stamp), seconds(stamp) + 3599.9):
        assert (found.client_id(moment), found.username, found.password(moment)) == (client_id, name, password)


@pytest.mark.parametrize(
    ("stamp", "secret", "password"),
    [
        ("0000000000", "s3cr3t", "4e6ef51aea8e569170362b3ef3a93690fa6b1a09b4d34dde5daecf033cede12e"),
        ("2025041401", "12345678", "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a"),
        ("2026112512", "product-secret-1", "65cd9735f47e0ae9fda19ae42ec169aaae599fad2c609204fcb297efb698d0d1"),
    ],
)
def test_the_stamp_is_the_key_and_the_secret_the_message(stamp: str, secret: str, password: str) -> None:
    assert password_of(secret, stamp) == password


def test_the_stamp_is_an_hour_of_utc_with_ten_digits() -> None:
    assert stamp_of(0) == "1970010100"
    assert stamp_of(seconds("2026112512") - 0.001) == "2026112511"


@given(st.floats(0, 4e9), st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_password_is_64_lower_case_hex_digits(now: float, secret: str) -> None:
    password = DeviceCredentials("pump", secret).password(now)
    assert len(password) == 64
    assert set(password) <= set("0123456789abcdef")


def test_every_byte_value_is_written_as_two_digits() -> None:
    seen = {password_of(str(each), "2026112512")[at : at + 2] for each in range(400) for at in range(0, 64, 2)}
    assert seen == {f"{each:02x}" for each in range(256)}


def test_by_node_id_logs_in_with_the_node_id() -> None:
    found = DeviceCredentials.by_node_id("urn:imei:860000000000025", "s3cr3t", sign_type=0)
    assert found.client_id(0) == "urn:imei:860000000000025_2_0_1970010100"


def test_a_secret_shows_in_no_repr() -> None:
    assert "s3cr3t" not in repr(DeviceCredentials("pump", "s3cr3t"))


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (("", "s"), "device_id"),
        ((7, "s"), "device_id"),
        (("a/b", "s"), "leave out #"),
        (("a#", "s"), "leave out #"),
        (("a", ""), "secret"),
        (("a", None), "secret"),
        (("\ud800", "s"), "UTF-8"),
        (("a", "s3cr3t\ud800"), "UTF-8"),
        (("a" * 242, "s"), "256 are allowed"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(values: tuple[object, object], part: str) -> None:
    with pytest.raises(InvalidArgumentError, match=part) as caught:
        DeviceCredentials(*values)  # type: ignore[arg-type]
    assert "s3cr3t" not in str(caught.value)


def test_the_longest_client_id_has_256_characters() -> None:
    assert len(DeviceCredentials("a" * 241, "s").client_id(0)) == 256


@pytest.mark.parametrize("options", [{"sign_type": 2}, {"sign_type": True}, {"auth_type": 1}, {"auth_type": "0"}])
def test_unknown_types_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        DeviceCredentials("a", "s", **options)
