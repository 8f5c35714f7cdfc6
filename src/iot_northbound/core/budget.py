"""The limit of calls per minute: an attempt waits for its turn and holds a slot until it counts no more."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import NamedTuple

from iot_northbound.core.clock import Clock
from iot_northbound.core.retry import AttemptFailed, Outcome
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.slot_sources import OwnSlots, SlotSource
from iot_northbound.errors import NorthApiException, ThrottledError
from iot_northbound.shared.slots import WINDOW, Turn

ASK_AGAIN = 1.0
"""The longest time between two questions of a waiting call, in seconds: who asks no more is taken for gone."""
GONE = 10.0
"""Seconds after which the first of a line is gone, if it asked no more: two signals in a row may have ended it."""
LOGIN_PATIENCE = 2.0
"""Seconds after which a login or a refresh does not wait any more: all others wait for its token."""
PAUSE_FIRST, PAUSE_CAP, PAUSE_LONGEST = 5.0, 60.0, 300.0
"""Seconds without calls after the platform refused one; doubled each time up to the cap; or what the platform asks for,
up to the longest."""
_bulk: ContextVar[bool] = ContextVar("iot_northbound_bulk", default=False)


@contextlib.contextmanager
def bulk() -> Iterator[None]:
    """Make the calls of this thread or task bulk calls, which leave slots for others."""
    before = _bulk.get()
    try:
        try:
            _bulk.set(True)
            yield
        finally:
            _bulk.set(before)
    finally:  # again: an exception from a signal may have ended the first attempt
        _bulk.set(before)


class LimitStats(NamedTuple):
    """What a limit counted so far."""

    taken: int
    """Attempts that got a slot."""
    waited_seconds: float
    """How long they waited for it, together."""
    refused_by_platform: int
    """Attempts that the platform refused all the same (1010009)."""
    processes: int
    """How many clients share the limit, as far as this one knows."""


class _Place:
    """A thread's place in a line."""

    def __init__(self, now: float) -> None:
        self.first = Flag()
        self.seen = now


class NoLimit:
    """Calls start at once."""

    calls = None

    def after_fork(self) -> None:
        """Do nothing."""

    def stats(self) -> None:
        """Return nothing, because nothing is counted."""

    def slot(
        self, until: float | None, wake: Flag | None = None, *, login: bool = False, longest: float = 60.0
    ) -> contextlib.AbstractContextManager[None]:
        """Begin at once."""
        return contextlib.nullcontext()


class RateLimit:
    """Makes calls wait so that at most `calls` of them count in any minute of the platform.

    Logins, calls and bulk calls have a line each, in the order of arrival. Only the first of a line asks for a slot.
    """

    def __init__(self, calls: int, clock: Clock, source: SlotSource | None = None) -> None:
        self.calls = calls
        self._clock = clock
        self._source = source or OwnSlots(clock)
        self._paused_until = 0.0
        self._pauses = 0
        self._taken, self._waited, self._refused = 0, 0.0, 0
        self._renew()

    def _renew(self) -> None:
        self._lines: dict[Turn, list[_Place]] = {turn: [] for turn in Turn}
        self._name = os.urandom(8).hex()
        self._ids = itertools.count()

    def after_fork(self) -> None:
        """Make new what a forked child must not share with its parent."""
        self._renew()
        self._source.after_fork()

    def stats(self) -> LimitStats:
        """Return what was counted so far."""
        return LimitStats(self._taken, self._waited, self._refused, self._source.processes)

    @contextlib.contextmanager
    def slot(
        self, until: float | None, wake: Flag | None = None, *, login: bool = False, longest: float = 60.0
    ) -> Iterator[None]:
        """Begin when a call may start, or once `wake` is set; hold its slot until a minute after the end of the block.

        Args:
            until: the deadline, in seconds of the clock's monotonic time.
            wake: a flag that ends the wait.
            login: whether all other calls wait for this one.
            longest: how many seconds after its start the call can reach the platform at the latest.

        Raises:
            ThrottledError: its turn would come after the deadline (1010009, without asking the platform).
        """
        id = f"{self._name}{next(self._ids)}"
        self._wait(id, _turn(login=login), until, wake, longest)
        try:
            yield
        except BaseException as error:
            self._failed(id, error, longest)
            raise
        self._pauses = 0
        self._source.settle(id, WINDOW)

    def _failed(self, id: str, error: BaseException, longest: float) -> None:
        if not isinstance(error, AttemptFailed):
            # An error of the SDK means that nothing was sent. Another one may have ended the call at any point.
            self._source.settle(id, 0.0 if isinstance(error, NorthApiException) else WINDOW + longest)
        elif error.outcome is Outcome.NOT_SENT:
            self._source.settle(id, 0.0)
        elif error.outcome is Outcome.UNKNOWN and error.error.http_status_code is None:
            self._source.settle(id, WINDOW + longest)  # it may still be on its way
        else:
            self._source.settle(id, WINDOW)
            if isinstance(error.error, ThrottledError):
                self._refused += 1
                self._pause(error.error.retry_after)

    def _pause(self, seconds: float | None) -> None:
        now = self._clock.monotonic()
        if now < self._paused_until:
            return  # calls that were on their way together count once
        wanted = seconds or min(PAUSE_FIRST * 2.0**self._pauses, PAUSE_CAP)
        self._pauses = min(self._pauses + 1, 10)
        self._paused_until = now + min(wanted, PAUSE_LONGEST)
        self._source.pause(self._paused_until - now)

    # -- waiting -----------------------------------------------------------------------------------------------------

    def _wait(self, id: str, turn: Turn, until: float | None, wake: Flag | None, longest: float) -> None:
        line = self._lines[turn]
        began = self._clock.monotonic()
        windows = None if until is None else 1 + max(until - began, 0.0) // WINDOW
        if windows is not None and len(line) >= windows * self.calls:
            raise self._too_late()
        mine = _Place(began)
        try:
            try:
                line.append(mine)
                self._come_first(line, mine, until, wake)
                self._ask(mine, id, turn, until, wake, longest)
            finally:
                _leave(line, mine)
        finally:
            _leave(line, mine)
        self._taken += 1
        self._waited += self._clock.monotonic() - began

    def _come_first(self, line: list[_Place], mine: _Place, until: float | None, wake: Flag | None) -> None:
        while not mine.first.is_set() and not _is_set(wake):
            first = next(iter(line), mine)
            if first is mine:
                return
            mine.seen = now = self._clock.monotonic()
            if until is not None and now >= until:
                raise self._too_late()
            if now - first.seen > GONE:
                first.first.set()  # if it only slept, it goes on when it wakes: the limit itself is still kept
                _leave(line, first)
            elif until is None:
                mine.first.wait(ASK_AGAIN)
            else:
                self._clock.wait(mine.first, min(ASK_AGAIN, until - now))

    def _ask(self, mine: _Place, id: str, turn: Turn, until: float | None, wake: Flag | None, longest: float) -> None:
        began = self._clock.monotonic()
        while not _is_set(wake):
            mine.seen = now = self._clock.monotonic()
            hold = WINDOW + (longest if until is None else min(longest, max(until - now, 0.0)))
            slot = self._source.take(turn, self.calls, hold, id)
            if slot.granted:
                return
            if until is not None and now + slot.again_in > until:
                raise self._too_late()
            pause = min(slot.again_in, ASK_AGAIN)
            if turn is Turn.LOGIN:
                pause = min(pause, began + LOGIN_PATIENCE - now)
                if pause <= 0:
                    self._source.settle(id, hold)
                    return
            self._clock.sleep(max(pause, 0.001), wake)

    def _too_late(self) -> ThrottledError:
        rule = f"the client's own limit of {self.calls} calls per minute allows this call only after its deadline"
        return ThrottledError("1010009", rule, likely=_OWN_LIMIT)


_OWN_LIMIT = (
    "The application makes more calls than calls_per_minute allows. The platform was not asked.",
    "Give the call a longer deadline, call less often, or raise calls_per_minute if the platform allows it.",
)
"""Cause and remedy if the limit of the client refuses a call."""


def _turn(*, login: bool) -> Turn:
    if login:
        return Turn.LOGIN
    return Turn.BULK if _bulk.get() else Turn.CALL


def _is_set(wake: Flag | None) -> bool:
    return wake is not None and wake.is_set()


def _leave(line: list[_Place], place: _Place) -> None:
    """Leave a line, and tell its first. It can be done twice."""
    with contextlib.suppress(ValueError):
        line.remove(place)
    with contextlib.suppress(IndexError):
        line[0].first.set()
