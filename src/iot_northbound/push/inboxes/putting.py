"""Stores what comes: one thread, and all messages that arrive during its commit go into the next one together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from zlib import crc32

import attrs

from iot_northbound.core.clock import Clock
from iot_northbound.push.duplicates import DuplicateWindow
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import InboxError, InboxFullError, InboxLimits, InboxStats
from iot_northbound.push.inboxes import postgres_schema as sql
from iot_northbound.push.parse import Message
from iot_northbound.push.recognition import Repeats

if TYPE_CHECKING:
    from iot_northbound.push.inboxes.postgres_engine import Engine

_MOST, _LARGEST = 500, 8 << 20
"""Messages and bytes of one commit, at most."""
_COUNT_EACH, _COUNT_SHARE = 1.0, 20
"""The messages are counted once per second, or less often, so that it takes at most a twentieth of the time."""


def shard_of(device: str, shards: int) -> int:
    """Return the shard of a device, the same on every machine."""
    return crc32(device.encode()) % shards


def storable(text: str) -> str:
    """Return a text as PostgreSQL can store it: it stores no NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _array(values: Iterable[object]) -> str:
    """Return numbers as PostgreSQL writes an array: many times faster than the library does it."""
    return f"{{{','.join(map(str, values))}}}"


def _texts(values: Iterable[str]) -> str:
    return _array('"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"' for each in values)


@attrs.frozen(eq=False)
class _Put:
    message: Message
    device: str
    shard: int
    body: bytes
    certain: bool
    future: Future[bool]


class Putting:
    """The messages of this process on their way into the tables.

    Args:
        engine: the database.
        shards: into how many parts the devices are divided.
        limits: when the inbox is full.
        duplicates: how far back repetitions are recognised, or None.
        clock: the source of time.
        count: counts the messages, without those that are handled.
        stored: called with the shards that have new messages.
    """

    def __init__(
        self,
        engine: Engine,
        shards: int,
        limits: InboxLimits,
        duplicates: DuplicateWindow | None,
        clock: Clock,
        count: Callable[[], InboxStats],
        stored: Callable[[set[int]], None],
    ) -> None:
        self._session = engine.session()
        self._shards, self._limits, self._duplicates, self._clock = shards, limits, duplicates, clock
        self._count, self._stored = count, stored
        self._changed = threading.Condition()
        self._waiting: deque[_Put] = deque()
        self._closing = False
        self.figures = InboxStats(0, 0, 0, None)
        """The last count."""
        self._added, self._added_bytes = 0, 0
        """What was stored since."""
        self._count_at = float("-inf")
        self._thread = threading.Thread(target=self._work_on, name="iot-northbound-inbox", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done once it is committed and synced."""
        device = storable(message.device)
        certain = self._duplicates is not None and message.recognition.repeats is Repeats.ALWAYS
        future: Future[bool] = Future()
        future.set_running_or_notify_cancel()  # from here on it is stored, even if the caller no longer waits
        work = _Put(message, device, shard_of(device, self._shards), message.text.encode(), certain, future)
        with self._changed:
            if self._closing:
                raise InboxError("the inbox is closed")
            self._waiting.append(work)
            self._changed.notify()
        return future

    def stop(self) -> None:
        """Store what was put, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._session.close()

    # The thread

    def _work_on(self) -> None:
        while batch := self._next():
            try:
                self._store(batch)
            except BaseException as error:  # noqa: BLE001  # no error may end the thread
                self._fail(batch, error)

    def _next(self) -> list[_Put]:
        """Return the next messages that can be stored together: the same message twice cannot. Empty at the end."""
        batch: list[_Put] = []
        identities: set[bytes] = set()
        size = 0
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            while self._waiting and len(batch) < _MOST and size < _LARGEST:
                identity = self._waiting[0].message.recognition.identity
                if self._waiting[0].certain and identity in identities:
                    break
                identities.add(identity)
                batch.append(self._waiting.popleft())
                size += len(batch[-1].body)
        return batch

    def _store(self, batch: list[_Put]) -> None:
        if self._clock.monotonic() >= self._count_at:
            self._count_again()
        room = self._room(batch)
        if len(room) < len(batch):
            self._count_again()  # the truth, before anything is refused
            room = self._room(batch)
        if room:
            self._commit(room)
        if len(room) < len(batch):
            self._refuse(batch[len(room) :])

    def _commit(self, batch: list[_Put]) -> None:
        from iot_northbound.push.inboxes.postgres_engine import RefusedDataError

        window = self._duplicates or DuplicateWindow()
        given = {
            "locked": _array(sorted({work.shard for work in batch})),
            "identities": [work.message.recognition.identity for work in batch],
            "certain": _array(work.certain for work in batch),
            "shards": _array(work.shard for work in batch),
            "kinds": _texts(storable(work.message.kind) for work in batch),
            "devices": _texts(work.device for work in batch),
            "times": _array(work.message.received_at for work in batch),
            "bodies": [work.body for work in batch],
            "window": window.seconds,
            "most": window.messages,
        }
        try:
            rows = self._session.transaction(sql.PUT, given)
        except RefusedDataError as error:
            if len(batch) == 1:
                self._fail(batch, error)
            else:  # one of them cannot be stored, and must not block the others
                for work in batch:
                    self._commit([work])
            return
        new = [work for work, (is_new,) in zip(batch, rows, strict=True) if is_new]
        self._added += len(new)
        self._added_bytes += sum(len(work.body) for work in new)
        if self.figures.oldest is None and new:
            self.figures = attrs.evolve(self.figures, oldest=new[0].message.received_at)
        self._stored({work.shard for work in new})
        for work, (is_new,) in zip(batch, rows, strict=True):
            work.future.set_result(is_new)

    def _fail(self, batch: list[_Put], error: BaseException) -> None:
        log.error("%d messages cannot be stored: %s", len(batch), error)
        for work in batch:
            if not work.future.done():
                work.future.set_exception(InboxError(f"the message cannot be stored: {error}"))

    # Limits

    def _count_again(self) -> None:
        began = self._clock.monotonic()
        self.figures = self._count()
        self._added = self._added_bytes = 0
        now = self._clock.monotonic()
        self._count_at = now + max(_COUNT_EACH, _COUNT_SHARE * (now - began))

    def _room(self, batch: list[_Put]) -> list[_Put]:
        """Return the first messages of a batch for which there is room."""
        messages, size = self._held()
        room = []
        for work in batch:
            if self._full(messages, size, work):
                break
            room.append(work)
            messages += 1
            size += len(work.body)
        return room

    def _held(self) -> tuple[int, int]:
        return self.figures.waiting + self.figures.dead + self._added, self.figures.size + self._added_bytes

    def _full(self, messages: int, size: int, work: _Put) -> str:
        """Return why there is no room, or an empty text."""
        limits, oldest = self._limits, self.figures.oldest
        if messages >= limits.messages:
            return f"the inbox has {messages} messages, which is its limit"
        if size + len(work.body) > limits.size:
            return f"the inbox has {size} bytes, and its limit is {limits.size}"
        age = 0.0 if oldest is None else work.message.received_at - oldest
        if limits.age is not None and age > limits.age:
            return f"the oldest message has waited {age:.0f} s, and the limit is {limits.age} s"
        return ""

    def _refuse(self, batch: list[_Put]) -> None:
        """Refuse messages, except repetitions of stored ones."""
        window = self._duplicates or DuplicateWindow()
        asked: dict[str, Any] = {
            "identities": [work.message.recognition.identity for work in batch if work.certain],
            "times": [work.message.received_at for work in batch if work.certain],
            "window": window.seconds,
            "most": window.messages,
        }
        known = {bytes(row[0]) for row in self._session.rows(sql.KNOWN, **asked)} if asked["times"] else set()
        for work in batch:
            if work.certain and work.message.recognition.identity in known:
                work.future.set_result(False)
            else:
                messages, size = self._held()
                why = self._full(messages, size, work) or f"the inbox has {messages} messages and {size} bytes"
                work.future.set_exception(InboxFullError(why))
