"""One thread that serves all sockets and timers of a fleet."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.signal_safe import Flag
from iot_northbound.errors import ClientClosedError, SdkCode

T = TypeVar("T")
log = Log("iot_northbound.device")

_LONGEST_WAIT = 3600.0


class Timer:
    """A call in the future, which can be cancelled."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Do not call it any more; without effect if it was called."""
        self._call = None

    def fire(self) -> None:
        """Call it, unless it was cancelled."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Loop:
    """Calls functions when sockets are ready and when times have come. All calls are made on its one thread."""

    def __init__(self, clock: Clock, name: str) -> None:
        self._clock = clock
        self._selector: selectors.BaseSelector
        self._soon: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._waker: socket.socket
        self._woken: socket.socket
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._process = os.getpid()
        self._stopping = False
        self._ended = False

    def start(self) -> None:
        """Start the thread."""
        self._process = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        for each in (self._waker, self._woken):
            each.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._take_wakes)
        self._thread.start()

    def stop(self) -> None:
        """Make what was asked for before, then end the thread. Without effect if it has ended."""
        if self._ended or not self._thread.is_alive():
            return
        self.call_soon(self._stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _stop(self) -> None:
        self._stopping = True

    @property
    def is_mine(self) -> bool:
        """Whether the caller is on the loop's thread."""
        return threading.current_thread() is self._thread

    @property
    def is_here(self) -> bool:
        """Whether the loop belongs to this process, and not to one that it was forked from."""
        return os.getpid() == self._process

    def call_soon(self, call: Callable[[], object]) -> None:
        """Call a function on the loop's thread; any thread may ask for it.

        Raises:
            ClientClosedError: this process was forked from the one that has the thread (1001).
        """
        if not self.is_here:
            raise ClientClosedError(
                SdkCode.CLIENT_INTERNAL, "the thread of this fleet is in another process: make a new fleet after fork"
            )
        self._soon.append(call)
        if self._thread.is_alive() and not self.is_mine:
            with contextlib.suppress(OSError):  # it is full, so the thread will wake; or it is closed
                self._waker.send(b"\0")

    def call(self, call: Callable[[], object]) -> None:
        """Call a function on the loop's thread: at once if this is it."""
        if self.is_mine:
            call()
        else:
            self.call_soon(call)

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call a function once this time has passed. Only the loop's thread may ask for it."""
        timer = Timer(call)
        heapq.heappush(self._timers, (self._clock.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def ask(self, question: Callable[[], T]) -> T:
        """Call a function on the loop's thread and return its result; directly if the loop does not run."""
        if self.is_mine or self._ended or not self._thread.is_alive():
            return question()
        answer = _Answer(question)
        self.call_soon(answer.find)
        while not answer.flag.wait(0.1):
            if self._ended and not answer.flag.is_set():
                return question()
        return answer.get()

    def watch(self, sock: socket.socket, ready: Callable[[], object]) -> None:
        """Call a function whenever the socket can be read."""
        self._selector.register(sock, selectors.EVENT_READ, ready)

    def watch_writing(self, sock: socket.socket, wanted: bool) -> None:
        """Call the socket's function also when it can be written to, or no longer do so."""
        key = self._selector.get_key(sock)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
        if key.events != events:
            self._selector.modify(sock, events, key.data)

    def unwatch(self, sock: socket.socket) -> None:
        """Forget a socket, before it is closed. Without effect if it is not known."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._pass()
            while self._soon:
                self._guarded(self._soon.popleft())
        finally:
            self._ended = True
            self._selector.close()
            self._waker.close()
            self._woken.close()

    def _pass(self) -> None:
        for key, _events in self._selector.select(self._next_wait()):
            self._guarded(key.data)
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self._guarded(heapq.heappop(self._timers)[2].fire)
        for _ in range(len(self._soon)):  # not those that these calls ask for: sockets have their turn first
            self._guarded(self._soon.popleft())

    def _next_wait(self) -> float:
        if self._soon:
            return 0.0
        if not self._timers:
            return _LONGEST_WAIT
        return min(max(0.0, self._timers[0][0] - self._clock.monotonic()), _LONGEST_WAIT)

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException:  # one device's mistake, or its sys.exit(), must not end the others
            log.exception("a call on the thread of the fleet failed")

    def _take_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass


class _Answer(Generic[T]):
    """What `ask` waits for."""

    def __init__(self, question: Callable[[], T]) -> None:
        self._question = question
        self._value: T | None = None
        self._error: Exception | None = None
        self.flag = Flag()

    def find(self) -> None:
        try:
            self._value = self._question()
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            self._error = error
        self.flag.set()

    def get(self) -> T:
        if self._error is not None:
            raise self._error
        return cast(T, self._value)
