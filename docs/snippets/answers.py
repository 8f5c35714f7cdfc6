"""The programs of docs/answers.md."""

# --8<-- [start:unknown-fields]
from iot_northbound import NorthApiClient

with NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml") as client:
    for device in client.data_collection.iter_devices():
        print(device.device_id, device.unknown_fields)
        if device.device_info is not None:
            print(device.device_info.unknown_fields.get("networkStatus"))
# --8<-- [end:unknown-fields]


# --8<-- [start:values-of-enumerations]
from iot_northbound.dto import OperationStatus

status = OperationStatus("FAIL")
assert status == "FAIL"
assert status.canonical is OperationStatus.FAILED
# --8<-- [end:values-of-enumerations]


# --8<-- [start:as-json]
from iot_northbound.dto import RegDirectDeviceInDTO2

meter = RegDirectDeviceInDTO2.from_json('{"nodeId": "meter-1", "timeout": 0}')
row = meter.to_json()
assert row == {"nodeId": "meter-1", "timeout": 0}
assert RegDirectDeviceInDTO2.from_json(row) == meter
# --8<-- [end:as-json]
