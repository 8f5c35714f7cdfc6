"""An example per method of client.device_upgrade, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    CreateUpgradeTaskInDTO,
    OperateDevices,
    OperatePolicy,
    QueryUpgradePackageListInDTO,
    QueryUpgradeSubTaskInDTO,
    QueryUpgradeTaskListInDTO,
)
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    platform.control.add_devices(2, product_id="street-lamp-nb")
    ids = [one.device_id or "" for one in client.data_collection.iter_devices()]
    for lamp in ids:
        platform.control.script(lamp)
    for kind in ("firmwarePackage", "softwarePackage"):
        platform.control.add_package(
            {
                "fileType": kind,
                "deviceType": "StreetLamp",
                "model": "LF-LED60",
                "manufacturerName": "Lumenfeld Lighting",
                "version": "1.1",
                "name": f"{kind}-1.1",
            }
        )
    # --8<-- [start:query_upgrade_package_list]
    page = client.device_upgrade.query_upgrade_package_list(
        QueryUpgradePackageListInDTO(file_type="firmwarePackage", model="LF-LED60")
    )
    print(page.total_count)
    # --8<-- [end:query_upgrade_package_list]

    # --8<-- [start:iter_upgrade_packages]
    packages = {
        str(package.file_type): package.file_id or ""
        for package in client.device_upgrade.iter_upgrade_packages()
    }
    # --8<-- [end:iter_upgrade_packages]

    # --8<-- [start:query_upgrade_package]
    package = client.device_upgrade.query_upgrade_package(packages["firmwarePackage"])
    print(package.name, package.version)
    # --8<-- [end:query_upgrade_package]

    # --8<-- [start:create_firmware_upgrade_task]
    made = client.device_upgrade.create_firmware_upgrade_task(
        CreateUpgradeTaskInDTO(
            file_id=packages["firmwarePackage"],
            targets=OperateDevices(devices=ids),
            policy=OperatePolicy(execute_type="now"),
        )
    )
    # --8<-- [end:create_firmware_upgrade_task]

    # --8<-- [start:create_software_upgrade_task]
    also = client.device_upgrade.create_software_upgrade_task(
        CreateUpgradeTaskInDTO(
            file_id=packages["softwarePackage"],
            targets=OperateDevices(devices=ids),
            policy=OperatePolicy(
                execute_type="device_online", retry_type=True, retry_times=3
            ),
        )
    )
    # --8<-- [end:create_software_upgrade_task]

    # --8<-- [start:query_upgrade_task]
    task = client.device_upgrade.query_upgrade_task(made.operation_id)
    print(task.status)
    # --8<-- [end:query_upgrade_task]

    # --8<-- [start:wait_for_upgrade_task]
    ended = client.device_upgrade.wait_for_upgrade_task(
        made.operation_id,
        timeout=60,
        on_progress=lambda now: print(now.sta_result),
    )
    print(ended.status)
    # --8<-- [end:wait_for_upgrade_task]

    # --8<-- [start:query_upgrade_sub_task]
    parts = client.device_upgrade.query_upgrade_sub_task(
        QueryUpgradeSubTaskInDTO(sub_operation_status="fail"), made.operation_id
    )
    print(parts.total_count)
    # --8<-- [end:query_upgrade_sub_task]

    # --8<-- [start:iter_upgrade_sub_tasks]
    for part in client.device_upgrade.iter_upgrade_sub_tasks(None, made.operation_id):
        print(part.device_id, part.status)
    # --8<-- [end:iter_upgrade_sub_tasks]

    # --8<-- [start:query_upgrade_task_list]
    tasks = client.device_upgrade.query_upgrade_task_list(
        QueryUpgradeTaskListInDTO(operation_type="firmware_upgrade")
    )
    print(tasks.total_count)
    # --8<-- [end:query_upgrade_task_list]

    # --8<-- [start:iter_upgrade_tasks]
    for operation in client.device_upgrade.iter_upgrade_tasks():
        print(operation.operation_id, operation.status)
    # --8<-- [end:iter_upgrade_tasks]

    # --8<-- [start:delete_upgrade_package]
    client.device_upgrade.delete_upgrade_package(packages["firmwarePackage"])
    # --8<-- [end:delete_upgrade_package]
