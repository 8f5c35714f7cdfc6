"""A Starlette application that receives pushes and has a health page.

uvicorn --factory examples.receiver_starlette:create_app --port 8686
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from iot_northbound.dto import NotifyNBCCommandStatusChangedDTO
from iot_northbound.push import PushMessageReceiver, SqliteInbox

STEPS = ("PENDING", "SENT", "DELIVERED")
"""The statuses of a command before its end, in order."""


class Commands(PushMessageReceiver):
    """Keeps the last status of each command."""

    def __init__(self, inbox: SqliteInbox) -> None:
        super().__init__(inbox)
        self.last: dict[str, str] = {}

    def handle_nbc_command_state_changed(
        self, body: NotifyNBCCommandStatusChangedDTO
    ) -> None:
        """Note a status. A second call with the same message changes nothing."""
        if (
            body.command_id is None
            or body.result is None
            or body.result.result_code is None
        ):
            return
        # The order of arrival is not the order of the steps, and there is no time: do
        # not replace a later step.
        code, known = body.result.result_code, self.last.get(body.command_id)
        if known is None or step(code) >= step(known):
            self.last[body.command_id] = code


def step(code: str) -> int:
    """Return the position of a status; every final status has the same."""
    return STEPS.index(code) if code in STEPS else len(STEPS)


def create_app(inbox: str | os.PathLike[str] = "pushes.sqlite3") -> Starlette:
    """Return the application."""
    receiver = Commands(SqliteInbox(inbox))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        receiver.start()
        yield
        await run_in_threadpool(receiver.stop)

    async def commands(_: Request) -> JSONResponse:
        return JSONResponse(receiver.last)

    async def health(_: Request) -> JSONResponse:
        metrics = receiver.metrics()
        figures = {
            key: value
            for key, value in attrs.asdict(metrics).items()
            if key != "refused"
        }
        return JSONResponse(figures, status_code=200 if metrics.age < 60 else 503)

    # Mounted at the root, behind the application's own routes: pushes go to
    # /v1.0.0/messageReceiver.
    routes = [
        Route("/commands", commands),
        Route("/health", health),
        Mount("/", app=receiver.asgi),
    ]
    return Starlette(lifespan=lifespan, routes=routes)
