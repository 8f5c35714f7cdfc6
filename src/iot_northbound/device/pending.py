"""The result of something that the platform has still to confirm."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from iot_northbound.core.failures import Log
from iot_northbound.core.signal_safe import Flag
from iot_northbound.errors import NorthApiException, SdkCode, WaitTimeoutError

log = Log("iot_northbound.device")

T = TypeVar("T")


class Pending(Generic[T]):
    """A result that comes later. Any thread may wait for it, and Ctrl-C ends a wait.

    It is always truthy, so that `if client.report(…)` reads like the calls of AgentLite that return true.
    """

    __slots__ = ("_callbacks", "_ends", "_flag", "_what", "so_far")

    def __init__(self, what: str = "the platform's confirmation") -> None:
        self._flag = Flag()
        self._what = what
        self.so_far = ""
        """What has happened until now, for the one who gives up waiting; for the side that knows it."""
        self._ends: list[tuple[Any, NorthApiException | None]] = []
        """Results and errors. The first one counts: two threads may come with theirs at the same moment."""
        self._callbacks: list[Callable[[Pending[T]], object]] = []

    def done(self) -> bool:
        """Return whether there is a result or an error."""
        return self._flag.is_set()

    def result(self, timeout: float | None = None) -> T:
        """Return the result as soon as it is there; None waits for ever.

        Raises:
            WaitTimeoutError: it is not there in that many seconds. It may still come.
            NorthApiException: there will be no result.
        """
        if (error := self.exception(timeout)) is not None:
            raise error.with_traceback(None)
        return cast(T, self._ends[0][0])

    def exception(self, timeout: float | None = None) -> NorthApiException | None:
        """Return why there will be no result, or None if there is a result.

        Raises:
            WaitTimeoutError: neither is there in that many seconds.
        """
        if not self._flag.wait(timeout):
            so_far = f": {self.so_far}" if self.so_far else ""
            raise WaitTimeoutError(SdkCode.NO_ANSWER, f"{self._what} did not come in {timeout:g} s{so_far}")
        return self._ends[0][1]

    def add_done_callback(self, function: Callable[["Pending[T]"], object]) -> None:
        """Call the function with this object once there is a result or an error; at once if it is there already.

        It is called on the thread that found the result, in most cases the network thread: it must not wait.
        """
        self._callbacks.append(function)
        if self.done():
            self._call_back()

    def succeed(self, value: T) -> None:
        """Set the result; for the side that has it. A second result is ignored."""
        self._finish(value, None)

    def fail(self, error: NorthApiException) -> None:
        """Set the error; for the side that has it. A second one is ignored."""
        self._finish(None, error)

    def follow(self, other: "Pending[T]") -> None:
        """End as another one has ended."""
        error = other.exception()
        if error is None:
            self.succeed(other.result())
        else:
            self.fail(error)

    def _finish(self, value: Any, error: NorthApiException | None) -> None:
        mine = value, error
        self._ends.append(mine)
        if self._ends[0] is mine:
            self._flag.set()
            self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                function = self._callbacks.pop(0)
            except IndexError:  # another thread took it
                return
            try:
                function(self)
            except BaseException as error:
                # On the main thread it can be Ctrl+C; on others, sys.exit() would end a thread that the device needs.
                if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                    raise
                log.exception("a done callback failed")
