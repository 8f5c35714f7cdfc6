"""What the listeners, the timers, the pushes and the control plane of one emulator share, on one event loop.

The platform's rules are synchronous. A caller runs them on the loop, without a pause, and then waits in `settled` until
the changes are durable before it answers.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from iot_northbound.emulator.durable import Durable
from iot_northbound.emulator.faults import FaultPlan
from iot_northbound.emulator.journal import Journal
from iot_northbound.emulator.kernel.calls import Answer, Request
from iot_northbound.emulator.kernel.platform import DUE_AT_ONCE, Platform
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.kernel.store import Change
from iot_northbound.emulator.push_client import PushClient
from iot_northbound.emulator.push_sender import PushSender
from iot_northbound.emulator.rules import applications

log = logging.getLogger("iot_northbound.emulator")

P = ParamSpec("P")
R = TypeVar("R")

SETTINGS = "settings"
"""The row of the platform's own table that keeps the settings that were changed while running."""
ENDED = "the emulator is not running"
LOOK = 1.0
"""Seconds after which a thread that waits for the loop looks whether there still is one."""
CHAIN = 100
"""How many steps that follow one another at once an operation of the control plane waits for."""


class Runtime:
    """One running platform.

    Args:
        settings: The platform's settings; settings that were changed with this data directory replace them.
        callback_context: Checks the receivers' certificates, and may hold the platform's own.
        data_dir: Where the state is kept; None keeps it in memory.

    Raises:
        DataDirError: The data directory cannot be used.
    """

    def __init__(self, settings: Settings, callback_context: ssl.SSLContext, data_dir: Path | None = None) -> None:
        self._made_with = replace(settings)
        self.platform = Platform(settings)
        self._own: tuple[str, str] | None = None
        self.durable = None if data_dir is None else Durable(data_dir)
        if self.durable is not None:
            self._go_on(self.durable)
        self.journal = Journal()
        self.faults = FaultPlan()
        self.pushes = PushSender(
            self.platform,
            PushClient(callback_context),
            self.journal,
            self.faults,
            self.settled,
            # No answer shows how a push went, and after a crash it is sent again. So no call waits for that.
            lambda: self.noted(awaited=False),
        )
        self._watchers: list[tuple[frozenset[str], Callable[[list[Change]], None]]] = []
        self.watch(("pushes", "push_destinations"), lambda _: self.pushes.wake())
        self.closing = asyncio.Event()
        self._timers_changed = asyncio.Event()
        self._timer_due: float | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._tasks = [self._loop.create_task(work) for work in (self._run_timers(), self.pushes.run())]

    def _go_on(self, durable: Durable) -> None:
        try:
            self.platform.load(durable.rows())
            for name, value in (self.platform.meta.get(SETTINGS) or {}).items():
                setattr(self.platform.settings, name, value)
        except (ValueError, TypeError, AttributeError) as error:
            durable.close()
            raise durable.unfit(error) from error

    # --- as a whole ---

    def add_own_application(self, app_id: str, secret: str) -> None:
        """Add the emulator's own application, which is there whatever happens."""
        self._own = app_id, secret
        applications.add_application(self.platform, app_id, secret)

    def reset(self) -> None:
        """Forget the state except the applications, the faults and the journal, and go back to real time."""
        self.platform.reset()
        self.faults.clear()
        self.journal.clear()
        self.platform.clock.resume({"offset": 0.0, "frozen": None})
        self.platform.thaw()

    def start_over(self) -> None:
        """Go back to a platform as it was made, with its own application and its first settings."""
        for each in fields(Settings):
            setattr(self.platform.settings, each.name, getattr(self._made_with, each.name))
        self.pushes.start_over()
        self.platform.start_over()
        self.faults.start_over()
        self.journal.start_over()
        if self._own is not None:
            self.add_own_application(*self._own)

    # --- doing something ---

    def handle(self, request: Request) -> Answer:
        """Let the platform answer a call; `settled` before the answer goes out."""
        answer = self.platform.handle(request)
        self.noted()
        return answer

    def watch(self, tables: Collection[str], notify: Callable[[list[Change]], None]) -> None:
        """Call a function, whenever changes are handed over, with those of these tables.

        It is called on the loop, before the changes are durable. What it sends to others waits for `settled`.
        """
        self._watchers.append((frozenset(tables), notify))

    def noted(self, *, awaited: bool = True) -> None:
        """Hand the changes over to durability, to the timers and to those that watch their tables.

        Args:
            awaited: Whether an answer may report the changes, so that `settled` has to wait for them.
        """
        changes = self.platform.take_changes()
        if not changes:
            return
        if self.durable is not None:
            self.durable.take(changes, awaited=awaited)
        due = self.platform.next_due()
        if due is not None and (self._timer_due is None or due < self._timer_due):
            self._timers_changed.set()
        touched = {change[0] for change in changes}
        for tables, notify in self._watchers:
            if not tables.isdisjoint(touched):
                notify([change for change in changes if change[0] in tables])

    async def settled(self) -> None:
        """Return once all changes so far that an answer may report would survive a crash.

        Raises:
            DataDirError: The disk failed.
        """
        if self.durable is not None:
            await self.durable.settled()

    async def execute(self, action: Callable[[], R], *, whole: bool = True) -> R:
        """Run an action on the state and return when its changes are durable.

        Timers that are due now run before it and after it.

        Args:
            action: A synchronous function.
            whole: Whether all of it is undone if it raises; False if it consists of pieces of work of its own.
        """
        await self._catch_up()
        try:
            result: R = self.platform.work(action) if whole else action()
        finally:
            self.noted()
            self.clock_changed()
        await self._catch_up()
        await self.settled()
        return result

    def from_any_thread(self, action: Callable[[], R], *, whole: bool = True) -> R:
        """`execute` for callers on other threads.

        Raises:
            RuntimeError: Called on the loop's own thread, or after the end.
        """
        if threading.get_ident() == self._thread:
            raise RuntimeError("this would wait for itself: on the emulator's own loop await Runtime.execute instead")
        if self.closing.is_set():
            raise RuntimeError(ENDED)
        work = self.execute(action, whole=whole)
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            while True:
                try:
                    return future.result(LOOK)
                except TimeoutError:
                    if future.done():
                        raise
                    if self._loop.is_closed():  # it ended just before it began with this
                        raise concurrent.futures.CancelledError from None
        except concurrent.futures.CancelledError:
            if self._loop.is_closed():
                work.close()
            raise RuntimeError(ENDED) from None

    def clock_changed(self) -> None:
        """Look again at what is due: the clock may have been frozen, moved or thawed."""
        self._timers_changed.set()
        self.pushes.wake()

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the emulator's end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()

    # --- time and end ---

    def _overdue(self) -> bool:
        """Return whether a timer is due now, even if the clock is frozen."""
        due = self.platform.next_due()
        return due is not None and due <= self.platform.clock.now()

    def _run_due(self) -> None:
        self.platform.run_due(DUE_AT_ONCE)
        self.noted()

    async def _catch_up(self) -> None:
        """Run the timers that are due now, and those that they set for now; calls are served in between."""
        for _ in range(CHAIN):
            if not self._overdue():
                break
            self._run_due()
            await asyncio.sleep(0)

    async def _run_timers(self) -> None:
        while True:
            self._timers_changed.clear()
            self._run_due()
            if self._overdue():
                await asyncio.sleep(0)
                continue
            self._timer_due = self.platform.next_due()
            clock = self.platform.clock
            wait = None if self._timer_due is None or clock.frozen else self._timer_due - clock.now()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._timers_changed.wait()

    async def aclose(self) -> None:
        """Stop timers and pushes, and write the pending changes; the listeners are closed before."""
        self.closing.set()
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("the emulator's background work had failed", exc_info=result)
        await self.pushes.aclose()
        if self.durable is not None:
            self.noted()
            await asyncio.to_thread(self.durable.close)
