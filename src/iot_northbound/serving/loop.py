"""A service on an event loop of its own: on a background thread, or in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable
from typing import Self

log = logging.getLogger("iot_northbound.serving")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop of uvloop's if it is installed, else of asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class LoopService:
    """A service on an event loop: `open()` starts it, `aclose()` ends it.

    `start()` and `stop()` run it on a thread with its own loop. `serve_forever()` runs it in the foreground until
    SIGTERM or SIGINT. Both `start()` and `serve_forever()` raise what `open()` raises.
    """

    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event

    async def open(self) -> None:
        """Start the service; return once calls are answered."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Finish the work that was accepted, then release everything."""
        raise NotImplementedError

    def start(self) -> Self:
        """Run on a background thread; return once calls are answered."""
        if self._thread is not None:
            raise RuntimeError("already running; stop() it first")
        ready = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                with asyncio.Runner(loop_factory=new_event_loop) as runner:
                    runner.run(self._live(ready.set))
            except BaseException as error:  # start() raises it on the thread that waits there
                if ready.is_set():
                    log.exception("%s ended because of an error", type(self).__name__)
                failure.append(error)
            finally:
                ready.set()

        self._thread = threading.Thread(target=run, name=f"iot-northbound-{type(self).__name__}", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        return self

    def stop(self) -> None:
        """Finish the requests under way, close everything and join the thread. Does nothing if it does not run."""
        thread, loop = self._thread, self._loop
        if thread is None:
            return
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
                loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        self._thread = None

    def serve_forever(self, ready: Callable[[], None] | None = None) -> None:
        """Run in the foreground until SIGTERM or SIGINT; call `ready` once calls are answered.

        Works only in the main thread of the process, because other threads get no signals.
        """

        def announce() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stopping.set)
            if ready is not None:
                ready()

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._live(announce))

    async def _live(self, announce: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            await self.open()
            announce()
            await self._stopping.wait()
        finally:
            await self.aclose()
            self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
