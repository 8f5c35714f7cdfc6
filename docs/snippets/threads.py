"""The programs of docs/threads-and-asyncio.md."""

# --8<-- [start:threads]
from concurrent.futures import ThreadPoolExecutor

from iot_northbound import NorthApiClient

PROFILE = "~/.iot-northbound/emulator/profile.toml"


def states(client: NorthApiClient, device_ids: list[str]) -> list[bool | None]:
    def activated(device_id: str) -> bool | None:
        return client.device_management.query_device_status(device_id).activated

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(activated, device_ids))


# --8<-- [end:threads]


# --8<-- [start:asyncio]
import asyncio


async def page(client: NorthApiClient) -> int | None:
    query = client.data_collection.query_batch_devices_info
    answer = await asyncio.to_thread(query)
    return answer.total_count


# --8<-- [end:asyncio]

with NorthApiClient.from_profile(PROFILE) as client:
    ids = [one.device_id or "" for one in client.data_collection.iter_devices()]
    print(states(client, ids), asyncio.run(page(client)))
