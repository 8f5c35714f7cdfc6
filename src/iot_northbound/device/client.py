"""DeviceClient: one device on the platform."""

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import Any, Self, TypeVar

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.tls import build_policy
from iot_northbound.device import arguments, messages, topics
from iot_northbound.device.commands import Commands, Handler
from iot_northbound.device.credentials import DeviceCredentials, stamp_of
from iot_northbound.device.failures import DeviceRefusedError
from iot_northbound.device.messages import JSON, Codec, Entry
from iot_northbound.device.mqtt import WRONG_CREDENTIALS, Connection, Listener, Subscription, Target, matches
from iot_northbound.device.pending import Pending
from iot_northbound.device.queue import MemoryQueue, Message, Queue
from iot_northbound.device.session import Backoff, DeviceState, Outbox
from iot_northbound.device.tls import Wake
from iot_northbound.device.workers import Workers
from iot_northbound.errors import ClientClosedError, NorthApiException, SdkCode, WaitTimeoutError
from iot_northbound.ssl_config import SSLConfig

log = logging.getLogger("iot_northbound.device")

H = TypeVar("H", bound=Handler)
_AT_EXIT = 2.0
"""Seconds that the end of the program gives all devices to send what is under way."""


class DeviceClient:
    """A device that reports to the platform and answers its commands, over MQTT (reference chapter 8).

    It connects by itself, again and again, until it is closed or the platform refuses its credentials. What it has to
    send meanwhile waits in a queue. All methods can be called from any thread.

    Args:
        credentials: the id and the secret of the device.
        host: the platform's host name or address.
        port: the platform's port for devices.
        ca_path: the file with the CA of the platform; PEM, DER, PKCS#12 or JKS. None: the system's trust store.
        ssl_config: more about TLS, in place of `ca_path`: a host-name rule, for example.
        codec: "json", or what encodes and decodes the messages of a product model with a codec plug-in.
        keepalive: seconds after which a silent connection is tested with a ping.
        queue: where reports wait: `MemoryQueue` or `SqliteQueue`. The client closes it.
        backoff: how long to wait between attempts.
        clock: the time; for tests.
        handler_threads: how many commands can run at the same time.
        hold: whether what is queued waits after each connect until `release` is called.
        connect_timeout: seconds for one attempt, from the first packet to the confirmed subscription.
        ack_timeout: seconds after which a connection is given up if the platform confirms nothing.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
        TlsError: a certificate file cannot be used (1006).
        QueueError: the queue's file cannot be used.
    """

    def __init__(
        self,
        credentials: DeviceCredentials,
        host: str,
        port: int = 8883,
        *,
        ca_path: str | PathLike[str] | None = None,
        ssl_config: SSLConfig | None = None,
        codec: "str | Codec" = "json",
        keepalive: int = 120,
        queue: Queue | None = None,
        backoff: Backoff | None = None,
        clock: Clock = SYSTEM_CLOCK,
        handler_threads: int = 4,
        hold: bool = False,
        connect_timeout: float = 15.0,
        ack_timeout: float = 60.0,
    ) -> None:
        arguments.check(credentials, host, port, ca_path, ssl_config, codec)
        arguments.check_numbers(
            keepalive=keepalive,
            handler_threads=handler_threads,
            connect_timeout=connect_timeout,
            ack_timeout=ack_timeout,
        )
        self.credentials = credentials
        self._clock = clock
        self._codec = JSON if isinstance(codec, str) else codec
        policy = build_policy(ssl_config or SSLConfig(trust_ca_path=ca_path))
        self._target = Target(host, port, policy, credentials, keepalive, connect_timeout, ack_timeout)
        self._backoff = backoff or Backoff()
        self._failures = 0
        self._state = DeviceState.IDLE
        self._last_error: NorthApiException | None = None
        self._settled = Flag()
        """Set as soon as the device is connected, refused or closed."""
        self._stop = Flag()
        self._wake = Wake()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process: int | None = None
        self._watchers: list[Callable[[DeviceState], object]] = []
        self._droppers: list[Callable[[Message], object]] = []
        name = f"device-{credentials.id}"
        self._events = Workers(1, f"{name}-events")
        self._commands = Commands(self._codec, handler_threads, self._answer, f"{name}-command")
        kind = "json" if self._codec is JSON else "binary"
        self._report_topic = topics.report_topic(credentials.id, kind)
        self._command_topic = topics.command_topic(credentials.id, kind)
        self._subscriptions = [Subscription(self._command_topic, 1, lambda topic, payload: None)]
        self._outbox = Outbox(queue or MemoryQueue(), credentials.id, hold=hold)
        _ALL.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.credentials.id} at {self._target.host}:{self._target.port}: {self.state}>"

    # -- life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close(0)
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, wait: bool = True, timeout: float | None = None) -> Self:
        """Connect, and return when the device is logged in and hears its commands.

        Args:
            wait: False returns at once, and the device connects meanwhile.
            timeout: seconds to wait at most; None waits as long as it takes. The client goes on trying in any case.

        Raises:
            DeviceRefusedError: the platform refuses the device.
            WaitTimeoutError: it is not connected in that time; the text says why the last attempt failed.
            ClientClosedError: the client was closed.
        """
        self._check_open()
        with self._lock:
            if self._thread is None:
                self._process = os.getpid()
                self._thread = threading.Thread(target=self._run, name=f"device-{self.credentials.id}", daemon=True)
                self._thread.start()
        if not wait:
            return self
        if not self._settled.wait(timeout):
            why = f": {self._last_error.error_desc}" if self._last_error else ""
            raise WaitTimeoutError(
                SdkCode.NO_ANSWER, f"the device is not connected after {timeout:g} s{why}"
            ) from self._last_error
        self._check_open()
        return self

    def close(self, timeout: float = 5.0) -> None:
        """Disconnect. Before that, a connected device has `timeout` seconds to send what waits and to end commands.

        What is not confirmed then fails with a ClientClosedError; a `SqliteQueue` keeps it for the next start. A
        handler that still runs is not waited for. Closing twice is harmless.
        """
        if self._inherited:
            return
        self._begin_to_close(timeout)
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout + 2)
        self._shut()

    def _begin_to_close(self, patience: float) -> None:
        if not self._inherited:
            self._wake.patience = patience
            self._wake.closing = True
            self._stop.set()
            self._wake.set()

    def _shut(self) -> None:
        with self._lock:
            if self._state is DeviceState.CLOSED:
                return
            self._change(DeviceState.CLOSED)
        self._settled.set()
        self._commands.close()
        self._events.close(finish=True)
        self._outbox.end(
            ClientClosedError(SdkCode.CLIENT_INTERNAL, "the device was closed before the platform confirmed this")
        )
        self._outbox.close()
        self._wake.close()

    # -- what the device says ------------------------------------------------------------------------------------------

    def report(
        self, service_id: str, data: Mapping[str, Any], event_time: datetime | str | None = None, *, qos: int = 1
    ) -> Pending[None]:
        """Report the data of one service. The result is there when the platform has confirmed it (PUBACK).

        Args:
            service_id: the service of the product model.
            data: its properties.
            event_time: when the data was collected; None: now.
            qos: 1, or 0 to send it once and without confirmation.

        Raises:
            InvalidArgumentError: a value cannot be used (1007).
            QueueError: the queue cannot keep it.
            DeviceRefusedError: the platform refused the device.
            ClientClosedError: the client was closed.
        """
        return self.report_batch([(service_id, data, event_time)], qos=qos)

    def report_batch(self, entries: Sequence[Entry], *, qos: int = 1) -> Pending[None]:
        """Report several services, or several times of one, in one message.

        Args:
            entries: `(service_id, data)` or `(service_id, data, event_time)` for each.
            qos: as for `report`.

        Raises:
            NorthApiException: as for `report`.
        """
        return self.publish(self._report_topic, messages.report(entries, self._clock.now(), self._codec), qos)

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> Pending[None]:
        """Publish bytes of your own to a topic, in order with the reports.

        Raises:
            NorthApiException: as for `report`.
        """
        self._check_open()
        arguments.check_topic(topic, wildcards=False)
        arguments.check_qos(qos)
        pending, dropped = self._outbox.add(Message(topic, arguments.payload(payload), qos))
        self._wake.set()
        for each in dropped:
            self._announce(self._droppers, each.message)
        return pending

    def release(self) -> None:
        """Send what is queued, if the client was made with `hold`. It is held again when the connection ends."""
        self._outbox.held = False
        self._wake.set()

    def _answer(self, payload: bytes) -> Pending[None]:
        pending = self._outbox.add_urgent(Message(self._report_topic, payload))
        self._wake.set()
        return pending

    # -- what the device hears -----------------------------------------------------------------------------------------

    def on_command(self, service_id: str | None = None, method: str | None = None) -> Callable[[H], H]:
        """Decorate the function that handles these commands; None stands for every service, or every method.

        It gets a `Command` and returns the body of the answer, a mapping or None. It raises `CommandFailed` to answer
        with a failure. It runs on a thread of its own, and may take its time.

        Raises:
            InvalidArgumentError: there is a handler for just these (1007).
        """

        def register(handler: H) -> H:
            self._commands.register(service_id, method, handler)
            return handler

        return register

    def subscribe(self, topic: str, handler: Callable[[str, bytes], object], qos: int = 1) -> Pending[None]:
        """Call `handler(topic, payload)` for messages on a topic, over all connections.

        The topic may have wildcards. The handlers of all topics run on one thread, in the order of the messages. The
        result is there when the platform has confirmed the subscription for the first time.

        Raises:
            InvalidArgumentError: a value cannot be used (1007).
            ClientClosedError: the client was closed.
        """
        self._check_open()
        arguments.check_topic(topic, wildcards=True)
        arguments.check_qos(qos)
        subscription = Subscription(topic, qos, handler)
        self._subscriptions.append(subscription)
        self._wake.set()
        return subscription.pending

    def on_state(self, function: Callable[[DeviceState], object]) -> Callable[[DeviceState], object]:
        """Call the function with each new state, in order, on a thread of its own."""
        self._watchers.append(function)
        return function

    def on_dropped(self, function: Callable[[Message], object]) -> Callable[[Message], object]:
        """Call the function with each message that a full queue dropped."""
        self._droppers.append(function)
        return function

    # -- how it is -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> DeviceState:
        """What the device does now."""
        return self._state

    @property
    def last_error(self) -> NorthApiException | None:
        """Why the last attempt failed or the last connection ended; None if nothing failed since."""
        return self._last_error

    @property
    def pending(self) -> int:
        """How many messages the platform has not confirmed."""
        return len(self._outbox)

    @property
    def dropped(self) -> int:
        """How many messages a full queue has dropped."""
        return self._outbox.dropped

    @property
    def _inherited(self) -> bool:
        return self._process is not None and self._process != os.getpid()

    def _check_open(self) -> None:
        if self._inherited:
            raise ClientClosedError(
                SdkCode.CLIENT_INTERNAL,
                "this process was forked from the one that started the device, and a connection has one owner: make a "
                "new DeviceClient here, or fork before start()",
            )
        if self._state is DeviceState.REFUSED and self._last_error is not None:
            raise self._last_error.with_traceback(None)
        if self._wake.closing:
            raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "the device is closed")

    # -- the network thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                delay = self._attempt()
                if delay is None:
                    return
                self._move(DeviceState.WAITING)
                self._clock.wait(self._stop, delay)
        except Exception:
            log.exception("the network thread of the device %s failed", self.credentials.id)
        finally:
            self._wake.closing = True  # nothing more is taken
            self._settled.set()

    def _attempt(self, *, again: bool = False) -> float | None:
        """Connect, and stay connected; return the seconds to wait then, or None at the end."""
        self._move(DeviceState.CONNECTING)
        self._commands.new_connection()
        listener = Listener(self._connected, self._received, self._is_drained)
        connection = Connection(self._target, self._clock, self._wake, self._outbox, self._subscriptions, listener)
        try:
            connection.run()
            return None
        except DeviceRefusedError as error:
            if error.return_code == WRONG_CREDENTIALS and not again and self._hour_turned(connection.stamp):
                return self._attempt(again=True)
            self._note(error)
            self._refuse(error)
            return None
        except NorthApiException as error:
            self._note(error)
        except Exception as error:
            log.exception("the connection of the device %s failed", self.credentials.id)
            self._note(NorthApiException(SdkCode.CLIENT_INTERNAL, f"the connection failed: {type(error).__name__}"))
        finally:
            self._outbox.lost()
        since = connection.connected_at
        if since is not None and self._clock.monotonic() - since >= self._backoff.healthy:
            self._failures = 0
        self._failures += 1
        return self._backoff.delay(self._failures - 1)

    def _hour_turned(self, stamp: str) -> bool:
        return bool(self.credentials.sign_type) and stamp != stamp_of(self._clock.now())

    def _refuse(self, error: DeviceRefusedError) -> None:
        self._move(DeviceState.REFUSED)
        self._settled.set()
        self._outbox.end(error)

    def _note(self, error: NorthApiException) -> None:
        if self._wake.closing:
            return
        known = self._last_error is not None and self._last_error.error_desc == error.error_desc
        log.log(logging.DEBUG if known else logging.WARNING, "device %s: %s", self.credentials.id, error.error_desc)
        self._last_error = error

    def _move(self, state: DeviceState) -> None:
        with self._lock:
            if self._state is not DeviceState.CLOSED:
                self._change(state)

    def _change(self, state: DeviceState) -> None:
        if state is not self._state:
            self._state = state
            self._announce(self._watchers, state)

    def _announce(self, functions: Sequence[Callable[[Any], object]], value: object) -> None:
        for each in functions[:]:
            self._events.submit(lambda each=each: each(value))  # type: ignore[misc]

    def _connected(self) -> None:
        self._last_error = None
        self._move(DeviceState.CONNECTED)
        self._settled.set()

    def _received(self, topic: str, payload: bytes) -> None:
        if topic == self._command_topic:
            self._commands.received(payload)
            return
        for each in self._subscriptions[1:]:
            if matches(each.topic, topic) and not self._events.submit(
                lambda each=each: each.handler(topic, payload)  # type: ignore[misc]
            ):
                log.warning("a message on %s was dropped: too many wait for their handlers", topic)

    def _is_drained(self) -> bool:
        return not len(self._outbox) and not self._commands.open


_ALL: "weakref.WeakSet[DeviceClient]" = weakref.WeakSet()


@atexit.register
def _leave_all() -> None:
    """Send DISCONNECT for every device when the program ends."""
    end = time.monotonic() + _AT_EXIT
    devices = list(_ALL)
    for each in devices:
        each._begin_to_close(_AT_EXIT)
    for each in devices:
        with contextlib.suppress(Exception):
            each.close(max(end - time.monotonic(), 0.0))
