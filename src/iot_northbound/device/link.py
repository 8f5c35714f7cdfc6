"""A device's network thread: it connects, again and again, and knows in which state the device is."""

import logging
import os
import threading
from collections.abc import Callable

from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.signal_safe import Flag
from iot_northbound.device.failures import DeviceRefusedError
from iot_northbound.device.hours import Hours
from iot_northbound.device.mqtt import WRONG_CREDENTIALS, Connection, Listener, Subscription, Target
from iot_northbound.device.session import Backoff, DeviceState, Outbox
from iot_northbound.device.tls import Wake
from iot_northbound.errors import ClientClosedError, NorthApiException, SdkCode, TlsError, TlsReason, WaitTimeoutError

log = Log("iot_northbound.device")

_DISTRUST = frozenset(
    {
        TlsReason.SERVER_UNTRUSTED,
        TlsReason.SERVER_WRONG_NAME,
        TlsReason.SERVER_EXPIRED,
        TlsReason.SERVER_CERTIFICATE_REFUSED,
    }
)
"""Failures that a wait is not likely to outlast: somebody has to do something."""


class Link:
    """The thread, the state, and why the last attempt failed.

    Args:
        target: where to connect to, and as whom.
        clock: the time.
        backoff: how long to wait between attempts.
        outbox: what the device has to send.
        changed: called with each new state; it must not wait.
        connecting: called before each attempt.
        received: called with the topic and the payload of each message.
        is_busy: whether a device that is being closed still works on something.
    """

    def __init__(
        self,
        target: Target,
        clock: Clock,
        backoff: Backoff,
        outbox: Outbox,
        *,
        changed: Callable[[DeviceState], object],
        connecting: Callable[[], object],
        received: Callable[[str, bytes], None],
        is_busy: Callable[[], bool],
    ) -> None:
        self._target, self._clock, self._backoff, self._outbox = target, clock, backoff, outbox
        self._changed, self._connecting = changed, connecting
        self._listener = Listener(self._connected, received, lambda: not len(outbox) and not is_busy())
        self.subscriptions: list[Subscription] = []
        self.state = DeviceState.IDLE
        self.last_error: NorthApiException | None = None
        self._failures = 0
        self._distrust: TlsError | None = None
        """Why the platform's certificate was not accepted, in an attempt since the last connection."""
        self._settled = Flag()
        """Set as soon as a wait has a result: the device is connected, refused or closed, or it distrusts."""
        self._stop = Flag()
        self._wake = Wake()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process: int | None = None

    # -- for the threads of the application ----------------------------------------------------------------------------

    @property
    def inherited(self) -> bool:
        """Whether this process got the link by a fork. The connection then belongs to another process."""
        return self._process is not None and self._process != os.getpid()

    @property
    def started(self) -> bool:
        """Whether `start` was called."""
        return self._thread is not None

    def check(self) -> None:
        """Raise if nothing more is sent.

        Raises:
            DeviceRefusedError: the platform refused the device.
            ClientClosedError: the device was closed, or this process was forked from the one that started it.
        """
        if self.inherited:
            raise ClientClosedError(
                SdkCode.CLIENT_INTERNAL,
                "this process was forked from the one that started the device, and a connection has one owner: make a "
                "new DeviceClient here, or fork before start()",
            )
        if self.state is DeviceState.REFUSED and self.last_error is not None:
            raise self.last_error.with_traceback(None)
        if self._wake.closing:
            raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "the device is closed")

    def start(self) -> None:
        """Start the thread, once."""
        self.check()
        with self._lock:
            if self._thread is None:
                self._process = os.getpid()
                self._wake.open()
                name = f"device-{self._target.credentials.id}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                try:
                    self._thread.start()
                except BaseException:  # the system may have no more threads
                    self._thread = None
                    raise

    def wait(self, timeout: float | None) -> None:
        """Return when the device is connected.

        Raises:
            TlsError: the platform's certificate is not accepted.
            NorthApiException: it never will be, or is not in that many seconds.
        """
        if not self._settled.wait(timeout):
            why = f": {self.last_error.error_desc}" if self.last_error else ""
            raise WaitTimeoutError(
                SdkCode.NO_ANSWER, f"the device is not connected after {timeout:g} s{why}"
            ) from self.last_error
        self.check()
        if (error := self._distrust) is not None:
            raise error.with_traceback(None)

    def subscribe(self, subscription: Subscription) -> None:
        """Listen to a topic, now and over all later connections."""
        self.subscriptions.append(subscription)
        self.wake()
        if self.state in (DeviceState.REFUSED, DeviceState.CLOSED):  # while it was appended
            self._end(self._closed())

    def wake(self) -> None:
        """Let the thread look at what there is to send."""
        self._wake.set()

    def begin_to_close(self, patience: float) -> None:
        """Let the thread end; it has `patience` seconds to send what waits."""
        self._wake.patience = patience
        self._wake.closing = True
        self._stop.set()
        self._wake.set()

    def close(self, patience: float) -> bool:
        """End the thread, or leave it alone if it does not end in time. Return whether the device was open."""
        self.begin_to_close(patience)
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience + 2)
        with self._lock:
            if self.state is DeviceState.CLOSED:
                return False
            self._change(DeviceState.CLOSED)
        self._settled.set()
        self._end(self._closed())
        return True

    def _end(self, error: NorthApiException) -> None:
        """Let everything fail that is not confirmed."""
        self._outbox.end(error)
        for each in self.subscriptions[:]:
            each.pending.fail(error)

    def _closed(self) -> NorthApiException:
        return ClientClosedError(SdkCode.CLIENT_INTERNAL, "the device was closed before the platform confirmed this")

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                delay = self._attempt()
                if delay is None or self._stop.is_set():
                    return
                self._move(DeviceState.WAITING)
                self._clock.wait(self._stop, delay)
        except Exception:
            log.exception("the network thread of the device %s failed", self._target.credentials.id)
        finally:
            self._wake.closing = True  # nothing more is taken
            self._settled.set()
            self._wake.close()

    def _attempt(self, hours: Hours | None = None) -> float | None:
        """Connect, and stay connected; return the seconds to wait then, or None at the end."""
        hours = hours or Hours(checked=self._target.credentials.sign_type == 1)
        self._move(DeviceState.CONNECTING)
        self._connecting()
        connection = Connection(
            self._target, self._clock, self._wake, self._outbox, self.subscriptions, self._listener, hours.shift
        )
        try:
            connection.run()
            return None
        except DeviceRefusedError as error:
            if error.return_code == WRONG_CREDENTIALS and hours.refused(connection.stamp, self._clock.now()):
                return self._attempt(hours)
            self._note(error)
            self._refuse(error)
            return None
        except NorthApiException as error:
            self._note(error)
        except Exception as error:
            log.exception("the connection of the device %s failed", self._target.credentials.id)
            self._note(NorthApiException(SdkCode.CLIENT_INTERNAL, f"the connection failed: {type(error).__name__}"))
        finally:
            self._outbox.lost()
        since = connection.connected_at
        if since is not None and self._clock.monotonic() - since >= self._backoff.healthy:
            self._failures = 0
        self._failures += 1
        return self._backoff.delay(self._failures - 1)

    def _connected(self) -> None:
        self.last_error = self._distrust = None
        self._move(DeviceState.CONNECTED)
        self._settled.set()

    def _refuse(self, error: DeviceRefusedError) -> None:
        self._move(DeviceState.REFUSED)
        self._settled.set()
        self._end(error)

    def _note(self, error: NorthApiException) -> None:
        if self._wake.closing:
            return
        known = self.last_error is not None and self.last_error.error_desc == error.error_desc
        level = logging.DEBUG if known else logging.WARNING  # the same failure again and again would fill the log
        log.log(level, "device %s: %s", self._target.credentials.id, error.error_desc)
        self.last_error = error
        if isinstance(error, TlsError) and error.reason in _DISTRUST:
            self._distrust = error
            self._settled.set()

    def _move(self, state: DeviceState) -> None:
        with self._lock:
            if self.state is not DeviceState.CLOSED:
                self._change(state)

    def _change(self, state: DeviceState) -> None:
        if state is not self.state:
            self.state = state
            self._changed(state)
