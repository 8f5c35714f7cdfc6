"""An example per method of client.signal_delivery, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    CommandDTO2,
    CommandDTOV4,
    CommandNA2CloudHeader,
    CreateDeviceCmdCancelTaskInDTO,
    PostDeviceCommandInDTO2,
    QueryDeviceCmdCancelTaskInDTO2,
    QueryDeviceCommandInDTO2,
    RegDirectDeviceInDTO2,
    UpdateDeviceCommandInDTO,
)
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    meter = RegDirectDeviceInDTO2(node_id="m", product_id="water-meter-nb", timeout=0)
    device_id = client.device_management.reg_direct_device(meter).device_id
    platform.control.script(device_id, answer="success", result={"result": 0})
    house = RegDirectDeviceInDTO2(
        node_id="h", product_id="home-gateway-mqtt", timeout=0
    )
    gateway_id = client.device_management.reg_direct_device(house).device_id
    platform.control.script(gateway_id, answer="success", result={"result": 0})
    sleeper = RegDirectDeviceInDTO2(node_id="s", product_id="water-meter-nb", timeout=0)
    sleeping_id = client.device_management.reg_direct_device(sleeper).device_id
    # --8<-- [start:post_device_command]
    close = CommandDTOV4(
        service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"}
    )
    sent = client.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(device_id=device_id, command=close, expire_time=3600)
    )
    print(sent.command_id, sent.status)
    # --8<-- [end:post_device_command]

    # --8<-- [start:wait_for_device_command]
    done = client.signal_delivery.wait_for_device_command(
        sent.command_id,
        device_id,
        timeout=120,
        on_progress=lambda now: print(now.status),
    )
    print(done.status, done.result)
    # --8<-- [end:wait_for_device_command]

    # --8<-- [start:query_device_command]
    page = client.signal_delivery.query_device_command(
        QueryDeviceCommandInDTO2(device_id=device_id, page_no=0, page_size=10)
    )
    print([command.status for command in page.data or []])
    # --8<-- [end:query_device_command]

    # --8<-- [start:iter_device_commands]
    asked = QueryDeviceCommandInDTO2(device_id=device_id)
    for command in client.signal_delivery.iter_device_commands(asked):
        print(command.command_id, command.status)
    # --8<-- [end:iter_device_commands]

    # --8<-- [start:update_device_command]
    waiting = client.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(device_id=sleeping_id, command=close, expire_time=3600)
    )
    client.signal_delivery.update_device_command(
        UpdateDeviceCommandInDTO(status="CANCELED"), waiting.command_id
    )
    # --8<-- [end:update_device_command]

    # --8<-- [start:create_device_cmd_cancel_task]
    task = client.signal_delivery.create_device_cmd_cancel_task(
        CreateDeviceCmdCancelTaskInDTO(device_id=sleeping_id)
    )
    print(task.task_id, task.status)
    # --8<-- [end:create_device_cmd_cancel_task]

    # --8<-- [start:wait_for_device_cmd_cancel_task]
    ended = client.signal_delivery.wait_for_device_cmd_cancel_task(task.task_id)
    print(ended.status, ended.total_count)
    # --8<-- [end:wait_for_device_cmd_cancel_task]

    # --8<-- [start:query_device_cmd_cancel_task]
    tasks = client.signal_delivery.query_device_cmd_cancel_task(
        QueryDeviceCmdCancelTaskInDTO2(device_id=sleeping_id)
    )
    print([one.status for one in tasks.data or []])
    # --8<-- [end:query_device_cmd_cancel_task]

    # --8<-- [start:iter_device_cmd_cancel_tasks]
    failed = QueryDeviceCmdCancelTaskInDTO2(status="FAILED")
    for one in client.signal_delivery.iter_device_cmd_cancel_tasks(failed):
        print(one.task_id, one.device_id)
    # --8<-- [end:iter_device_cmd_cancel_tasks]

    # --8<-- [start:invoke_device_service]
    order = CommandDTO2(
        header=CommandNA2CloudHeader(mode="ACK", method="PERMIT_JOIN"),
        body={"seconds": 60},
    )
    answer = client.signal_delivery.invoke_device_service(gateway_id, "Gateway", order)
    print(answer.status)
    # --8<-- [end:invoke_device_service]
