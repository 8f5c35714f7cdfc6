"""The programs of docs/paging-and-waiting.md."""

# --8<-- [start:lists-item-by-item]
from iot_northbound import NorthApiClient
from iot_northbound.dto import QueryBatchDevicesInfoInDTO

client = NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml")
client.start_timer()
for device in client.data_collection.iter_devices(
    QueryBatchDevicesInfoInDTO(device_type="WaterMeter", page_size=100)
):
    print(device.device_id)
# --8<-- [end:lists-item-by-item]


# --8<-- [start:waiting-for-commands-and-tasks]
from iot_northbound import WaitTimeoutError
from iot_northbound.dto import (
    CommandDTOV4,
    DeviceCommandRespV4,
    DeviceInfoDTO,
    PostDeviceCommandInDTO2,
    RegDirectDeviceInDTO2,
)

meter = DeviceInfoDTO(
    manufacturer_id="HYDRALIS",
    manufacturer_name="Hydralis Metering",
    device_type="WaterMeter",
    model="HM20",
    protocol_type="CoAP",
)
registered = client.device_management.reg_direct_device(
    RegDirectDeviceInDTO2(node_id="meter-0002", device_info=meter, timeout=0)
)
device_id = registered.device_id
close_valve = CommandDTOV4(
    service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"}
)
command = client.signal_delivery.post_device_command(
    PostDeviceCommandInDTO2(device_id=device_id, command=close_valve, expire_time=86400)
)


def show(state: DeviceCommandRespV4) -> None:
    print("command is", state.status)


try:
    done = client.signal_delivery.wait_for_device_command(
        command.command_id, device_id, timeout=1, on_progress=show
    )
    print("ended as", done.status)
except WaitTimeoutError as error:
    print(
        "still", error.last_state and error.last_state.status
    )  # the meter sleeps, and the platform keeps the command
# --8<-- [end:waiting-for-commands-and-tasks]


# --8<-- [start:the-order-of-commands]
client.device_management.delete_direct_device(device_id)
client.close()
# --8<-- [end:the-order-of-commands]
