"""One device's connection: packets in, packets out, and how long the other side may take."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.mqtt import codecs, packets
from iot_northbound.emulator.mqtt.packets import Packets, ProtocolError
from iot_northbound.serving import Admission, Connection

if TYPE_CHECKING:
    from iot_northbound.emulator.faults import Fault
    from iot_northbound.emulator.mqtt.authenticate import Login
    from iot_northbound.emulator.mqtt.codecs import Codec
    from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
    from iot_northbound.emulator.mqtt.topics import Topics

log = logging.getLogger("iot_northbound.emulator")

BEFORE_LOGIN = 16 * 1024
AFTER_LOGIN = 1024 * 1024
"""The longest packet before and after the login."""
UNREAD = 1024 * 1024
"""How many bytes may wait for a device that does not read."""
WINDOW = 20
"""How many messages with QoS 1 may be on their way to a device."""
_UNACKNOWLEDGED = 1_000
"""How many messages of any kind may be on their way to a device; commands are limited by the window before."""
AT_ONCE = 64
"""How many packets of one device are taken before others have their turn."""
MISSED = 1.5
"""How many keep-alive times a device may be silent."""


_CONNECT = packets.CONNECT << 4


class MqttConnection(Connection, asyncio.BufferedProtocol):
    """One device's connection.

    Attributes:
        login: Who has logged in; None before.
        session: What tells this session from all others.
        topics: The topics that the device may use.
        codec: The codec of its product model; `codec_name` is its name in topics.
        channels: The granted QoS of what it listens to.
        in_flight: The messages that it has not acknowledged: their packet ids, with the number (mid) of those that are
            commands.
    """

    first_step = "CONNECT"
    topics: Topics
    codec: Codec
    codec_name: str

    def __init__(self, admission: Admission, endpoint: MqttEndpoint) -> None:
        super().__init__(admission)
        self.login: Login | None = None
        self.session = ""
        self.since = 0.0
        self.client_id = ""
        self.keep_alive = 0
        self.channels: dict[str, int] = {}
        self.in_flight: dict[int, int | None] = {}
        self.replies: list[bytes] = []
        self.packets_in = self.packets_out = 0
        self.is_over = False
        """Whether everything that the peer still sends is ignored."""
        self._endpoint = endpoint
        self._packets = Packets(BEFORE_LOGIN)
        self._last_id = 0
        self._heard = self.loop.time()
        self._second = (0.0, 0)
        self.fault: Fault | None = None
        """The fault that strikes the packet that is being taken."""
        self._delayed: tuple[int, bytes] | None = None
        self._holds: set[str] = set()

    @property
    def device_id(self) -> str:
        """The device that has logged in; empty before."""
        return "" if self.login is None else self.login.device_id

    @property
    def name(self) -> str:
        """What the device is called in its topics; empty before it has logged in."""
        return "" if self.login is None else self.login.name

    # What the listener asks

    @property
    def answering(self) -> bool:
        """Whether the connection must not make room for another: its device has logged in."""
        return self.login is not None

    @property
    def busy(self) -> bool:
        """Whether a stop waits for this connection."""
        return bool(self.replies) and not self.is_over

    def shutdown(self) -> None:
        """Close the connection."""
        self.is_over = True
        self.transport.close()

    # Transport events

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where received bytes are to be written; `buffer_updated` follows before any other connection's."""
        return self._endpoint.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has arrived."""
        self.data_received(self._endpoint.buffer[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        if self.is_over:
            return
        self._heard = self.loop.time()
        if self.login is None and not self._packets and data[0] != _CONNECT:
            self.end("not a CONNECT")  # at once: what speaks another protocol may never complete a packet of this one
            return
        self._packets.feed(data)
        if not self._holds:
            self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the endpoint that the session has ended."""
        super().connection_lost(exc)
        self._endpoint.lost(self, None if exc is None else type(exc).__name__)
        self.is_over = True

    def pause_writing(self) -> None:
        """Take nothing more of a peer that does not read."""
        super().pause_writing()
        self._hold("unread")

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._release("unread")

    def overdue(self, step: str) -> None:
        """End the connection of a silent device, or wait for the rest of its time."""
        if self.login is None:
            self.drop()
            return
        quiet, allowed = self.loop.time() - self._heard, self.keep_alive * MISSED
        if quiet >= allowed and not self._holds:
            self.end(f"no packet for {self.keep_alive} s x {MISSED} (keep-alive)")
        else:
            self.expect(step, max(allowed - quiet, 0.05))

    # In

    def _work(self) -> None:
        """Take the packets that are complete, at most some of them; the others follow when others had their turn."""
        try:
            for _ in range(AT_ONCE):
                packet, self._delayed = self._delayed, None
                if packet is None:
                    packet = self._packets.take()
                    if packet is None:
                        return
                    self.fault = None if self._endpoint.faults.is_empty else self._strike(*packet)
                    if self.fault is not None and self._is_stopped(packet):
                        return
                self._act(*packet)
                if self._holds or self.is_over:
                    return
        except ProtocolError as error:
            self.end(f"protocol error: {error}")
        except Exception:
            log.exception("a packet of %s failed inside", self.name or "a stranger")
            self.end("internal error")
        else:
            self.hold("turn", 0)

    def _act(self, first: int, body: bytes) -> None:
        self.packets_in += 1
        kind = first >> 4
        if kind not in packets.NAMES:
            raise ProtocolError(f"a device cannot send packets of type {kind}, or they are for QoS 2")
        if self.login is None:
            if kind != packets.CONNECT:
                raise ProtocolError(f"{packets.NAMES[kind]} before CONNECT")
            self._connect(packets.read_connect(first, body))
            return
        match kind:
            case packets.PUBLISH:
                self._endpoint.published(self, packets.read_publish(first, body))
                self._count()
            case packets.PUBACK:
                self._acknowledged(packets.read_puback(first, body))
            case packets.SUBSCRIBE:
                self._endpoint.subscribe(self, *packets.read_subscribe(first, body))
            case packets.UNSUBSCRIBE:
                self._endpoint.unsubscribe(self, *packets.read_unsubscribe(first, body))
            case packets.PINGREQ:
                packets.read_empty(first, body)
                if self.fault is None or self.fault.kind != "mqtt_silence":
                    self.reply(packets.PINGRESP)
            case packets.DISCONNECT:
                packets.read_empty(first, body)
                self.end("DISCONNECT")
            case _:
                raise ProtocolError("a second CONNECT")

    def _connect(self, connect: packets.Connect) -> None:
        self.expect_nothing()
        self._endpoint.admit(self, connect)
        if self.login is not None:
            self._packets.limit = AFTER_LOGIN
            if self.keep_alive:
                self.expect("packet", self.keep_alive * MISSED)

    def _acknowledged(self, packet_id: int) -> None:
        if packet_id in self.in_flight:
            self._endpoint.delivered(self, self.in_flight.pop(packet_id))

    def _count(self) -> None:
        """Stop reading for the rest of a second in which the device has sent as many messages as it may."""
        most = self._endpoint.messages_per_second
        if most is None:
            return
        now, (began, count) = self.loop.time(), self._second
        if now - began >= 1:
            began, count = now, 0
        self._second = began, count + 1
        if count + 1 >= most:
            self.hold("rate", began + 1 - now)

    # Faults

    def _strike(self, first: int, body: bytes) -> Fault | None:
        """Return the fault that strikes a packet."""
        name, topic = packets.NAMES.get(first >> 4, ""), ""
        names: tuple[str, ...] = () if self.login is None else (self.login.device_id, self.login.node_id)
        match first >> 4:
            case packets.CONNECT:
                names = (packets.read_connect(first, body).client_id.rsplit("_", 3)[0],)
            case packets.PUBLISH:
                topic = packets.read_publish(first, body).topic
            case packets.SUBSCRIBE:
                topic = " ".join(each for each, _ in packets.read_subscribe(first, body)[1])
        return self._endpoint.faults.for_mqtt(name, names, topic, self.packets_in)

    def _is_stopped(self, packet: tuple[int, bytes]) -> bool:
        """Return whether the fault of a packet keeps it from being taken, now or at all."""
        if self.fault is not None and self.fault.kind == "mqtt_drop":
            self.end("fault mqtt_drop")
            return True
        if self.fault is not None and self.fault.kind == "mqtt_slow":
            self._delayed = packet
            self.hold("fault", self.fault.pause)
            return True
        return False

    # Holding

    def hold(self, why: str, seconds: float) -> None:
        """Take nothing of the peer for so many seconds."""
        self._hold(why)
        self.loop.call_later(seconds, self._release, why)

    def _hold(self, why: str) -> None:
        if not self._holds and not self.transport.is_closing():
            self.transport.pause_reading()
        self._holds.add(why)

    def _release(self, why: str) -> None:
        self._holds.discard(why)
        if self._holds or self.is_over or self.transport.is_closing():
            return
        self.transport.resume_reading()
        self._work()

    # Out

    def reply(self, content: bytes) -> None:
        """Send bytes once everything that has happened so far is kept."""
        self._endpoint.answer(self, content)

    def write(self, content: bytes) -> None:
        """Send bytes now, unless the connection has ended; a peer that does not read loses it."""
        if self.transport.is_closing():
            return
        self.packets_out += 1
        self.transport.write(content)
        if self._write_deadline is not None and self.transport.get_write_buffer_size() > UNREAD:
            self.reset()

    def publish(self, topic: str, payload: bytes, qos: int, mid: int | None = None) -> bytes:
        """Return a PUBLISH for the device; one with QoS 1 is in flight from now on.

        To a device that leaves very many unacknowledged, the next ones go with QoS 0.
        """
        if not qos or len(self.in_flight) >= _UNACKNOWLEDGED:
            return packets.publish(topic, payload)
        self._last_id = self._last_id % 65_535 + 1
        while self._last_id in self.in_flight:
            self._last_id = self._last_id % 65_535 + 1
        self.in_flight[self._last_id] = mid
        return packets.publish(topic, payload, self._last_id)

    def acknowledge(self, message: dict[str, Any]) -> None:
        """Send what the codec of the product model answers to a device's message, if it answers."""
        content = codecs.acknowledgement(self.codec, message)
        if content is not None and (qos := self.channels.get(codecs.BINARY)) is not None:
            self.reply(self.publish(self.topics.to[codecs.BINARY], content, qos))

    def end(self, reason: str) -> None:
        """End the session; what was written before is still sent."""
        if not self.is_over:
            self.is_over = True
            self._endpoint.ended(self, reason)
            self.transport.close()
