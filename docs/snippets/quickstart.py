"""The first program of the README and of the first page."""

# --8<-- [start:quickstart]
from iot_northbound import NorthApiClient
from iot_northbound.dto import RegDirectDeviceInDTO2

profile = "~/.iot-northbound/emulator/profile.toml"
with NorthApiClient.from_profile(profile) as client:
    meter = RegDirectDeviceInDTO2(node_id="meter-0001")
    device_id = client.device_management.reg_direct_device(meter).device_id
    for device in client.data_collection.iter_devices():
        print(device.device_id, device.create_time)
    client.device_management.delete_direct_device(device_id)
# --8<-- [end:quickstart]
