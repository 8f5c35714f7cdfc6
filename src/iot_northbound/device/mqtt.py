"""One connection to the platform over paho-mqtt: from the first packet to its end."""

import contextlib
import logging
import select
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from iot_northbound._extras import needs_extra
from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.tls import TlsPolicy
from iot_northbound.device.credentials import DeviceCredentials, ProductCredentials, stamp_of
from iot_northbound.device.failures import DeviceRefusedError, PlatformBusyError, SubscriptionRefusedError
from iot_northbound.device.pending import Pending
from iot_northbound.device.session import Item, Outbox
from iot_northbound.device.tls import SLICE, Deadline, Wake, explained, open_tls
from iot_northbound.errors import ConnectionFailedError, NorthApiException, RequestTimeoutError, SdkCode

with needs_extra("device"):
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

log = Log("iot_northbound.device")

CONNACK_CODES = {132: 1, 133: 2, 136: 3, 134: 4, 135: 5}
"""paho gives the reason codes of MQTT 5; these are the codes of 3.1.1."""
REFUSALS = {
    1: "it does not speak this version of MQTT (3.1.1)",
    2: "it does not accept the client id or the keep-alive",
    4: "id or secret is wrong, or the clock of the device is not right",
    5: "the device may not connect: it is not bound, or its application was removed",
}
WRONG_CREDENTIALS = 4


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether a subscription to this filter gets messages on this topic."""
    return bool(paho.topic_matches_sub(topic_filter, topic))


@attrs.frozen
class Target:
    """Where a device connects to, and as whom."""

    host: str
    port: int
    policy: TlsPolicy
    credentials: DeviceCredentials | ProductCredentials
    keepalive: int
    connect_timeout: float
    ack_timeout: float


@attrs.define(eq=False)
class Subscription:
    """A topic that the device listens to over all its connections."""

    topic: str
    qos: int
    handler: Callable[[str, bytes], object]
    pending: Pending[None] = attrs.field(factory=lambda: Pending("the confirmation of a subscription"))


@attrs.frozen
class Listener:
    """What a connection calls, on the network thread.

    Attributes:
        connected: the device is logged in and subscribed.
        message: a message came.
        is_drained: whether a closing device has nothing more to send or to wait for.
    """

    connected: Callable[[], None]
    message: Callable[[str, bytes], None]
    is_drained: Callable[[], bool]


class PahoClient(paho.Client):
    """paho's client on a connection that is made before it, so that the password is made after the handshake.

    paho asks for a second connection only if it wants to fall back to MQTT 3.1, after CONNACK 1.
    """

    connection: ssl.SSLSocket | None = None

    def _create_socket_connection(self) -> ssl.SSLSocket:
        connection, self.connection = self.connection, None
        if connection is None:
            raise VersionRefused
        return connection


class VersionRefused(Exception):
    """CONNACK 1."""


class Connection:
    """One attempt, and the connection that comes of it. It is used on one thread; only `Outbox` and `Wake` are shared.

    `shift` is added to the time for which the password is made: see `Hours`.

    Attributes:
        connected_at: the clock's monotonic time at which it was ready; None if it never was.
        stamp: the hour in its password.
    """

    def __init__(
        self,
        target: Target,
        clock: Clock,
        wake: Wake,
        outbox: Outbox,
        subscriptions: Sequence[Subscription],
        listener: Listener,
        shift: float = 0.0,
    ) -> None:
        self._shift = shift
        self._target, self._clock, self._wake, self._outbox = target, clock, wake, outbox
        self._subscriptions, self._listener = subscriptions, listener
        self._client: PahoClient
        self._asked: dict[int | None, list[Subscription]] = {}
        self._subscribed = 0
        self._return_code: int | None = None
        self.connected_at: float | None = None
        self.stamp = ""

    def run(self) -> None:
        """Connect, and return when the device is closed. The last packet is then a DISCONNECT.

        Raises:
            DeviceRefusedError: CONNACK 1, 2, 4 or 5.
            NorthApiException: there is no connection, or it ended.
        """
        target = self._target
        deadline = Deadline(self._clock, target.connect_timeout, self._wake)
        try:
            connection = open_tls(target.host, target.port, target.policy, deadline)
        except OSError as error:
            raise explained(error, target.host, target.port, target.policy) from error
        except UnicodeError:
            raise self._lost(f"the host name {target.host!r} cannot be used") from None
        try:
            self._login(connection)
            deadline.step = "answer to the login"
            while self.connected_at is None:
                deadline.check()
                self._step()
            self._work()
        except TimeoutError as error:
            raise RequestTimeoutError(SdkCode.NO_ANSWER, f"{target.host}:{target.port}: {error}") from None
        except VersionRefused:
            raise self._refused(1) from None
        finally:
            connection.close()

    def _login(self, connection: ssl.SSLSocket) -> None:
        target, now = self._target, self._clock.now() + self._shift
        self.stamp = stamp_of(now)
        client = PahoClient(
            CallbackAPIVersion.VERSION2,
            client_id=target.credentials.client_id(now),
            clean_session=True,
            protocol=paho.MQTTv311,
        )
        client.connection = connection
        client.username_pw_set(target.credentials.username, target.credentials.password(now))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client
        client.connect(target.host, target.port, target.keepalive)

    def _work(self) -> None:
        until: float | None = None
        while True:
            if self._wake.closing:
                now = self._clock.monotonic()
                until = until or now + self._wake.patience
                if self._listener.is_drained() or now >= until:
                    self._leave()
                    return
            self._send()
            self._step(until - self._clock.monotonic() if until is not None else SLICE)
            self._check_acknowledged()
            self._outbox.tidy()

    def _leave(self) -> None:
        self._client.disconnect()
        if self._client.want_write():
            with contextlib.suppress(NorthApiException):  # the socket is closed as soon as the packet is written
                self._step()

    def _step(self, seconds: float = SLICE) -> None:
        """Wait for the network, for something to send or for that long, and let paho read and write."""
        client = self._client
        connection: Any = client.socket()
        if connection is None:
            raise self._ended(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        poll = select.poll()
        poll.register(connection, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        poll.register(self._wake.reader, select.POLLIN)
        poll.poll(0 if connection.pending() else max(min(seconds, SLICE), 0) * 1000)
        self._wake.clear()
        try:
            code = client.loop_read()
            while code == MQTTErrorCode.MQTT_ERR_SUCCESS and client.socket() is not None and connection.pending():
                code = client.loop_read()
            if code == MQTTErrorCode.MQTT_ERR_SUCCESS:
                code = client.loop_write()
            if code == MQTTErrorCode.MQTT_ERR_SUCCESS:
                code = client.loop_misc()
        except (NorthApiException, VersionRefused):
            raise
        except Exception as error:  # noqa: BLE001  # what paho raises for packets that are not MQTT
            log.failure(logging.DEBUG, error, "a packet of the platform could not be read")
            raise self._lost(f"the platform sent something that is not MQTT ({type(error).__name__})") from None
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or client.socket() is None:
            raise self._ended(code)

    def _send(self) -> None:
        client = self._client
        for each in self._subscriptions[self._subscribed :]:
            self._subscribe([each])
        while (item := self._outbox.next()) is not None:
            self._publish(client, item)

    def _publish(self, client: PahoClient, item: Item) -> None:
        info = client.publish(item.message.topic, item.message.payload, item.message.qos)
        self._outbox.sent(info.mid, item, self._clock.monotonic())
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ended(info.rc)
        if info.is_published():  # a QoS 0 message was written at once
            self._outbox.confirmed(info.mid)

    def _subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscribed += len(subscriptions)
        code, mid = self._client.subscribe([(each.topic, each.qos) for each in subscriptions])
        self._asked[mid] = [*subscriptions]
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ended(code)

    def _check_acknowledged(self) -> None:
        oldest = self._outbox.oldest
        if oldest is not None and (waited := self._clock.monotonic() - oldest) > self._target.ack_timeout:
            raise self._lost(f"the platform did not acknowledge a message in {waited:.0f} s")

    # -- what paho calls -----------------------------------------------------------------------------------------------

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._return_code = CONNACK_CODES.get(reason.value, reason.value)
        if self._return_code in REFUSALS:
            raise self._refused(self._return_code)
        if self._return_code == 3:
            where = f"{self._target.host}:{self._target.port}"
            raise PlatformBusyError(
                SdkCode.NO_ANSWER, f"{where}: the platform has no room, or is being stopped (CONNACK 3)"
            )
        if self._return_code:
            raise self._lost(f"the platform refused the login with the unknown code {self._return_code}")
        self._subscribe(self._subscriptions[:])

    def _on_subscribe(self, client: Any, data: Any, mid: int, reasons: Any, properties: Any) -> None:
        for each, reason in zip(self._asked.pop(mid, ()), reasons, strict=False):
            if reason.is_failure:
                log.warning("the platform does not let the device subscribe to %s", each.topic)
                each.pending.fail(
                    SubscriptionRefusedError(
                        SdkCode.DEVICE_REFUSED, f"the platform refuses a subscription to {each.topic!r}"
                    )
                )
            else:
                each.pending.succeed(None)
        if self.connected_at is None:
            self.connected_at = self._clock.monotonic()
            if self.stamp != (own := stamp_of(self._clock.now())) and self._shift:
                log.warning(
                    "the platform is in the hour %s, and the clock of the device %s in %s (UTC): set it right",
                    self.stamp,
                    self._target.credentials.id,
                    own,
                )
            self._listener.connected()

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
        self._outbox.confirmed(mid)

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        try:
            self._listener.message(topic, bytes(message.payload))
        except BaseException:  # a message that cannot be handled must not cost the connection: it would come again
            log.exception("a message on %s could not be handled", topic)

    # -- why it ended --------------------------------------------------------------------------------------------------

    def _refused(self, code: int) -> DeviceRefusedError:
        who, why = self._target.credentials, REFUSALS[code]
        if code == WRONG_CREDENTIALS and who.sign_type == 1:
            why += f". By its clock it is {datetime.fromtimestamp(self._clock.now(), UTC):%Y-%m-%d %H:%M} in UTC"
        return DeviceRefusedError(
            SdkCode.DEVICE_REFUSED,
            f"the platform refuses the device {who.id} (CONNACK {code}): {why}",
            return_code=code,
        )

    def _ended(self, code: MQTTErrorCode) -> NorthApiException:
        if code == MQTTErrorCode.MQTT_ERR_KEEPALIVE:
            return self._lost("the platform answers no pings")
        if code == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            return self._lost("the platform sent something that is not MQTT 3.1.1")
        if self._return_code is None:
            return self._lost("the platform closed the connection and did not answer the login")
        return self._lost("the connection ended")

    def _lost(self, why: str) -> ConnectionFailedError:
        return ConnectionFailedError(SdkCode.NO_ANSWER, f"{self._target.host}:{self._target.port}: {why}")
