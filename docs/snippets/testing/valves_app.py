"""The application under test: it closes valves, and stores what meters report."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    CommandDTOV4,
    NotifyDeviceDataChangedDTO,
    PostDeviceCommandInDTO2,
)
from iot_northbound.push import MemoryInbox, PushMessageReceiver

CLOSE = CommandDTOV4(
    service_id="WaterMeter", method="SET_VALVE", paras={"state": "CLOSED"}
)


def close_valve(client: NorthApiClient, device_id: str) -> str | None:
    command = PostDeviceCommandInDTO2(device_id=device_id, command=CLOSE, expire_time=0)
    sent = client.signal_delivery.post_device_command(command)
    return client.signal_delivery.wait_for_device_command(
        sent.command_id, device_id, timeout=30
    ).status


def create_app(client: NorthApiClient) -> FastAPI:
    readings: dict[str | None, Any] = {}
    receiver = PushMessageReceiver(MemoryInbox())

    @receiver.on(NotifyDeviceDataChangedDTO)
    def store(body: NotifyDeviceDataChangedDTO) -> None:
        if body.service is not None:
            readings[body.device_id] = body.service.data

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        receiver.start()
        yield
        await run_in_threadpool(receiver.stop)

    app = FastAPI(lifespan=lifespan)

    @app.get("/readings")
    def show() -> dict[str | None, Any]:
        return readings

    @app.post("/valves/{device_id}/close")
    def close(device_id: str) -> dict[str, Any]:
        return {"status": close_valve(client, device_id)}

    app.mount("/iot", receiver.asgi)
    return app
