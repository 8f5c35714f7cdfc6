"""An example per method of client.batch_process, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import BatchTaskCreateInDTO2, QueryTaskDetailsInDTO
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    platform.control.add_devices(2, product_id="street-lamp-nb")
    ids = [one.device_id or "" for one in client.data_collection.iter_devices()]
    # --8<-- [start:create_batch_task]
    dim = {"serviceId": "Lamp", "method": "SET_BRIGHTNESS", "paras": {"brightness": 40}}
    made = client.batch_process.create_batch_task(
        BatchTaskCreateInDTO2(
            app_id=client.client_info.app_id,
            task_name="dim two lamps",
            task_type="DeviceCmd",
            timeout=10,  # minutes
            param={"type": "DeviceList", "deviceList": ids, "command": dim},
        )
    )
    # --8<-- [end:create_batch_task]

    # --8<-- [start:query_one_task]
    task = client.batch_process.query_one_task(made.task_id)
    print(task.status, task.success_cnt, task.fail_cnt)
    # --8<-- [end:query_one_task]

    # --8<-- [start:wait_for_batch_task]
    ended = client.batch_process.wait_for_batch_task(
        made.task_id,
        timeout=60,
        on_progress=lambda now: print(now.status, now.complete_cnt),
    )
    print(ended.status)
    # --8<-- [end:wait_for_batch_task]

    # --8<-- [start:query_task_details]
    page = client.batch_process.query_task_details(
        QueryTaskDetailsInDTO(task_id=made.task_id)
    )
    print(page.total_count)
    # --8<-- [end:query_task_details]

    # --8<-- [start:iter_task_details]
    failed = QueryTaskDetailsInDTO(task_id=made.task_id, status="Fail")
    for detail in client.batch_process.iter_task_details(failed):
        print(detail.status, detail.error)
    # --8<-- [end:iter_task_details]
