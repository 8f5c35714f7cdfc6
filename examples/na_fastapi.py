"""An application with FastAPI: it receives pushes, shows readings, and turns valves.

    iot-northbound emulator                                     # in another terminal
    uvicorn --factory examples.na_fastapi:create_app --port 8686
    curl -X POST 'http://127.0.0.1:8686/meters/DEVICE_ID/valve?state=CLOSED'

The answer to the last request comes when the meter has obeyed. Until then the request
occupies no thread.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal

from fastapi import FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool

from iot_northbound import NorthApiClient, NorthApiException, WaitTimeoutError
from iot_northbound.dto import (
    CommandDTOV4,
    NotifyDeviceDataChangedDTO,
    NotifyType,
    PostDeviceCommandInDTO2,
)
from iot_northbound.push import PushMessageReceiver, SqliteInbox

PROFILE = os.environ.get("NA_PROFILE", "~/.iot-northbound/emulator/profile.toml")
HERE = os.environ.get("NA_URL", "http://127.0.0.1:8686/iot/v1.0.0/messageReceiver")
"""The URL under which the platform reaches this application."""


def create_app(
    profile: str = PROFILE, here: str = HERE, inbox: str = "pushes.sqlite3"
) -> FastAPI:
    """Return the application."""
    readings: dict[str, dict[str, Any]] = {}  # device -> service -> data
    newest: dict[tuple[str, str], datetime] = {}
    client = NorthApiClient.from_profile(profile)
    receiver = PushMessageReceiver(SqliteInbox(inbox), callback_url=here)

    @receiver.on(NotifyDeviceDataChangedDTO)
    def store(body: NotifyDeviceDataChangedDTO) -> None:
        service = body.service
        if body.device_id is None or service is None or service.service_id is None:
            return
        # The order of arrival is not the order of the events: a repeated push comes
        # after newer ones.
        made = (
            service.event_time.datetime
            if service.event_time
            else receiver.event.received_at
        )
        key = body.device_id, service.service_id
        if key not in newest or made >= newest[key]:
            newest[key] = made
            readings.setdefault(body.device_id, {})[service.service_id] = service.data

    def start() -> None:
        client.start_timer()
        receiver.start()
        client.subscription_management.ensure(here, [NotifyType.DEVICE_DATA_CHANGED])

    def stop() -> None:
        receiver.stop()
        client.close()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A mounted application gets no start and stop events: this one gets them.
        await run_in_threadpool(start)
        yield
        await run_in_threadpool(stop)

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readings")
    async def show() -> dict[str, Any]:
        return readings

    @app.post("/meters/{device_id}/valve")
    async def turn(
        device_id: str, state: Literal["OPEN", "CLOSED"], timeout: float = 60.0
    ) -> dict[str, Any]:
        command = CommandDTOV4(
            service_id="WaterMeter", method="SET_VALVE", paras={"state": state}
        )
        request = PostDeviceCommandInDTO2(device_id=device_id, command=command)
        try:
            done = await asyncio.wrap_future(
                receiver.commands.submit(client, request, timeout=timeout)
            )
        except WaitTimeoutError as error:
            text = (
                f"the valve has not turned in {timeout:g} s: {error.last_state.status}"
            )
            raise HTTPException(504, text) from None
        except NorthApiException as error:
            raise HTTPException(502, str(error)) from None
        return {
            "command": done.command_id,
            "status": done.status,
            "result": done.result,
        }

    app.mount("/iot", receiver.asgi)
    return app
