"""One renewal at a time, shared by all threads that need one, whatever interrupts the thread that leads it.

A signal can raise an exception between any two steps. So there is no lock that it could leave held: appending to a
list, looking at its head and removing from it are single steps, and what must be undone is undone twice over.
"""

import contextlib
import sys
import threading
from collections.abc import Callable
from types import FrameType

from iot_northbound.core.clock import Clock
from iot_northbound.core.signal_safe import Flag
from iot_northbound.errors import NorthApiException, RequestTimeoutError, SdkCode
from iot_northbound.tokens import Grant

NO_TIME = 0.05
"""Seconds before a call's deadline that are too few for a renewal."""
LOOK = 1.0
"""Seconds after which a thread that waits looks whether the leading one is still at it."""


class Renewal:
    """One thread's renewal, under way or done. Neither grant nor error: it was broken off, and others may try."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.thread_id = threading.get_ident()
        self.done = Flag()
        self.grant: Grant | None = None
        self.error: NorthApiException | None = None


class Renewals:
    """Lets one thread renew at a time. The others wait for its outcome, and take over if it is gone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._line: list[Renewal] = []
        """The first one leads."""

    def share(self, lead: Callable[[Renewal], Grant], until: float | None) -> Grant | None:
        """Return what `lead` returned, here or in the thread that was first; None if that came to nothing.

        Raises:
            RequestTimeoutError: another thread's renewal did not end before the deadline `until` (1003).
            NorthApiException: what the renewal failed with; or it is this thread's own, which a function of the
                application interrupts with another call (1001).
        """
        mine = Renewal()
        try:
            try:
                self._line.append(mine)
                first = self._line[0]
                if first is mine:
                    return lead(mine)
            finally:
                self._end(mine)
        finally:
            self._end(mine)
        self._await(first, until)
        if first.error is not None:
            raise copy_of(first.error)
        return first.grant

    def _end(self, renewal: Renewal) -> None:
        with contextlib.suppress(ValueError):
            self._line.remove(renewal)
        renewal.done.set()

    def _await(self, renewal: Renewal, until: float | None) -> None:
        """Wait until another thread's renewal is done. One that its thread has left is ended, so that others try."""
        if renewal.thread_id == threading.get_ident():
            if _is_led(renewal):
                raise NorthApiException(
                    SdkCode.CLIENT_INTERNAL,
                    "a hook, host-name verifier or token store needs the token that its own call is just renewing: "
                    "give the inner call an access_token",
                )
            self._end(renewal)
        while not renewal.done.is_set():
            if until is None:
                renewal.done.wait(LOOK)
            else:
                left = until - NO_TIME - self._clock.monotonic()
                if left <= 0:
                    what = "the token's renewal did not end before the call's deadline"
                    raise RequestTimeoutError(SdkCode.NO_ANSWER, what)
                self._clock.wait(renewal.done, min(LOOK, left))
            if not renewal.done.is_set() and not _is_led(renewal):
                self._end(renewal)


def _is_led(renewal: Renewal) -> bool:
    """Whether the thread of a renewal is still at it."""
    frame: FrameType | None = sys._current_frames().get(renewal.thread_id)
    if frame is None:  # it has ended; or its threads are not the system's, as with gevent, and it may go on
        return renewal.thread.is_alive()
    while frame is not None:
        if frame.f_code is Renewals.share.__code__ and frame.f_locals.get("mine") is renewal:
            return True
        frame = frame.f_back
    return False


def copy_of(error: NorthApiException) -> NorthApiException:
    """Return a copy of a shared failure, so that no two threads raise one object; without its traceback."""
    function, arguments, state = error.__reduce__()
    copy: NorthApiException = function(*arguments)
    copy.__dict__.update(state)
    return copy
