"""An example per method of client.data_collection, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    QueryBatchDevicesInfoInDTO,
    QueryDeviceCapabilitiesInDTO,
    QueryDeviceDataHistoryInDTO,
    QueryDeviceDesiredHistoryInDTO,
    RegDirectDeviceInDTO2,
)
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    meter = RegDirectDeviceInDTO2(node_id="m", product_id="water-meter-nb", timeout=0)
    device_id = client.device_management.reg_direct_device(meter).device_id
    platform.control.report(device_id, "WaterMeter", {"totalVolume": 17.5})
    # --8<-- [start:query_single_device_info]
    info = client.data_collection.query_single_device_info(device_id)
    print(info.node_type, info.device_info and info.device_info.status)
    for service in info.services or []:
        print(service.service_id, service.data)
    # --8<-- [end:query_single_device_info]

    # --8<-- [start:query_batch_devices_info]
    page = client.data_collection.query_batch_devices_info(
        QueryBatchDevicesInfoInDTO(status="OFFLINE", page_no=0, page_size=50)
    )
    print(page.total_count, [device.device_id for device in page.devices or []])
    # --8<-- [end:query_batch_devices_info]

    # --8<-- [start:iter_devices]
    offline = QueryBatchDevicesInfoInDTO(status="OFFLINE")
    for device in client.data_collection.iter_devices(offline):
        print(device.device_id, device.last_modified_time)
    # --8<-- [end:iter_devices]

    # --8<-- [start:query_device_data_history]
    history = client.data_collection.query_device_data_history(
        QueryDeviceDataHistoryInDTO(device_id=device_id, gateway_id=device_id)
    )
    print(history.total_count)
    # --8<-- [end:query_device_data_history]

    # --8<-- [start:iter_device_data_history]
    reports = QueryDeviceDataHistoryInDTO(
        device_id=device_id,
        gateway_id=device_id,  # a device without a gateway is its own
        service_id="WaterMeter",
        start_time="20260101T000000Z",
    )
    for report in client.data_collection.iter_device_data_history(reports):
        print(report.timestamp, report.data)
    # --8<-- [end:iter_device_data_history]

    # --8<-- [start:query_device_desired_history]
    wishes = client.data_collection.query_device_desired_history(
        QueryDeviceDesiredHistoryInDTO(device_id=device_id, gateway_id=device_id)
    )
    print(wishes.total_count)
    # --8<-- [end:query_device_desired_history]

    # --8<-- [start:iter_device_desired_history]
    wanted = QueryDeviceDesiredHistoryInDTO(device_id=device_id, gateway_id=device_id)
    for change in client.data_collection.iter_device_desired_history(wanted):
        print(change.timestamp, change.desired)
    # --8<-- [end:iter_device_desired_history]

    # --8<-- [start:query_device_capabilities]
    able = client.data_collection.query_device_capabilities(
        QueryDeviceCapabilitiesInDTO(device_id=device_id)
    )
    for one in able.device_capabilities or []:
        print([service.service_id for service in one.service_capabilities or []])
    # --8<-- [end:query_device_capabilities]
