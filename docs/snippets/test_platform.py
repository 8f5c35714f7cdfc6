"""The programs of docs/testing.md: tests."""

# --8<-- [start:first]
import pytest

from iot_northbound import ConnectionFailedError, NorthApiClient, NorthApiException
from iot_northbound.dto import (
    CommandDTOV4,
    DeviceInfoDTO,
    PostDeviceCommandInDTO2,
    RegDirectDeviceInDTO2,
)
from iot_northbound.testing.platform import IotPlatform

METER = DeviceInfoDTO(
    manufacturer_id="HYDRALIS",
    manufacturer_name="Hydralis Metering",
    device_type="WaterMeter",
    model="HM20",
    protocol_type="CoAP",
)


def register(client: NorthApiClient) -> str:
    device = RegDirectDeviceInDTO2(node_id="meter-1", device_info=METER, timeout=0)
    return client.device_management.reg_direct_device(device).device_id


def test_the_valve_closes(
    iot_platform: IotPlatform, north_client: NorthApiClient
) -> None:
    device_id = register(north_client)
    iot_platform.control.script(device_id, answer="success", result={"result": 0})
    close = CommandDTOV4(
        service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"}
    )
    sent = north_client.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(device_id=device_id, command=close, expire_time=0)
    )
    done = north_client.signal_delivery.wait_for_device_command(
        sent.command_id, device_id, timeout=10
    )
    assert done.status == "SUCCESSFUL"


# --8<-- [end:first]


# --8<-- [start:clock]
def test_a_command_nobody_fetched_expires(
    iot_platform: IotPlatform, north_client: NorthApiClient
) -> None:
    device_id = register(north_client)
    close = CommandDTOV4(
        service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"}
    )
    sent = north_client.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(
            device_id=device_id, command=close, expire_time=48 * 3600
        )
    )
    iot_platform.control.advance(49 * 3600)  # takes no time
    ended = north_client.signal_delivery.wait_for_device_command(
        sent.command_id, device_id, timeout=10
    )
    assert ended.status == "EXPIRED"


# --8<-- [end:clock]


# --8<-- [start:faults]
def test_a_lost_answer_is_not_repeated(
    iot_platform: IotPlatform, north_client: NorthApiClient
) -> None:
    endpoint = "POST /iocm/app/reg/v1.1.0/deviceCredentials"
    iot_platform.control.add_fault("reset", endpoint=endpoint, when="after", count=1)
    with pytest.raises(ConnectionFailedError) as failed:
        register(north_client)
    assert failed.value.outcome_unknown
    assert len(list(north_client.data_collection.iter_devices())) == 1  # it had arrived


def test_the_platform_is_down(
    iot_platform: IotPlatform, north_client: NorthApiClient
) -> None:
    down = {"error_code": "50252", "error_desc": "out of order"}
    iot_platform.control.add_fault("answer", status=500, body=down)
    with pytest.raises(NorthApiException) as failed:
        north_client.data_collection.query_batch_devices_info()
    assert failed.value.error_code == "50252"
    iot_platform.control.clear_faults()


# --8<-- [end:faults]


# --8<-- [start:journal]
def test_one_request_per_page(
    iot_platform: IotPlatform, north_client: NorthApiClient
) -> None:
    iot_platform.control.add_devices(250)
    iot_platform.control.clear_journal()
    devices = list(north_client.data_collection.iter_devices())
    calls = iot_platform.control.journal(kind="call")
    assert (len(devices), len(calls)) == (250, 1)


# --8<-- [end:journal]
