from __future__ import annotations

import pytest

from iot_northbound import NorthApiClient
from iot_northbound.dto import CommandDTOV4, PostDeviceCommandInDTO2
from iot_northbound.emulator import InvalidArgument, NotFound
from iot_northbound.testing.devices import IotDevices
from iot_northbound.testing.platform import IotApplication, IotPlatform

CLOSE = CommandDTOV4(service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"})


def close(client: NorthApiClient, device_id: str) -> str | None:
    sent = client.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(device_id=device_id, command=CLOSE, expire_time=0)
    )
    return client.signal_delivery.wait_for_device_command(sent.command_id, device_id, timeout=60).status


def test_a_scripted_device_answers_as_its_script_says(iot_device: IotDevices, north_client: NorthApiClient) -> None:
    meter = iot_device(result={"result": 0})
    assert close(north_client, meter.device_id) == "SUCCESSFUL"
    meter.script(answer="fail")
    assert close(north_client, meter.device_id) == "FAILED"
    meter.set_online(False)
    (known,) = north_client.data_collection.iter_devices()
    assert known.device_info is not None
    assert known.device_info.status == "OFFLINE"


def test_a_device_over_mqtt_answers_by_its_own_code(iot_device: IotDevices, north_client: NorthApiClient) -> None:
    meter = iot_device.mqtt("mine")
    seen = []

    @meter.client.on_command("WaterMeter", "SET_VALVE")
    def turn(command: object) -> dict[str, int]:
        seen.append(command)
        return {"result": 0}

    assert close(north_client, meter.device_id) == "SUCCESSFUL"
    assert len(seen) == 1


def test_a_mistake_is_said(iot_device: IotDevices) -> None:
    iot_device("same")
    with pytest.raises(InvalidArgument, match="'same' is there already"):
        iot_device("same")
    with pytest.raises(NotFound, match="no product model 'x'"):
        iot_device(product_id="x")
    with pytest.raises(InvalidArgument, match="answer must be one of"):
        iot_device(answer="maybe")


def test_an_application_is_given_to_a_program_by_profile_and_by_environment(
    iot_application: IotApplication, iot_platform: IotPlatform, north_client: NorthApiClient, iot_device: IotDevices
) -> None:
    iot_device(application=iot_application)
    for client in (
        NorthApiClient.from_profile(iot_application.profile_path),
        NorthApiClient.from_env(iot_application.environ),
        iot_application.client(),
    ):
        with client:
            assert len(list(client.data_collection.iter_devices())) == 1
    # All this time, the test's own client has kept its token.
    assert list(north_client.data_collection.iter_devices()) == []
    logins = iot_platform.control.calls()["POST /iocm/app/sec/v1.1.0/login"]
    assert logins == {"200": 4}
