"""An inbox in memory: for trying, and for tests. Its messages are lost when the process ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import UTC, datetime

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.push.arguments import check, check_clock
from iot_northbound.push.duplicates import DuplicateWindow, Seen
from iot_northbound.push.inbox import DeadLetter, Deliver, InboxError, InboxLimits, InboxStats, Ledger, MessageGoneError
from iot_northbound.push.parse import Message


class MemoryInbox:
    """Keeps messages in memory. An answer of 200 means only that this process has the message.

    Args:
        limits: when it is full.
        duplicates: how far back repetitions are recognised; None switches that off.
        clock: the source of time.
    """

    durable = False

    def __init__(
        self,
        *,
        limits: InboxLimits | None = None,
        duplicates: DuplicateWindow | None = DuplicateWindow(),  # noqa: B008  # frozen
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check("limits", limits, InboxLimits, type(None))
        check("duplicates", duplicates, DuplicateWindow, type(None))
        check_clock(clock)
        self._ledger = Ledger(limits or InboxLimits(), Seen(duplicates, clock))
        self._clock = clock
        self._lock = threading.Lock()
        self._messages: dict[int, Message] = {}
        self._dead: dict[int, DeadLetter] = {}
        self._last_id = 0
        self._deliver: Deliver | None = None

    def start(self, deliver: Deliver) -> None:
        """Call `deliver` for each message that waits, then for each new one."""
        with self._lock:
            self._ledger.seen.forget_doubtful()  # it is not known which messages were refused meanwhile
            self._deliver = deliver
            for message_id in self._ledger.waiting:
                deliver(message_id, self._messages[message_id].device)

    def put(self, message: Message) -> Future[bool]:
        """Store a message; the future is done at once.

        Raises:
            InboxFullError: the inbox has reached a limit.
            InboxError: it was not started, or was stopped.
        """
        answer: Future[bool] = Future()
        with self._lock:
            if self._deliver is None:
                raise InboxError("the inbox is closed")
            repeated = self._ledger.repeated(message, len(message.text))
            self._ledger.seen.remember(message, dropped=repeated)
            if not repeated:
                self._add(message, message.received_at)
        answer.set_result(not repeated)
        return answer

    def _add(self, message: Message, since: float) -> None:
        self._last_id += 1
        self._messages[self._last_id] = message
        self._ledger.add(self._last_id, since, len(message.text))
        if self._deliver is not None:
            self._deliver(self._last_id, message.device)

    def refused_another(self) -> None:
        """Take note that a message came and was refused unread."""
        with self._lock:
            self._ledger.seen.forget_doubtful()

    def get(self, message_id: int) -> Message:
        """Return a waiting message.

        Raises:
            MessageGoneError: it is no longer there.
        """
        try:
            return self._messages[message_id]
        except KeyError:
            raise MessageGoneError(f"message {message_id} is no longer in the inbox") from None

    def done(self, message_id: int) -> None:
        """Delete a message that was handled, if it is there."""
        with self._lock:
            if self._ledger.remove(message_id):
                del self._messages[message_id]

    def bury(self, message_id: int, attempts: int, error: str) -> None:
        """Set a waiting message aside as a dead letter, if it is there."""
        with self._lock:
            if not self._ledger.bury(message_id):
                return
            message = self._messages[message_id]
            received = datetime.fromtimestamp(message.received_at, UTC)
            self._dead[message_id] = DeadLetter(
                message_id, message.kind, message.device, received, attempts, error, message.text
            )

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        with self._lock:
            return list(self._dead.values())[:limit]

    def replay(self, ids: Iterable[int] | None = None) -> int:
        """Make dead letters wait again (all, or those with these ids), behind what waits already; return how many."""
        with self._lock:
            chosen = [i for i in (list(self._dead) if ids is None else ids) if self._dead.pop(i, None) is not None]
            for message_id in chosen:
                message = self._messages.pop(message_id)
                self._ledger.discard(message_id)
                self._add(message, self._clock.now())
            return len(chosen)

    def discard(self, ids: Iterable[int]) -> int:
        """Delete dead letters; return how many."""
        with self._lock:
            chosen = [message_id for message_id in ids if self._dead.pop(message_id, None) is not None]
            for message_id in chosen:
                del self._messages[message_id]
                self._ledger.discard(message_id)
            return len(chosen)

    def stats(self) -> InboxStats:
        """Return how full it is."""
        with self._lock:
            return self._ledger.stats()

    def stop(self) -> None:
        """Accept nothing more; what waits is kept until the process ends."""
        with self._lock:
            self._deliver = None
