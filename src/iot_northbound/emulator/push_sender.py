"""Sends the queued pushes when they are due, and notes how it went. A dead receiver does not delay others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.faults import Fault, FaultPlan
from iot_northbound.emulator.journal import Journal, public_url, redacted
from iot_northbound.emulator.push_client import PushClient, PushFailure
from iot_northbound.emulator.rules import notifications

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform

log = logging.getLogger("iot_northbound.emulator")

ANSWER_SECONDS = 15.0
"""How long a receiver has to answer 200 (1.6, push rules)."""
PER_DESTINATION = 8
"""The most pushes that are being sent to one receiver."""
IN_ALL = 512
"""The most pushes that are being sent to all receivers together."""
BREATH = 0.001
"""Seconds between two looks at the queue: one look then serves many completions, and API calls come first."""
LOOK = 0.5
"""Seconds until the next look if no more pushes may be sent now."""


class PushSender:
    """Sends the pushes that the platform queued.

    Args:
        platform: The platform, which keeps the queue.
        client: The HTTP client.
        journal: The journal, which gets an entry per attempt.
        faults: The faults, which may strike a push.
        settled: Returns once everything that the platform did so far is durable.
        noted: Called after the queue was changed here.
    """

    def __init__(
        self,
        platform: Platform,
        client: PushClient,
        journal: Journal,
        faults: FaultPlan,
        settled: Callable[[], Awaitable[None]],
        noted: Callable[[], None],
    ) -> None:
        self.answer_seconds = ANSWER_SECONDS
        self.client = client
        self._platform, self._journal, self._faults = platform, journal, faults
        self._settled, self._noted = settled, noted
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing: set[str] = set()
        self._sent: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._passed = asyncio.Event()

    @property
    def under_way(self) -> int:
        """How many pushes are being sent right now."""
        return len(self._busy)

    def wake(self) -> None:
        """Look at the queue soon, because it or the clock has changed."""
        self._wake.set()

    def start_over(self) -> None:
        """Give up what is being sent, and forget how it went; the queue is emptied by the platform."""
        for task in self._tasks:
            task.cancel()
        self._failing.clear()
        self._sent.clear()

    async def run(self) -> None:
        """Send for as long as the task lives."""
        while True:
            self._wake.clear()
            now = self._platform.clock.now()
            room = IN_ALL - len(self._busy)
            rows = notifications.due(self._platform, now, room, PER_DESTINATION, self._busy, self._failing)
            if rows:
                await self._settled()  # no receiver gets a push that a crash could still undo
                for row in rows:
                    self._busy.add(row["pushId"])
                    task = asyncio.get_running_loop().create_task(self._send(row))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                await asyncio.sleep(BREATH)
            await self._pause()

    async def aclose(self) -> None:
        """Stop the pushes that are being sent (they stay in the queue) and close all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()

    async def _pause(self) -> None:
        """Sleep until a push completes, is queued, or becomes due."""
        clock = self._platform.clock
        due = notifications.next_due(self._platform, PER_DESTINATION, self._busy, self._failing)
        wait = None if due is None else due - clock.now()
        if wait is not None and wait <= 0:
            # Due since the last look, or no more may be sent now: then a completion wakes this.
            wait = LOOK if len(self._busy) >= IN_ALL else BREATH
        elif clock.frozen:
            wait = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    async def _send(self, row: dict[str, Any]) -> None:
        started = time.monotonic()
        fault = self._faults.for_push(row["notifyType"], row["url"])
        try:
            if fault is not None:
                await self._hold(fault, row["destination"])
            # If its subscription was deleted or moved meanwhile, the next look at the queue handles that.
            if notifications.begin_attempt(self._platform, row):
                await self._attempt(row, fault, started)
        finally:
            self._busy.discard(row["pushId"])
            self.wake()

    async def _attempt(self, row: dict[str, Any], fault: Fault | None, started: float) -> None:
        status: int | None = None
        error: str | None = None
        lost = fault is not None and fault.kind == "push_lost"
        try:
            if not lost:
                body = json.dumps(row["body"], ensure_ascii=False, separators=(",", ":")).encode()
                for _ in range(2 if fault is not None and fault.kind == "push_double" else 1):
                    status = await self.client.post(row["url"], body, self.answer_seconds)
                if status != 200:
                    error = f"answered {status} instead of 200"
        except PushFailure as failure:
            error = str(failure)
        except Exception as failure:
            log.exception("a push could not be sent")
            error = f"internal error: {failure!r}"
        self._sent[row["destination"]] += 1
        self._passed.set()
        self._passed.clear()
        now = self._platform.clock.now()
        ok = lost or (status == 200 and error is None)
        (self._failing.discard if ok else self._failing.add)(row["destination"])
        outcome = notifications.record_attempt(self._platform, row, ok=ok, status=status, error=error, now=now)
        entry = {
            "kind": "push",
            "at": now,
            "pushId": row["pushId"],
            "appId": row["appId"],
            "notifyType": row["notifyType"],
            "url": public_url(row["url"]),
            "attempt": row["attempts"] + 1,
            "status": status,
            "error": error,
            "outcome": "lost" if lost else outcome,
            "durationMs": round((time.monotonic() - started) * 1000, 3),
            "fault": None if fault is None else fault.kind,
        }
        if self._journal.bodies:
            entry["body"] = redacted(row["body"])
        self._journal.note(entry)
        self._noted()

    async def _hold(self, fault: Fault, destination: str) -> None:
        if fault.kind == "push_delay":
            await asyncio.sleep(fault.pause)
        elif fault.kind == "push_reorder":
            sent = self._sent[destination]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.pause):
                    while self._sent[destination] == sent:
                        await self._passed.wait()
