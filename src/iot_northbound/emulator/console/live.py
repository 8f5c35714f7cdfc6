"""Server-sent events: a page that is open gets its regions when they change.

Nothing is called when the platform changes. While a page is open, its snapshot is read again from time to time and
compared with the last one, at most for a twentieth of the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from iot_northbound.emulator.console.pages import Rendering
from iot_northbound.emulator.console.reading import NoSuchPage
from iot_northbound.emulator.json_bodies import Receive, Send
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.serving.http import CONNECTION

log = logging.getLogger("iot_northbound.emulator")

TICK = 0.5
"""Seconds between two looks, at least."""
SHARE = 20
"""How many times as long as a look takes the pause after it is, at least."""
STREAMS = 16
"""How many pages get events at once; others are told to come again."""
SLOW = 5.0
"""How many seconds a browser may leave an event unread before its stream is ended."""


class Live:
    """The open streams."""

    def __init__(self, runtime: Runtime, rendering: Rendering) -> None:
        self._runtime, self._rendering = runtime, rendering
        self.open = 0
        """How many streams are open."""
        self.slow = SLOW

    @property
    def is_full(self) -> bool:
        """Whether no more stream may begin."""
        return self.open >= STREAMS

    async def stream(
        self,
        template: str,
        read: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
        scope: dict[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        """Send the regions of one page whenever they change, until the browser or the emulator goes.

        Args:
            template: The page's template.
            read: Returns the values of the page, and those of the clock.
            scope: The request.
            receive: Says when the browser is gone.
            send: Sends an answer that was started.
        """
        gone = asyncio.ensure_future(_gone(receive))
        self.open += 1
        try:
            await self._run(template, read, send, gone)
        except TimeoutError:
            scope["extensions"][CONNECTION].reset()
        except Exception:  # the answer has begun, so no other one can take its place
            log.exception("the console page could not be kept up to date at %s", scope["path"])
            await self._end(send, _event("gone", "Something failed: the emulator's log says more"))
        finally:
            self.open -= 1
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _run(
        self,
        template: str,
        read: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
        send: Send,
        gone: asyncio.Future[None],
    ) -> None:
        sent: dict[str, str] = {}
        last_page: dict[str, Any] | None = None
        last_clock: dict[str, Any] | None = None
        while not (gone.done() or self._runtime.closing.is_set()):
            began = time.perf_counter()
            try:
                page, clock = read()
            except NoSuchPage as error:
                await self._send(send, _event("gone", str(error)))
                break
            took = time.perf_counter() - began
            regions: dict[str, str] = {}
            if clock != last_clock:
                regions |= self._rendering.clock(clock)
            if page != last_page:
                regions |= await asyncio.to_thread(self._rendering.regions, template, page)
            last_page, last_clock = page, clock
            changed = {name: html for name, html in regions.items() if sent.get(name) != html}
            if changed:
                sent |= changed
                await self._send(send, _event("regions", changed))
            await self._runtime.pause(max(TICK, took * SHARE))
        await self._end(send)

    async def _end(self, send: Send, content: bytes = b"") -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.slow):
                await send({"type": "http.response.body", "body": content})

    async def _send(self, send: Send, content: bytes) -> None:
        async with asyncio.timeout(self.slow):
            await send({"type": "http.response.body", "body": content, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, value: Any) -> bytes:
    # JSON has no line breaks of its own, so a value from a device can begin no event.
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
