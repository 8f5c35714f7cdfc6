"""Tests of functions that take a client."""

import pytest
from valves_app import close_valve

from iot_northbound import (
    BadTokenError,
    ConnectionFailedError,
    NorthApiClient,
    ThrottledError,
)
from iot_northbound.dto import RegDirectDeviceInDTO2
from iot_northbound.testing.devices import IotDevices
from iot_northbound.testing.factories import make
from iot_northbound.testing.platform import IotPlatform


# --8<-- [start:valve]
def test_the_valve_closes(north_client: NorthApiClient, iot_device: IotDevices) -> None:
    meter = iot_device(result={"result": 0})
    assert close_valve(north_client, meter.device_id) == "SUCCESSFUL"


def test_the_valve_is_stuck(
    north_client: NorthApiClient, iot_device: IotDevices
) -> None:
    meter = iot_device(answer="fail")
    assert close_valve(north_client, meter.device_id) == "FAILED"


# --8<-- [end:valve]


# --8<-- [start:mqtt]
def test_a_device_that_is_code(
    north_client: NorthApiClient, iot_device: IotDevices
) -> None:
    meter = iot_device.mqtt()

    @meter.client.on_command("WaterMeter", "SET_VALVE")
    def turn(command: object) -> dict[str, int]:
        return {"result": 0}

    assert close_valve(north_client, meter.device_id) == "SUCCESSFUL"


# --8<-- [end:mqtt]


# --8<-- [start:time]
def test_a_token_lives_an_hour(
    north_client: NorthApiClient, iot_platform: IotPlatform
) -> None:
    token = north_client.authentication.get_auth_token().access_token
    iot_platform.control.advance(3601)  # takes no time
    with pytest.raises(BadTokenError):
        north_client.data_collection.query_batch_devices_info(access_token=token)


# --8<-- [end:time]


# --8<-- [start:markers]
REGISTER = "POST /iocm/app/reg/v1.1.0/deviceCredentials"


@pytest.mark.iot_faults("reset", endpoint=REGISTER, when="after", count=1)
def test_a_lost_answer_is_not_repeated(north_client: NorthApiClient) -> None:
    with pytest.raises(ConnectionFailedError) as failed:
        north_client.device_management.reg_direct_device(make(RegDirectDeviceInDTO2))
    assert failed.value.outcome_unknown
    assert len(list(north_client.data_collection.iter_devices())) == 1  # it had arrived


@pytest.mark.iot_settings(flow_control=True, calls_per_minute=1)
def test_the_platform_throttles(north_client: NorthApiClient) -> None:
    once = north_client.with_options(max_attempts=1)
    once.data_collection.query_batch_devices_info()
    with pytest.raises(ThrottledError):
        once.data_collection.query_batch_devices_info()


# --8<-- [end:markers]


# --8<-- [start:journal]
def test_one_request_per_page(
    north_client: NorthApiClient, iot_platform: IotPlatform
) -> None:
    iot_platform.control.add_devices(250)
    iot_platform.control.clear_journal()
    assert len(list(north_client.data_collection.iter_devices())) == 250
    (call,) = iot_platform.control.journal(kind="call")
    assert call["endpoint"] == "GET /iocm/app/dm/v1.4.0/devices"


# --8<-- [end:journal]
