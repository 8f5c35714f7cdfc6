from __future__ import annotations

import logging
from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.mqtt.authenticate import Refused, authenticate, password_of
from iot_northbound.emulator.mqtt.packets import Connect
from iot_northbound.emulator.rules import applications, devices, models

ID = "3f2b9c1e-7a64-4d0c-9f15-2c6f0e8d41aa"
SECRET = "6a1f0c93b7d24e58a0c1"
RIGHT = "adae28fb7418ca0d2bfcf5444dc190c8f4593dd95d62c05ce3f4449a81b3aa50"
SWAPPED = "29e82cbf948efbb20c92a487c09802a78a15faec21979c00f6ec2f0082d0ec92"
STAMP = "2018072417"


@pytest.fixture
def platform(platform: Platform) -> Platform:
    platform.freeze(1_532_452_500)  # 2018-07-24, 17:15 UTC
    return platform


def device(platform: Platform, device_id: str = ID, node_id: str = "node-1", secret: str = SECRET, **more: Any) -> str:
    row = devices.create(platform, "app-one", node_id, productId="home-gateway-mqtt", secret=secret, **more)
    table = platform.table(devices.DEVICES)
    table.delete(row["deviceId"])
    table.put(device_id, {**row, "deviceId": device_id, "gatewayId": device_id})
    return device_id


def given(client_id: str, user: str | None, password: str | None, keep_alive: int = 60) -> Connect:
    return Connect(("MQTT", 4), True, keep_alive, client_id, user, None if password is None else password.encode())


def refusal(platform: Platform, connect: Connect) -> tuple[int, str]:
    with pytest.raises(Refused) as told:
        authenticate(platform, connect)
    return told.value.code, told.value.reason


@pytest.mark.parametrize(
    ("secret", "stamp", "password"),
    [
        (SECRET, STAMP, RIGHT),
        ("0123456789abcdef0123", "2026112512", "eaee4fb9a9c864c47615a700dc0ba541c9f351926704eafd367d796c617e6c69"),
        ("s3cr3t", "0000000000", "4e6ef51aea8e569170362b3ef3a93690fa6b1a09b4d34dde5daecf033cede12e"),
        ("pass word_ä", "2027010100", "9da4db198f72b44eb458a64df08a534848e0869fb83fe65b31688f73279a3bed"),
        ("0" * 20, "2018072423", "63e894450f838c05848cd882493a89d95a48b41a2989d64c0b3072f9710937be"),
        ("k", "2026112512", "7d30f01b732ceab22c61279f58edda2a88483460b34a523129cc13507f64a96d"),
        ("12345678", "2025041401", "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a"),
    ],
)
def test_the_password_of_the_vectors(secret: str, stamp: str, password: str) -> None:
    assert password_of(secret, stamp).decode() == password


@pytest.mark.parametrize(
    ("name", "kind", "stamp", "secret", "password"),
    [
        (ID, 0, STAMP, SECRET, RIGHT),
        ("860000000000017", 2, "2026112512", "0123456789abcdef0123", None),
        ("urn:imei:860000000000025", 2, "0000000000", "s3cr3t", None),
        ("plant_7_pump_02", 2, "2027010100", "pass word_ä", None),
        ("gw_0_1_2018072417", 0, "2018072423", "0" * 20, None),
    ],
)
def test_ids_of_any_form_log_in(
    platform: Platform, name: str, kind: int, stamp: str, secret: str, password: str | None
) -> None:
    own = device(platform, name if kind == 0 else ID, "node-1" if kind == 0 else name, secret)
    password = password or password_of(secret, stamp).decode()
    login = authenticate(platform, given(f"{name}_{kind}_0_{stamp}", name, password))
    assert (login.device_id, login.name) == (own, name)


def test_with_sign_type_1_the_hour_must_be_the_platforms(platform: Platform) -> None:
    device(platform)
    connect = given(f"{ID}_0_1_{STAMP}", ID, RIGHT)
    assert authenticate(platform, connect).device_id == ID
    platform.freeze(platform.now() + 3600)
    assert refusal(platform, connect) == (4, f"the time stamp {STAMP} is -1 hours off the platform's hour")
    platform.settings.mqtt_hour_tolerance = 1
    assert authenticate(platform, connect).device_id == ID
    assert authenticate(platform, given(f"{ID}_0_0_{STAMP}", ID, RIGHT)).device_id == ID


def test_a_stamp_that_is_no_hour_is_good_for_sign_type_0_only(platform: Platform) -> None:
    device(platform)
    password = password_of(SECRET, "9999999999").decode()
    assert authenticate(platform, given(f"{ID}_0_0_9999999999", ID, password))
    assert refusal(platform, given(f"{ID}_0_1_9999999999", ID, password))[0] == 4


@pytest.mark.parametrize(
    "client_id",
    [
        "", "x", f"{ID}_0_{STAMP}", f"_0_1_{STAMP}", f"{ID}_3_1_{STAMP}", f"{ID}_0_2_{STAMP}", f"{ID}_0_1_201807241",
        f"{ID}_0_1_20180724177", f"{ID}_0_1_2018-07-24", f"{ID}_0_1_٢٠١٨٠٧٢٤١٧", "a" * 243 + "_0_0_2026112512",
    ],
)  # fmt: skip
def test_a_client_id_of_another_form_is_refused_with_2(platform: Platform, client_id: str) -> None:
    device(platform)
    assert refusal(platform, given(client_id, ID, RIGHT))[0] == 2


def test_a_client_id_may_have_256_characters(platform: Platform) -> None:
    name = "a" * 241
    device(platform, name, secret="k")
    client_id = f"{name}_0_0_2026112512"
    assert len(client_id) == 256
    assert authenticate(platform, given(client_id, name, password_of("k", "2026112512").decode()))


@pytest.mark.parametrize("bounds", [(30, 1200), (1200, 30)])
@pytest.mark.parametrize("keep_alive", [0, 29, 1201])
def test_a_keep_alive_out_of_its_bounds_is_refused_with_2(
    platform: Platform, keep_alive: int, bounds: tuple[int, int]
) -> None:
    device(platform)
    connect = given(f"{ID}_0_1_{STAMP}", ID, RIGHT, keep_alive)
    assert authenticate(platform, connect)
    platform.settings.mqtt_keepalive = bounds
    assert refusal(platform, connect)[0] == 2
    assert authenticate(platform, connect._replace(keep_alive=1200))


@pytest.mark.parametrize(
    ("user", "password", "mistake"),
    [
        (ID, RIGHT.upper(), "capital letters"),
        (ID, SWAPPED, "swapped"),
        (ID, None, "no password"),
        ("someone", RIGHT, "user name"),
        (None, RIGHT, "user name"),
    ],
)
def test_a_likely_mistake_is_refused_with_4_and_named_in_the_log_once(
    platform: Platform, caplog: pytest.LogCaptureFixture, user: str | None, password: str | None, mistake: str
) -> None:
    device(platform)
    for _ in range(2):
        code, reason = refusal(platform, given(f"{ID}_0_1_{STAMP}", user, password))
        assert code == 4
        assert mistake in reason
    assert [mistake in record.message for record in caplog.records] == [True]
    assert SECRET not in caplog.text
    assert RIGHT not in caplog.text.lower()


def test_a_device_in_local_time_is_told_so_in_the_log(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    device(platform)
    stamp = "2018072501"  # eight hours ahead
    password = password_of(SECRET, stamp).decode()
    assert refusal(platform, given(f"{ID}_0_1_{stamp}", ID, password))[0] == 4
    assert "+8 hours" in caplog.text
    assert "local time" in caplog.text


@pytest.mark.parametrize(("kind", "name", "right"), [(2, ID, "0 for a deviceId"), (0, "node-1", "2 for a nodeId")])
def test_an_id_of_the_other_kind_is_told_in_the_log(
    platform: Platform, caplog: pytest.LogCaptureFixture, kind: int, name: str, right: str
) -> None:
    device(platform)
    assert refusal(platform, given(f"{name}_{kind}_0_{STAMP}", name, RIGHT))[0] == 4
    assert right in caplog.text


def test_an_unknown_device_and_a_wrong_password_get_the_same_answer(platform: Platform) -> None:
    device(platform)
    wrong = refusal(platform, given(f"{ID}_0_1_{STAMP}", ID, "0" * 64))
    unknown = refusal(platform, given(f"other_0_1_{STAMP}", "other", RIGHT))
    assert wrong[0] == unknown[0] == 4
    assert wrong[1] != unknown[1]


def test_a_device_without_a_secret_cannot_log_in(platform: Platform) -> None:
    device(platform)
    platform.table(devices.DEVICES).change(ID, secret=None)
    assert refusal(platform, given(f"{ID}_0_1_{STAMP}", ID, password_of("", STAMP).decode()))[0] == 4


def test_a_known_device_that_may_not_connect_is_refused_with_5(platform: Platform) -> None:
    device(platform)
    connect = given(f"{ID}_0_1_{STAMP}", ID, RIGHT)
    table = platform.table(devices.DEVICES)
    table.change(ID, mustBind=True)
    assert refusal(platform, connect)[0] == 5
    table.change(ID, mustBind=False, parent="gateway")
    assert refusal(platform, connect)[0] == 5
    table.change(ID, parent=None)
    assert authenticate(platform, connect)
    applications.remove_application(platform, "app-one")
    assert refusal(platform, connect) == (5, "its application was removed")
    assert refusal(platform, connect._replace(password=b"wrong"))[0] == 4


class TestModelSecrets:
    CLIENT = "wmtr01_860000000000033_1_0_2026112512"
    PASSWORD = "65cd9735f47e0ae9fda19ae42ec169aaae599fad2c609204fcb297efb698d0d1"

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(mqtt_model_secrets=True)

    @pytest.fixture
    def connect(self, platform: Platform) -> Connect:
        shipped = next(row for row in models.shipped() if row["productId"] == "home-gateway-mqtt")
        model = {**shipped, "productId": "wmtr01", "secret": "product-secret-1"}
        models.add_model(platform, "app-one", model)
        return given(self.CLIENT, "wmtr01", self.PASSWORD)

    def test_the_first_login_registers_the_device(self, platform: Platform, connect: Connect) -> None:
        login = authenticate(platform, connect)
        assert (login.node_id, login.product_id) == ("860000000000033", "wmtr01")
        row = devices.need(platform, login.device_id)
        assert (row["appId"], row["productId"]) == ("app-one", "wmtr01")
        assert len(row["secret"]) == 20
        assert authenticate(platform, connect).device_id == login.device_id

    def test_without_the_setting_it_is_refused_with_5(self, platform: Platform, connect: Connect) -> None:
        platform.settings.mqtt_model_secrets = False
        assert refusal(platform, connect)[0] == 5
        assert devices.same_node(platform, "860000000000033") is None

    def test_a_device_that_was_registered_otherwise_is_not_given_away(
        self, platform: Platform, connect: Connect
    ) -> None:
        device(platform, node_id="860000000000033")
        assert refusal(platform, connect)[0] == 5

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"password": b"0" * 64}, 4),
            ({"user_name": "wmtr"}, 4),
            ({"user_name": None}, 4),
            ({"client_id": "wmtr01__1_0_2026112512"}, 4),
        ],
    )
    def test_a_wrong_login_registers_nothing(
        self, platform: Platform, connect: Connect, change: dict[str, Any], code: int
    ) -> None:
        before = len(platform.table(devices.DEVICES))
        assert refusal(platform, connect._replace(**change))[0] == code
        assert len(platform.table(devices.DEVICES)) == before


def test_a_login_of_the_field_shows_its_secret_only_under_its_setting(platform: Platform) -> None:
    device(platform)
    platform.table("device_logins").put(
        ID, {"deviceId": ID, "mqttClientId": "abcdef", "accessToken": "a", "refreshToken": "r", "expires": 0, "seq": 1}
    )
    connect = given("abcdef", ID, SECRET)
    assert refusal(platform, connect)[0] == 2
    platform.settings.agentlite_mqtt_login = True
    assert authenticate(platform, connect).device_id == ID
    assert refusal(platform, connect._replace(client_id="other"))[0] == 4
    assert refusal(platform, connect._replace(password=b"x"))[0] == 4
    assert refusal(platform, connect._replace(user_name="nobody"))[0] == 4


def test_no_secret_is_in_the_repr_of_a_login(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    device(platform)
    connect = given(f"{ID}_0_1_{STAMP}", ID, RIGHT)
    assert SECRET not in repr(authenticate(platform, connect))
    assert RIGHT not in repr(connect)
