"""The programs of docs/getting-started.md."""

# --8<-- [start:call-it]
from iot_northbound import NorthApiClient
from iot_northbound.dto import DeviceInfoDTO, RegDirectDeviceInDTO2

client = NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml")
client.start_timer()  # logs in and keeps the token fresh

meter = client.device_management.reg_direct_device(
    RegDirectDeviceInDTO2(
        node_id="meter-0001",
        device_info=DeviceInfoDTO(
            manufacturer_id="HYDRALIS",
            manufacturer_name="Hydralis Metering",
            device_type="WaterMeter",
            model="HM20",
            protocol_type="CoAP",
        ),
    )
)
device_id = meter.device_id
# --8<-- [end:call-it]


# --8<-- [start:call-it-2]
from iot_northbound import NorthApiClient

with NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml") as other:
    print(other.device_management.query_device_status(device_id).activated)
# --8<-- [end:call-it-2]


# --8<-- [start:read-devices]
from iot_northbound.dto import QueryBatchDevicesInfoInDTO

info = client.data_collection.query_single_device_info(device_id)
print(info.node_type, info.create_time and info.create_time.datetime)

for device in client.data_collection.iter_devices(
    QueryBatchDevicesInfoInDTO(device_type="WaterMeter")
):
    print(device.device_id, device.device_info and device.device_info.status)
# --8<-- [end:read-devices]


# --8<-- [start:set-a-desired-value]
from iot_northbound.dto import ModifyDeviceShadowInDTO, ServiceDesiredDTO

desired = ServiceDesiredDTO(service_id="WaterMeter", desired={"reportInterval": 3600})
client.device_management.modify_device_shadow(
    ModifyDeviceShadowInDTO(service_desireds=[desired]), device_id
)
for service in client.device_management.query_device_shadow(device_id).services or []:
    print(service.service_id, service.desired_props, service.reported_props)
# --8<-- [end:set-a-desired-value]


# --8<-- [start:handle-errors]
from iot_northbound import NorthApiException, NotFoundError

try:
    client.device_management.query_device_status("no-such-device")
except NotFoundError as error:
    print(error.error_code, error.remedy)
except NorthApiException as error:
    print(error)
# --8<-- [end:handle-errors]


# --8<-- [start:tidy-up]
client.device_management.delete_direct_device(device_id)
client.close()
# --8<-- [end:tidy-up]
