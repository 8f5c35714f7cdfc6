"""An example per method of client.device_group_management, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    CreateDeviceGroupInDTO,
    DeviceGroupWithDeviceListDTO,
    ModifyDeviceGroupInDTO,
    QueryDeviceGroupMembersInDTO,
    QueryDeviceGroupsInDTO,
)
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    platform.control.add_devices(2, product_id="street-lamp-nb")
    ids = [one.device_id or "" for one in client.data_collection.iter_devices()]
    # --8<-- [start:create_device_group]
    group = client.device_group_management.create_device_group(
        CreateDeviceGroupInDTO(name="Millstreet", description="lamps", max_dev_num=100)
    )
    group_id = group.id
    # --8<-- [end:create_device_group]

    # --8<-- [start:add_devices_to_group]
    client.device_group_management.add_devices_to_group(
        DeviceGroupWithDeviceListDTO(dev_group_id=group_id, device_ids=ids)
    )
    # --8<-- [end:add_devices_to_group]

    # --8<-- [start:modify_device_group]
    client.device_group_management.modify_device_group(
        ModifyDeviceGroupInDTO(name="Millstreet", description="lamps of the street"),
        group_id,
    )
    # --8<-- [end:modify_device_group]

    # --8<-- [start:query_single_device_group]
    one = client.device_group_management.query_single_device_group(group_id)
    print(one.name, one.cur_dev_num, "of", one.max_dev_num)
    # --8<-- [end:query_single_device_group]

    # --8<-- [start:query_device_groups]
    page = client.device_group_management.query_device_groups(
        QueryDeviceGroupsInDTO(name="Millstreet")
    )
    print(page.total_count)
    # --8<-- [end:query_device_groups]

    # --8<-- [start:iter_device_groups]
    for each in client.device_group_management.iter_device_groups():
        print(each.id, each.name)
    # --8<-- [end:iter_device_groups]

    # --8<-- [start:query_device_group_members]
    members = client.device_group_management.query_device_group_members(
        QueryDeviceGroupMembersInDTO(dev_group_id=group_id)
    )
    print(members.device_ids)
    # --8<-- [end:query_device_group_members]

    # --8<-- [start:iter_device_group_members]
    query = QueryDeviceGroupMembersInDTO(dev_group_id=group_id)
    for device_id in client.device_group_management.iter_device_group_members(query):
        print(device_id)
    # --8<-- [end:iter_device_group_members]

    # --8<-- [start:delete_devices_from_group]
    client.device_group_management.delete_devices_from_group(
        DeviceGroupWithDeviceListDTO(dev_group_id=group_id, device_ids=ids)
    )
    # --8<-- [end:delete_devices_from_group]

    # --8<-- [start:delete_device_group]
    client.device_group_management.delete_device_group(group_id)
    # --8<-- [end:delete_device_group]
