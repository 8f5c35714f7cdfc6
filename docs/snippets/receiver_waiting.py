"""The programs of docs/receiver/waiting.md."""

# --8<-- [start:send]
from iot_northbound import NorthApiClient, PushMessageReceiver, WaitTimeoutError
from iot_northbound.dto import CommandDTOV4, PostDeviceCommandInDTO2
from iot_northbound.push import MemoryInbox

HERE = "https://na.example:8686/v1.0.0/messageReceiver"
receiver = PushMessageReceiver(MemoryInbox(), callback_url=HERE)
client = NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml")
client.start_timer()
close_valve = CommandDTOV4(
    service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"}
)


def close(device_id: str, timeout: float = 120) -> None:
    request = PostDeviceCommandInDTO2(device_id=device_id, command=close_valve)
    try:
        done = receiver.commands.send(client, request, timeout=timeout)
    except WaitTimeoutError as error:
        print("still", error.last_state.status)
    else:
        print(done.status, done.result)
        # --8<-- [end:send]


# --8<-- [start:fastapi]
import asyncio

from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.post("/meters/{device_id}/valve")
async def turn(device_id: str) -> dict[str, str]:
    request = PostDeviceCommandInDTO2(device_id=device_id, command=close_valve)
    future = receiver.commands.submit(client, request, timeout=120)
    try:
        done = await asyncio.wrap_future(future)
    except WaitTimeoutError as error:
        text = f"the valve is still {error.last_state.status}"
        raise HTTPException(504, text) from None
    return {"status": str(done.status)}
    # --8<-- [end:fastapi]


# --8<-- [start:subscribe]
from iot_northbound.dto import NotifyType

client.subscription_management.ensure(
    HERE, [NotifyType.SW_UPGRADE_RESULT_NOTIFY, NotifyType.FW_UPGRADE_RESULT_NOTIFY]
)
# --8<-- [end:subscribe]

from iot_northbound.dto import RegDirectDeviceInDTO2

meter = RegDirectDeviceInDTO2(node_id="meter-77", product_id="water-meter-nb")
close(client.device_management.reg_direct_device(meter).device_id, timeout=0)
receiver.stop()
client.close()
