"""The programs of docs/api/paging.md."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import QueryBatchDevicesInfoInDTO

with NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml") as client:
    # --8<-- [start:paging]
    offline = QueryBatchDevicesInfoInDTO(status="OFFLINE")
    for device in client.data_collection.iter_devices(offline):
        print(device.device_id)
    # --8<-- [end:paging]
