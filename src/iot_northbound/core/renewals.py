"""One renewal at a time for all threads that need one, even if the thread that leads it is interrupted.

A signal can raise an exception between any two steps, which could leave a lock held. So there is no lock: appending to
a list, reading its first item and removing from it are single steps, and everything that must be undone is undone
twice.
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
"""A renewal does not begin if fewer seconds than this are left before the deadline of the call."""
LOOK = 1.0
"""Seconds after which a waiting thread checks whether the leading thread still works on the renewal."""


class Renewal:
    """The renewal of one thread, in progress or done. If it has neither a grant nor an error, it was interrupted."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.thread_id = threading.get_ident()
        self.done = Flag()
        self.grant: Grant | None = None
        self.error: NorthApiException | None = None


class Renewals:
    """Allows one thread at a time to renew. The others wait for its result; if it is interrupted, one takes over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._line: list[Renewal] = []
        """The first one leads."""

    def share(self, lead: Callable[[Renewal], Grant | None], until: float | None) -> Grant | None:
        """Return what `lead` returned, here or in the thread that was first; None if there is no result.

        Raises:
            RequestTimeoutError: another thread's renewal did not end before the deadline `until` (1003).
            NorthApiException: the renewal failed; or this thread is renewing already, and a function of the application
                makes another call (1001).
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
        """Wait until another thread's renewal is done. If its thread has left it, end it, so that others can try."""
        if renewal.thread_id == threading.get_ident():
            if _is_led(renewal):
                raise NorthApiException(
                    SdkCode.CLIENT_INTERNAL,
                    "a hook, a host-name verifier or a token store needs the token that its own call is just renewing: "
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
    """Return whether the thread of a renewal still works on it."""
    frame: FrameType | None = sys._current_frames().get(renewal.thread_id)
    if frame is None:  # it has ended; or, as with gevent, its threads are not the system's, and it may continue
        return renewal.thread.is_alive()
    while frame is not None:
        if frame.f_code is Renewals.share.__code__ and frame.f_locals.get("mine") is renewal:
            return True
        frame = frame.f_back
    return False


def copy_of(error: NorthApiException) -> NorthApiException:
    """Return a copy of a shared failure without its traceback, because two threads must not raise the same object."""
    function, arguments, state = error.__reduce__()
    copy: NorthApiException = function(*arguments)
    copy.__dict__.update(state)
    return copy
