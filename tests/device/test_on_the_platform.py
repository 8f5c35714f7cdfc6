"""Devices on the embedded platform, whose endpoint shares no line with them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import NorthApiClient, dto
from iot_northbound.device import (
    Backoff,
    Command,
    DeviceClient,
    DeviceCredentials,
    DeviceRefusedError,
    DeviceSide,
    DeviceState,
)
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile
from tests.clock import FakeClock, eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "device.py"
METER = "water-meter-nb"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(port=0, control_port=None, folder=tmp_path_factory.mktemp("platform"), mqtt_port=0) as running:
        yield running


@pytest.fixture(scope="module")
def client(platform: Emulator) -> Iterator[NorthApiClient]:
    with NorthApiClient(*load_profile(platform.profile_path)) as running:
        yield running


def registered(client: NorthApiClient, node_id: str) -> DeviceCredentials:
    made = client.device_management.reg_device_with_secret(
        dto.RegDeviceWithSecretInDTO(
            device_info=dto.MqttDeviceInfoDTO(node_id=node_id), product_id=METER, mqtt_connect=True
        )
    )
    assert made.secret is not None
    return DeviceCredentials(made.device_id, made.secret)


def device_of(platform: Emulator, credentials: DeviceCredentials, **options: Any) -> DeviceClient:
    side = DeviceSide.from_profile(platform.profile_path)
    return side.device(credentials, backoff=Backoff(first=0, longest=0), **options)


def history(client: NorthApiClient, device_id: str) -> list[Any]:
    query = dto.QueryDeviceDataHistoryInDTO(device_id=device_id, gateway_id=device_id)
    return [each.data for each in client.data_collection.iter_device_data_history(query)]


def test_a_report_is_in_the_history_when_its_result_is_there(platform: Emulator, client: NorthApiClient) -> None:
    credentials = registered(client, "report-1")
    with device_of(platform, credentials) as device:
        device.report("WaterMeter", {"flowRate": 0.5}).result(30)
        assert history(client, credentials.id) == [{"flowRate": 0.5}]


def test_a_device_may_log_in_with_its_node_id(platform: Emulator, client: NorthApiClient) -> None:
    credentials = registered(client, "urn:imei:860000000000025")
    by_node = DeviceCredentials.by_node_id("urn:imei:860000000000025", credentials.secret)
    with device_of(platform, by_node) as device:
        device.report_batch([("WaterMeter", {"flowRate": 1}), ("Battery", {"batteryLevel": 75})]).result(30)
        assert len(history(client, credentials.id)) == 2


def test_a_command_of_an_application_is_answered_by_the_device(platform: Emulator, client: NorthApiClient) -> None:
    credentials = registered(client, "command-1")
    with device_of(platform, credentials) as device:

        @device.on_command("WaterMeter", "SET_VALVE")
        def set_valve(command: Command) -> dict[str, Any]:
            return {"valve": command.paras["state"]}

        sent = client.signal_delivery.post_device_command(
            dto.PostDeviceCommandInDTO2(
                device_id=credentials.id,
                command=dto.CommandDTOV4(service_id="WaterMeter", method="SET_VALVE", paras={"state": "OPEN"}),
            )
        )
        done = client.signal_delivery.wait_for_device_command(sent.command_id, device_id=credentials.id)
    assert done.status == "SUCCESSFUL"
    assert {"valve": "OPEN"} in (done.result or {}).values()


@pytest.mark.parametrize("wrong", ["secret", "device"])
def test_wrong_credentials_are_refused_for_good(platform: Emulator, client: NorthApiClient, wrong: str) -> None:
    right = registered(client, f"wrong-{wrong}")
    credentials = DeviceCredentials("unknown", right.secret) if wrong == "device" else DeviceCredentials(right.id, "x")
    with pytest.raises(DeviceRefusedError) as caught, device_of(platform, credentials):
        pass
    assert caught.value.return_code == 4


@pytest.mark.parametrize("ahead", [-2, 2])
def test_a_clock_that_is_a_little_wrong_costs_no_connection_at_the_turn_of_the_hour(tmp_path: Path, ahead: int) -> None:
    turn = 1_900_000_800.0
    with Emulator(port=0, control_port=None, folder=tmp_path, mqtt_port=0) as platform:
        with NorthApiClient(*load_profile(platform.profile_path)) as client:
            credentials = registered(client, "turn-1")
        platform.control.freeze(turn - ahead)
        with device_of(platform, credentials, clock=FakeClock(turn + ahead)) as device:
            assert device.state is DeviceState.CONNECTED


def test_a_device_that_the_platform_throws_out_comes_back(platform: Emulator, client: NorthApiClient) -> None:
    credentials = registered(client, "kick-1")
    with device_of(platform, credentials) as device:
        states: list[DeviceState] = []
        device.on_state(states.append)
        platform.control.mqtt_kick(credentials.id)
        eventually(lambda: states[-1:] == [DeviceState.CONNECTED])
        device.report("WaterMeter", {"flowRate": 2}).result(30)


def test_a_device_that_was_deleted_is_refused(platform: Emulator, client: NorthApiClient) -> None:
    credentials = registered(client, "deleted-1")
    with device_of(platform, credentials) as device:
        client.device_management.delete_direct_device(credentials.id)
        eventually(lambda: device.state is DeviceState.REFUSED)


def test_the_example_of_a_device_reports_and_answers(
    platform: Emulator, client: NorthApiClient, tmp_path: Path
) -> None:
    credentials = registered(client, "example-1")
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(credentials.secret)
    with subprocess.Popen(
        [sys.executable, str(EXAMPLE), str(platform.profile_path), credentials.id, str(secret), "--commands", "1"],
        stdout=subprocess.PIPE,
        text=True,
    ) as example:
        assert example.stdout is not None
        lines = [example.stdout.readline() for _ in range(4)]
        client.signal_delivery.post_device_command(
            dto.PostDeviceCommandInDTO2(
                device_id=credentials.id,
                command=dto.CommandDTOV4(service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"}),
            )
        )
        rest, _ = example.communicate(timeout=60)
    assert example.returncode == 0
    assert lines == [f"connected: {credentials.id}\n", *(f"the platform has report {n}\n" for n in (1, 2, 3))]
    assert rest == "valve: CLOSED\n"
    assert history(client, credentials.id)[0]["flowRate"] in (0.5, 2.5)
