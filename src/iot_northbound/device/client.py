"""DeviceClient: one device on the platform."""

import atexit
import contextlib
import logging
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from os import PathLike
from typing import Any, Self, TypeVar

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.device import arguments, messages, topics
from iot_northbound.device.commands import Commands, Handler
from iot_northbound.device.credentials import DeviceCredentials, ProductCredentials
from iot_northbound.device.link import Link
from iot_northbound.device.messages import JSON, Codec, CodecWire, Entry
from iot_northbound.device.mqtt import Subscription, Target, matches
from iot_northbound.device.pending import Pending
from iot_northbound.device.provisioning import provision
from iot_northbound.device.queue import MemoryQueue, Message, Queue
from iot_northbound.device.session import Backoff, DeviceState, Outbox
from iot_northbound.device.trust import policy_of
from iot_northbound.device.workers import Workers
from iot_northbound.errors import NorthApiException
from iot_northbound.ssl_config import SSLConfig

log = logging.getLogger("iot_northbound.device")

H = TypeVar("H", bound=Handler)
_FIRST_CONNECT = 60.0
"""Seconds that a `with` block waits for the first connection."""
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
        ack_timeout: seconds after which a connection is given up if the platform has not confirmed a message.

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
        arguments.check(credentials, codec)
        arguments.check_place(host, port, ca_path, ssl_config)
        arguments.check_parts(queue, backoff)
        arguments.check_numbers(
            keepalive=keepalive,
            handler_threads=handler_threads,
            connect_timeout=connect_timeout,
            ack_timeout=ack_timeout,
        )
        self.credentials = credentials
        self._clock = clock
        self._codec = JSON if isinstance(codec, str) else codec
        policy = policy_of(ca_path, ssl_config)
        target = Target(host, port, policy, credentials, keepalive, connect_timeout, ack_timeout)
        kind = "json" if isinstance(codec, str) else "binary"
        self._report_topic = topics.report_topic(credentials.id, kind)
        self._command_topic = topics.command_topic(credentials.id, kind)
        self._where = f"{credentials.id} at {host}:{port}"
        self._watchers: list[Callable[[DeviceState], object]] = []
        self._droppers: list[Callable[[Message], object]] = []
        name = f"device-{credentials.id}"
        self._events = Workers(1, f"{name}-events")
        self._commands = Commands(CodecWire(self._codec), handler_threads, self._answer, f"{name}-command")
        self._outbox = Outbox(queue or MemoryQueue(), credentials.id, hold=hold)
        self._link = Link(
            target,
            clock,
            backoff or Backoff(),
            self._outbox,
            changed=self._changed,
            connecting=self._connecting,
            received=self._received,
            is_busy=self._is_busy,
        )
        self._link.subscriptions.append(Subscription(self._command_topic, 1, self._command))
        _ALL.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._where}: {self.state}>"

    @classmethod
    def provision(
        cls,
        product_id: str,
        node_id: str,
        product_secret: str,
        host: str,
        port: int = 8883,
        *,
        keep: Callable[[DeviceCredentials], object],
        sign_type: int = 1,
        ca_path: str | PathLike[str] | None = None,
        ssl_config: SSLConfig | None = None,
        backoff: Backoff | None = None,
        clock: Clock = SYSTEM_CLOCK,
        timeout: float = 30.0,
    ) -> DeviceCredentials:
        """Return credentials of its own for a device that knows only the secret of its product model.

        The reference only names this mode (authType 1); the messages are those seen in the field.

        Args:
            product_id: the product model.
            node_id: the device's own id, such as its IMEI.
            product_secret: the secret of the product model.
            host: the platform's host name or address.
            port: the platform's port for devices.
            keep: stores the credentials for good. The platform sends them no more once `keep` has returned.
            sign_type: as for `DeviceCredentials`.
            ca_path: as for the client.
            ssl_config: as for the client.
            backoff: how long to wait between attempts.
            clock: the time; for tests.
            timeout: seconds for each of the steps: login, secret, confirmation.

        Raises:
            DeviceRefusedError: the platform refuses the product model or its secret, or does not offer this.
            WaitTimeoutError: the secret, or the confirmation, did not come in time.
            NorthApiException: an argument or a file cannot be used, or what came was no secret.
        """
        who = ProductCredentials(product_id, node_id, product_secret, sign_type=sign_type)
        arguments.check_place(host, port, ca_path, ssl_config)
        policy = policy_of(ca_path, ssl_config)
        target = Target(host, port, policy, who, 120, timeout, timeout)
        return provision(target, who, keep, clock=clock, backoff=backoff or Backoff(), timeout=timeout)

    # -- life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            return self.start(wait=not self._link.started, timeout=_FIRST_CONNECT)
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

        A `with` block starts a device that was not started, waits 60 seconds at most, and closes it if that fails.

        Raises:
            DeviceRefusedError: the platform refuses the device.
            TlsError: the platform's certificate is not accepted. The client goes on trying.
            WaitTimeoutError: it is not connected in that time; the text says why the last attempt failed.
            ClientClosedError: the client was closed.
        """
        self._link.start()
        if wait:
            self._link.wait(timeout)
        return self

    def close(self, timeout: float = 5.0) -> None:
        """Disconnect. Before that, a connected device has `timeout` seconds to send what waits and to end commands.

        What is not confirmed then fails with a ClientClosedError; a `SqliteQueue` keeps it for the next start. A
        handler that still runs is not waited for. Closing twice is harmless.
        """
        if not self._link.inherited and self._link.close(timeout):
            self._commands.close()
            self._events.close(finish=True)
            self._outbox.close()

    # -- what the device says ------------------------------------------------------------------------------------------

    def report(
        self, service_id: str, data: Mapping[str, Any], event_time: datetime | str | None = None, *, qos: int = 1
    ) -> Pending[None]:
        """Report the data of one service. The result is there when the platform has confirmed it (PUBACK).

        Args:
            service_id: the service of the product model.
            data: its properties.
            event_time: when the data was collected: a datetime with a time zone, or text of UTC like 20260101T120000Z;
                None: now.
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
        self._link.check()
        arguments.check_topic(topic, wildcards=False)
        arguments.check_qos(qos)
        pending, dropped = self._outbox.add(Message(topic, arguments.payload(payload), qos))
        self._link.wake()
        for each in dropped:
            self._announce(self._droppers, each.message)
        return pending

    def release(self) -> None:
        """Send what is queued, if the client was made with `hold`. It is held again when the connection ends."""
        self._outbox.held = False
        self._link.wake()

    def _answer(self, payload: bytes) -> Pending[None]:
        pending = self._outbox.add_urgent(Message(self._report_topic, payload))
        self._link.wake()
        return pending

    # -- what the device hears -----------------------------------------------------------------------------------------

    def on_command(self, service_id: str | None = None, method: str | None = None) -> Callable[[H], H]:
        """Decorate the function that handles these commands; None means every service, or every method.

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
        self._link.check()
        arguments.check_topic(topic, wildcards=True)
        arguments.check_qos(qos)
        subscription = Subscription(topic, qos, partial(self._hand_on, handler))
        self._link.subscribe(subscription)
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
        return self._link.state

    @property
    def last_error(self) -> NorthApiException | None:
        """Why the last attempt failed or the last connection ended; None if nothing failed since."""
        return self._link.last_error

    @property
    def pending(self) -> int:
        """How many messages the platform has not confirmed."""
        return len(self._outbox)

    @property
    def dropped(self) -> int:
        """How many messages a full queue has dropped."""
        return self._outbox.dropped

    # -- for the network thread ----------------------------------------------------------------------------------------

    def _changed(self, state: DeviceState) -> None:
        self._announce(self._watchers, state)

    def _connecting(self) -> None:
        self._commands.new_connection()

    def _is_busy(self) -> bool:
        return bool(self._commands.open)

    def _announce(self, functions: Sequence[Callable[[Any], object]], value: object) -> None:
        for each in functions[:]:
            self._events.submit(partial(each, value))

    def _received(self, topic: str, payload: bytes) -> None:
        for each in self._link.subscriptions[:]:
            if matches(each.topic, topic):
                each.handler(topic, payload)

    def _command(self, topic: str, payload: bytes) -> None:
        self._commands.received(payload)

    def _hand_on(self, handler: Callable[[str, bytes], object], topic: str, payload: bytes) -> None:
        if not self._events.submit(partial(handler, topic, payload)):
            log.warning("a message on %s was dropped: too many wait for their handlers", topic)


_ALL: "weakref.WeakSet[DeviceClient]" = weakref.WeakSet()


@atexit.register
def _leave_all() -> None:
    """Send DISCONNECT for every device when the program ends."""
    end = time.monotonic() + _AT_EXIT
    devices = list(_ALL)
    for each in devices:
        if not each._link.inherited:
            each._link.begin_to_close(_AT_EXIT)
    for each in devices:
        with contextlib.suppress(Exception):
            each.close(max(end - time.monotonic(), 0.0))
