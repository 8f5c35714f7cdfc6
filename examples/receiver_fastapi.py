"""A FastAPI application that receives pushes at /iot/v1.0.0/messageReceiver.

uvicorn --factory examples.receiver_fastapi:create_app --port 8686
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from iot_northbound.dto import NotifyDeviceDataChangedDTO
from iot_northbound.push import PushMessageReceiver, SqliteInbox


def create_app(inbox: str | os.PathLike[str] = "pushes.sqlite3") -> FastAPI:
    """Return the application."""
    readings: dict[str, dict[str, Any]] = {}  # device -> service -> data
    newest: dict[tuple[str, str], datetime] = {}
    receiver = PushMessageReceiver(SqliteInbox(inbox))

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

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A mounted application gets no start and stop events: the outer one starts and
        # stops it.
        receiver.start()
        yield
        await run_in_threadpool(receiver.stop)

    app = FastAPI(lifespan=lifespan)

    @app.get("/readings")
    def show() -> dict[str, Any]:
        return readings

    app.mount("/iot", receiver.asgi)
    return app
