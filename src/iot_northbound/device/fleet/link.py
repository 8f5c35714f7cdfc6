"""One connection of a device: TCP and TLS on a thread of the pool, then MQTT on the thread of the fleet."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from iot_northbound._extras import needs_extra
from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.tls import TlsPolicy
from iot_northbound.device.credentials import DeviceCredentials, stamp_of
from iot_northbound.device.mqtt import CONNACK_CODES, PahoClient, VersionRefused
from iot_northbound.device.tls import Deadline, Wake, explained, open_tls
from iot_northbound.errors import ConnectionFailedError, SdkCode

with needs_extra("device"):
    from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

if TYPE_CHECKING:
    import ssl

log = Log("iot_northbound.device")

_BAD_VERSION = 1
_READS_IN_A_ROW = 64


@attrs.frozen
class Server:
    """Where the devices connect to, and how."""

    host: str
    port: int
    policy: TlsPolicy
    clock: Clock
    keepalive: int
    timeout: float
    """Seconds for TCP and TLS, and again for the CONNACK."""
    wake: Wake
    """Ends the attempts when the fleet is closed."""

    def connect(self, credentials: DeviceCredentials, shift: float = 0.0) -> Opened:
        """Return a connection whose CONNECT is ready to leave. It takes its time: not for the fleet's thread.

        `shift` is added to the time for which the password is made.

        Raises:
            NorthApiException: there is no connection.
        """
        try:
            tls = open_tls(self.host, self.port, self.policy, Deadline(self.clock, self.timeout, self.wake))
        except OSError as error:
            raise explained(error, self.host, self.port, self.policy) from error
        except UnicodeError:
            raise ConnectionFailedError(SdkCode.NO_ANSWER, f"the host name {self.host!r} cannot be used") from None
        # The password is made only now: the handshake may have taken the attempt into the next hour.
        now = self.clock.now() + shift
        client = PahoClient(CallbackAPIVersion.VERSION2, client_id=credentials.client_id(now))
        client.connection = tls
        client.username_pw_set(credentials.username, credentials.password(now))
        client.max_inflight_messages_set(0)  # the outbox has the window
        # With it, paho only queues what it sends; `Link.flush` writes. So no connection can end inside `publish`.
        client.on_socket_register_write = _nothing
        client.connect(self.host, self.port, self.keepalive)
        return Opened(client, tls, stamp_of(now))


@attrs.frozen
class Opened:
    """A connection that the pool has opened."""

    client: PahoClient
    sock: ssl.SSLSocket
    hour: str
    """The hour that the password is for."""


def _nothing(*_: object) -> None:
    pass


class Link:
    """A connection on the fleet's thread, as the device sees it."""

    __slots__ = ("_client", "_on_end", "_watch_writing", "accepted", "hour", "sock")

    def __init__(self, opened: Opened, watch_writing: Callable[[socket.socket, bool], None]) -> None:
        self._client = opened.client
        self._watch_writing = watch_writing
        self._on_end: Callable[[int | None, str], object] = _nothing
        self.sock = opened.sock
        self.hour = opened.hour
        self.accepted = False

    def listen(
        self,
        *,
        accepted: Callable[[], object],
        ended: Callable[[int | None, str], object],
        confirmed: Callable[[int], object],
        subscribed: Callable[[bool], object],
        received: Callable[[bytes], object],
    ) -> None:
        """Say which functions are called; `ended` gets the code of a CONNACK that refuses, or None, and the reason.

        They are called from inside paho, so they must not read or write: that would wait for paho for ever.
        """

        def on_connect(_: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
            if reason.is_failure:
                self._ended(CONNACK_CODES.get(reason.value), str(reason))
            else:
                self.accepted = True
                accepted()

        def on_disconnect(_: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
            self._ended(None, f"the connection ended ({reason})")

        def on_publish(_: Any, __: Any, mid: int, ___: Any, ____: Any) -> None:
            confirmed(mid)

        def on_subscribe(_: Any, __: Any, ___: Any, reasons: Any, ____: Any) -> None:
            subscribed(not any(each.is_failure for each in reasons))

        def on_message(_: Any, __: Any, message: Any) -> None:
            received(bytes(message.payload))

        self._on_end = ended
        client = self._client
        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        client.on_publish = on_publish
        client.on_subscribe = on_subscribe
        client.on_message = on_message

    def ready(self) -> bool:
        """Read what has come; return whether there is more to read."""
        for _ in range(_READS_IN_A_ROW):
            if not self._guarded(self._client.loop_read):
                return False
            if not self.sock.pending():
                return False
        return True

    def flush(self) -> None:
        """Write what waits, and be called again if the socket takes no more now."""
        client = self._client
        if client.want_write() and not self._guarded(client.loop_write):
            return
        self._watch_writing(self.sock, client.want_write())

    def _guarded(self, work: Callable[[], MQTTErrorCode]) -> bool:
        """Let paho work; return whether the connection still lives."""
        try:
            code = work()
        except VersionRefused:
            self._ended(_BAD_VERSION, "it does not speak this version of MQTT (3.1.1)")
            return False
        except Exception as error:  # noqa: BLE001  # what paho raises for packets that are not MQTT
            log.failure(logging.DEBUG, error, "a packet of the platform could not be read")
            self._ended(None, f"the platform sent something that is not MQTT ({type(error).__name__})")
            return False
        return code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._client.socket() is not None

    def publish(self, topic: str, payload: bytes, qos: int) -> int:
        """Queue a message for `flush`, and return its packet id."""
        return self._client.publish(topic, payload, qos).mid

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic, with QoS 1."""
        self._client.subscribe(topic, 1)

    def tick(self) -> None:
        """Ping if it is time, or notice that the server is silent."""
        self._guarded(self._client.loop_misc)

    def leave(self) -> None:
        """Say goodbye and close. No function is called any more."""
        self._silence()
        if self.accepted:
            self._client.disconnect()
            self._guarded(self._client.loop_write)
        self.close()

    def close(self) -> None:
        """Close without a word. No function is called any more."""
        self._silence()
        self.sock.close()

    def _silence(self) -> None:
        self._on_end = _nothing
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = None
        client.on_subscribe = client.on_message = None

    def _ended(self, code: int | None, reason: str) -> None:
        on_end, self._on_end = self._on_end, _nothing
        self._silence()
        on_end(code, reason)
