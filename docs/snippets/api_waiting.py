"""The programs of docs/api/waiting.md."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import CommandDTOV4, PostDeviceCommandInDTO2


def close_valve(client: NorthApiClient, device_id: str) -> None:
    request = PostDeviceCommandInDTO2(
        device_id=device_id,
        command=CommandDTOV4(service_id="WaterMeter", method="SET_VALVE", paras={}),
    )
    # --8<-- [start:waiting]
    command = client.signal_delivery.post_device_command(request)
    done = client.signal_delivery.wait_for_device_command(
        command.command_id,
        device_id,
        timeout=120,
        on_progress=lambda now: print(now.status),
    )
    # --8<-- [end:waiting]
    print(done.status)
