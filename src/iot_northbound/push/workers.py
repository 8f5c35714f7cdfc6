"""From the inbox to the handlers, on a pool of threads: in order per device, several devices at the same time."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable

import attrs

from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import described
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import Inbox, MessageGoneError
from iot_northbound.push.metrics import Counters
from iot_northbound.push.parse import Message, NotAMessageError
from iot_northbound.push.retry import HandlerRetry

_PAUSE_AFTER_READ_ERROR = 1.0


@attrs.define(eq=False)
class Delivery:
    """A message on its way through the handlers."""

    id: int
    message: Message
    attempt: int = 0
    finished: set[object] = attrs.field(factory=set)
    """Handlers that have finished it; the next attempt calls only the others."""


Handle = Callable[[Delivery], BaseException | None]
"""Calls the handlers; returns the error of one that failed, or None."""


class Workers:
    """A pool of threads over queues, with one queue per device.

    A device is in one of three states: ready (a message waits, and no worker has it), with a worker, or parked until
    its first message may be tried again. This is what keeps the messages of a device in order. A device that is
    withdrawn loses its queue; if it comes back, its new queue waits for the worker that still has its old one.
    """

    def __init__(
        self, inbox: Inbox, handle: Handle, *, threads: int, retry: HandlerRetry, clock: Clock, counters: Counters
    ) -> None:
        self._inbox, self._handle, self._retry, self._clock, self._counters = inbox, handle, retry, clock, counters
        self._count = threads
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._queues: dict[str, deque[int]] = {}
        self._ready: deque[str] = deque()
        self._parked: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._retried: dict[int, Delivery] = {}
        self._held: dict[str, deque[int]] = {}
        """The devices with a worker, with the queue that it took them from."""
        self._waiting = 0
        self._draining = self._abandoned = self._leaving = False

    def add(self, message_id: int, device: str) -> None:
        """Queue a message behind those of its device."""
        with self._changed:
            if self._leaving:
                return
            queue = self._queues.get(device)
            if queue is not None:
                queue.append(message_id)
                return
            self._queues[device] = deque((message_id,))
            if device not in self._held:
                self._make_ready(device)

    def withdraw(self, belongs: Callable[[str], bool]) -> int:
        """Drop the messages of devices that this process has no longer, and what is known about their attempts.

        A message that a handler has now is finished. If its handler fails, it is not tried again here.

        Args:
            belongs: whether a device is one of them.

        Returns:
            How many of them a handler still has. Ask again until it is 0 before another process gets the devices.
        """
        with self._changed:
            gone = {device for device in self._queues if belongs(device)}
            for device in gone:
                for message_id in self._queues.pop(device):
                    self._retried.pop(message_id, None)
            self._ready = deque(device for device in self._ready if device not in gone)
            self._parked = [each for each in self._parked if each[2] not in gone]
            heapq.heapify(self._parked)
            return sum(map(belongs, self._held))

    def start(self) -> None:
        """Start the threads. They are daemons, because a durable inbox keeps what they leave."""
        self._draining = self._abandoned = self._leaving = False
        for number in range(self._count):
            thread = threading.Thread(target=self._work_on, name=f"iot-northbound-push-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float, *, leave: bool = False) -> bool:
        """Handle what waits, for at most `timeout` seconds, and end the threads; return whether nothing is left.

        Messages between two attempts stay in the inbox, and so do the later ones of the same device.

        Args:
            timeout: seconds.
            leave: only finish what handlers have now, because another process can go on with the rest.
        """
        if leave:
            self._leaving = True
            self.withdraw(lambda _device: True)
        with self._changed:
            self._draining = True
            self._changed.notify_all()
        deadline = self._clock.monotonic() + timeout
        me = threading.current_thread()  # a handler that stops its own receiver must not wait for itself
        self._threads = [thread for thread in self._threads if thread is not me]
        for thread in self._threads:
            thread.join(max(deadline - self._clock.monotonic(), 0))
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
        # A thread that is still in a handler is left alone: it cannot be stopped from outside.
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        for thread in self._threads:
            thread.join(0.1)
        with self._changed:
            left = sum(map(len, self._queues.values()))
            busy = sum(thread.is_alive() for thread in self._threads)
            self._queues.clear()
            self._held.clear()
            self._ready.clear()
            self._parked.clear()
            self._retried.clear()
        if busy:
            log.warning("%d handlers did not return within %.0f s", busy, timeout)
        self._threads.clear()
        return left == 0 and not busy

    def wake(self) -> None:
        """Look at the clock again (for clocks that are moved by hand)."""
        with self._changed:
            self._changed.notify_all()

    def _make_ready(self, device: str) -> None:
        self._ready.append(device)
        if self._waiting:
            self._changed.notify()

    def _work_on(self) -> None:
        while (taken := self._take()) is not None:
            device, queue = taken
            pause: float | None = 0.0
            try:
                pause = self._one(queue[0])
            except BaseException as error:  # noqa: BLE001  # no error may end the thread
                # The inbox failed, not the handler; the message stays in it.
                text = "a message cannot be read from the inbox or deleted there; trying again"
                log.failure(logging.ERROR, error, text)
                pause = _PAUSE_AFTER_READ_ERROR
            finally:
                self._give_back(device, queue, pause)

    def _take(self) -> tuple[str, deque[int]] | None:
        with self._changed:
            while not self._abandoned:
                now = self._clock.monotonic()
                while self._parked and self._parked[0][0] <= now and not self._draining:
                    self._ready.append(heapq.heappop(self._parked)[2])
                if self._ready:
                    device = self._ready.popleft()
                    self._held[device] = queue = self._queues[device]
                    return device, queue
                if self._draining and not self._held:
                    self._changed.notify_all()
                    return None
                self._waiting += 1
                self._changed.wait(self._parked[0][0] - now if self._parked and not self._draining else None)
                self._waiting -= 1
            return None

    def _give_back(self, device: str, queue: deque[int], pause: float | None) -> None:
        with self._changed:
            if self._held.get(device) is not queue:  # the pool was stopped meanwhile
                return
            del self._held[device]
            if self._queues.get(device) is not queue:  # the device was withdrawn meanwhile
                self._retried.pop(queue[0], None)
                if device in self._queues:
                    self._make_ready(device)
            elif pause is None:
                queue.popleft()
                if queue:
                    self._make_ready(device)
                else:
                    del self._queues[device]
            else:
                heapq.heappush(self._parked, (self._clock.monotonic() + pause, next(self._order), device))
                self._changed.notify()
            if self._draining:
                self._changed.notify_all()

    def _one(self, message_id: int) -> float | None:
        """Handle one message; return the pause before the next attempt, or None if it leaves the queue."""
        delivery = self._retried.get(message_id)
        if delivery is None:
            try:
                delivery = Delivery(message_id, self._inbox.get(message_id))
            except MessageGoneError:
                self._inbox.done(message_id)  # another program deleted it, so it must not count as waiting
                return None
            except NotAMessageError as error:  # damaged, or written by hand
                log.error("message %d cannot be read, and is now a dead letter: %s", message_id, error)
                self._inbox.bury(message_id, 0, str(error))
                return None
            begun = delivery.message.begun
            if begun >= self._retry.attempts:
                log.error("message %d is now a dead letter: %d processes ended while they had it", message_id, begun)
                self._inbox.bury(message_id, begun, f"{begun} processes ended while they had it")
                return None
        delivery.attempt += 1
        failure = self._handle(delivery)
        if self._abandoned:
            # Stopped while the handler ran: if a durable inbox is closed already, it delivers the message again later.
            if failure is None:
                self._inbox.done(message_id)
            return None
        if failure is None:
            self._inbox.done(message_id)
            self._counters.handled()
        else:
            self._counters.failed()
            pause = self._retry.pause(delivery.attempt)
            if pause is not None:
                self._retried[message_id] = delivery
                return pause
            # Types and texts of errors are logged, but never the body: it is the devices' data.
            log.error(
                "message %d (%s) failed %d times: now a dead letter",
                message_id,
                delivery.message.kind,
                delivery.attempt,
            )
            self._inbox.bury(message_id, delivery.attempt, described(failure))
        self._retried.pop(message_id, None)
        return None
