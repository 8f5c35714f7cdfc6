"""The control port: operations for programs, and the console page for people, which is loaded when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from iot_northbound.emulator.json_bodies import Receive, Send

App = Callable[[dict[str, Any], Receive, Send], Coroutine[Any, Any, None]]

_MISSING = b"The console page needs jinja2, which is not installed: pip install 'iot-northbound[emulator]'\n"


class Door:
    """Leads each request of the control port to the operations or to the page.

    Args:
        operations: Serves the operations.
        load: Imports the page and returns it. It is called once, at the page's first request, on another thread.
    """

    def __init__(self, operations: App, load: Callable[[], App]) -> None:
        self._operations, self._load = operations, load
        self._page: App | None = None
        self._loading = asyncio.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("raw_path", b"")
        if path == b"/" or path == b"/console" or path.startswith(b"/console/"):
            page = await self._loaded()
            await (_without_jinja if page is None else page)(scope, receive, send)
        else:
            await self._operations(scope, receive, send)

    async def _loaded(self) -> App | None:
        async with self._loading:
            if self._page is None:
                try:
                    self._page = await asyncio.to_thread(self._load)
                except ModuleNotFoundError as error:
                    if error.name not in ("jinja2", "markupsafe"):
                        raise
        return self._page


async def _without_jinja(_: dict[str, Any], __: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(_MISSING)).encode())]
    await send({"type": "http.response.start", "status": 501, "headers": headers})
    await send({"type": "http.response.body", "body": _MISSING})
