"""The MQTT port: sessions by device, and the way of their packets through the platform.

What a device sends takes effect at once. All that it has caused in one pass of the loop is handed on together, and what
acknowledges it is sent when it is kept (with a data directory: on disk). Commands take the same way out, so no device
hears of what a crash could undo.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.durable import DataDirError
from iot_northbound.emulator.json_bodies import encode
from iot_northbound.emulator.mqtt import authenticate, codecs, intake, messages, packets, topics
from iot_northbound.emulator.mqtt.authenticate import Refused
from iot_northbound.emulator.mqtt.codecs import Codec
from iot_northbound.emulator.mqtt.noting import note
from iot_northbound.emulator.mqtt.session import WINDOW, MqttConnection
from iot_northbound.emulator.rules import devices, links, outbox
from iot_northbound.serving import Admission, GuardedListener, Limits

if TYPE_CHECKING:
    from iot_northbound.emulator.faults import FaultPlan
    from iot_northbound.emulator.kernel.store import Change
    from iot_northbound.emulator.runtime import Runtime

log = logging.getLogger("iot_northbound.emulator")

REFUSABLE = 10
"""How many connections there may be beyond those of the setting `mqtt_connections`, to tell a device that it is full.

Those that have not logged in count too, and make room for new ones.
"""


class MqttEndpoint(GuardedListener):
    """The MQTT port of an emulator.

    Args:
        host: Name or address to listen on.
        port: Port to listen on; 0 takes a free one.
        ssl_context: The server's side of TLS.
        limits: What one peer may take; how many there may be is the setting `mqtt_connections`.
        model_codecs: The codecs of product models by productId.
    """

    runtime: Runtime
    faults: FaultPlan

    def __init__(
        self,
        host: str,
        port: int,
        *,
        ssl_context: ssl.SSLContext,
        limits: Limits,
        model_codecs: Mapping[str, Codec],
    ) -> None:
        super().__init__(self._connection, host, port, ssl_context=ssl_context, limits=limits)
        self._codecs = model_codecs
        # For each read the loop would otherwise take and give back 256 KiB, which costs more than decrypting a report.
        self.buffer = memoryview(bytearray(64 * 1024))
        """What all connections receive into."""
        self.sessions: dict[str, MqttConnection] = {}
        """The session of each device that has logged in, by deviceId."""
        self._prefix, self._numbers = secrets.token_hex(8), count(1)
        self._scheduled = self._closing = False
        self._answering: list[MqttConnection] = []
        self._links: dict[str, None] = {}
        self._unsent: list[tuple[MqttConnection, bytes]] = []
        self._more = asyncio.Event()

    # --- start and end ---

    def serve(self, runtime: Runtime) -> None:
        """Let devices in to a platform; call it before `open`."""
        self.runtime, self._platform, self.faults = runtime, runtime.platform, runtime.faults
        runtime.watch(("links",), self._links_changed)
        runtime.watch(("outbox",), self._outbox_changed)

    async def open(self) -> None:
        """Bind and begin to accept."""
        await super().open()
        self.spawn(self._send_what_is_kept())

    async def aclose(self) -> None:
        """Close all sessions. They stay linked: a platform that goes on later begins by ending what was linked."""
        self._closing = True
        await super().aclose()

    def _connection(self, admission: Admission) -> MqttConnection:
        most = self._platform.settings.mqtt_connections + REFUSABLE
        if most != self.limits.connections:
            self.change_limits(replace(self.limits, connections=most, connections_per_address=most))
        return MqttConnection(admission, self)

    @property
    def messages_per_second(self) -> int | None:
        """How many messages per second are read from one device."""
        return self._platform.settings.mqtt_messages_per_second

    # --- sessions ---

    def admit(self, connection: MqttConnection, connect: packets.Connect) -> None:
        """Answer a CONNECT: link the device to this connection, or refuse it."""
        connection.client_id = connect.client_id
        try:
            login = self._login(connection, connect)
        except Refused as refused:
            note(self.runtime, connection, "in", "CONNECT", f"refused with {refused.code}: {refused.reason}")
            connection.is_over = True
            connection.write(packets.connack(refused.code))
            connection.transport.close()
            return
        row = devices.need(self._platform, login.device_id)
        connection.codec_name, connection.codec = codecs.of_model(self._codecs, row.get("productId"))
        connection.login, connection.topics = login, topics.Topics(login, connection.codec_name)
        connection.session = f"{self._prefix}-{next(self._numbers)}"
        connection.since, connection.keep_alive = self._platform.now(), connect.keep_alive
        if login.product_id is None:
            older = self.sessions.get(login.device_id)
            self._platform.work(links.connect, self._platform, login.device_id, connection.session)
            self.sessions[login.device_id] = connection
            if older is not None:
                older.end("the device has connected anew")
        told = "accepted" + (", no will is kept" if connect.has_will else "") + ("" if connect.clean else ", as clean")
        note(self.runtime, connection, "in", "CONNECT", told)
        connection.reply(packets.connack(0))

    def _login(self, connection: MqttConnection, connect: packets.Connect) -> authenticate.Login:
        if connect.version not in packets.VERSIONS:
            name, level = connect.version
            raise Refused(authenticate.BAD_VERSION, f"protocol {name[:20]!r} level {level}: only MQTT 3.1.1 (and 3.1)")
        if self._closing:
            raise Refused(authenticate.BUSY, "the emulator stops")
        login: authenticate.Login = self._platform.work(authenticate.authenticate, self._platform, connect)
        if connection.fault is not None and connection.fault.kind == "mqtt_refuse":
            raise Refused(connection.fault.code, "fault mqtt_refuse")
        most = self._platform.settings.mqtt_connections
        if len(self.sessions) >= most and login.device_id not in self.sessions:
            raise Refused(authenticate.BUSY, f"there are {most} sessions, as many as the setting mqtt_connections says")
        return login

    def ended(self, connection: MqttConnection, reason: str) -> None:
        """Note that a session ends, and why; its link ends with it."""
        packet = "DISCONNECT" if reason == "DISCONNECT" else None
        note(self.runtime, connection, "in" if packet else "out", packet or "close", reason)
        if self.sessions.get(connection.device_id) is connection:
            del self.sessions[connection.device_id]
            if not self._closing:
                args = (self._platform, connection.device_id, connection.session)
                self._platform.work(links.disconnect, *args)
                self.schedule()

    def lost(self, connection: MqttConnection, why: str | None) -> None:
        """Note that a connection is gone."""
        if not connection.is_over and connection.login is not None:
            self.ended(connection, f"the connection was lost{f' ({why})' if why else ''}")

    def _links_changed(self, changes: list[Change]) -> None:
        for _, device_id, row in changes:
            connection = self.sessions.get(device_id)
            if connection is not None and (row is None or row["session"] != connection.session):
                connection.end("the platform has ended the session")

    # --- packets in ---

    def published(self, connection: MqttConnection, packet: packets.Publish) -> None:
        """Take a message of a device."""
        topic = packet.topic
        channel = connection.topics.up.get(topic)
        fault = connection.fault
        if channel is not None:
            told = intake.take(self._platform, connection, channel, packet.payload)
        elif connection.topics.is_foreign(topic):
            note(
                self.runtime, connection, "in", "PUBLISH", "refused: the topic of another device", topic, packet.payload
            )
            connection.end("it published to the topic of another device")
            return
        else:
            told = f"unrouted: {connection.topics.mistake_in_publish(topic)}"
            self._platform.hint(f"mqtt topic {connection.name}", f"MQTT: {connection.name!r} is {told}")
        if packet.qos and not (fault is not None and fault.kind == "mqtt_no_puback"):
            connection.reply(packets.puback(packet.packet_id))
        else:
            self.schedule()
        note(self.runtime, connection, "in", "PUBLISH", told, topic, packet.payload)

    def delivered(self, connection: MqttConnection, mid: int | None) -> None:
        """Take the acknowledgement of a message."""
        if mid is not None and connection.login is not None:
            self._platform.work(outbox.delivered, self._platform, connection.device_id, mid)
        note(self.runtime, connection, "in", "PUBACK", "a command" if mid is not None else "a message")
        self._links[connection.device_id] = None
        self.schedule()

    def subscribe(self, connection: MqttConnection, packet_id: int, wanted: list[tuple[str, int]]) -> None:
        """Let a device listen to the topics of its own, and refuse others."""
        granted = [self._grant(connection, topic, qos) for topic, qos in wanted]
        told = ", ".join("refused" if code == packets.REFUSED else f"QoS {code}" for code in granted)
        note(self.runtime, connection, "in", "SUBSCRIBE", told[:200], " ".join(topic for topic, _ in wanted)[:512])
        connection.reply(packets.suback(packet_id, granted))
        for channel in {channel: None for topic, _ in wanted if (channel := connection.topics.down.get(topic))}:
            qos = connection.channels[channel]
            if channel == topics.SECRET:
                self._send_secret(connection, qos)
            else:
                args = (self._platform, connection.device_id, connection.session, channel, qos)
                self._platform.work(links.subscribe, *args)

    def _grant(self, connection: MqttConnection, topic: str, qos: int) -> int:
        channel = connection.topics.down.get(topic)
        if channel is None:
            mistake = connection.topics.mistake_in_subscribe(topic)
            self._platform.hint(f"mqtt filter {connection.name}", f"MQTT: {connection.name!r} subscribes: {mistake}")
            return packets.REFUSED
        connection.channels[channel] = min(qos, 1)
        return connection.channels[channel]

    def unsubscribe(self, connection: MqttConnection, packet_id: int, filters: list[str]) -> None:
        """Let a device no longer listen."""
        for topic in filters:
            channel = connection.topics.down.get(topic)
            if channel is not None and connection.channels.pop(channel, None) is not None:
                args = (self._platform, connection.device_id, connection.session, channel)
                self._platform.work(links.unsubscribe, *args)
        note(self.runtime, connection, "in", "UNSUBSCRIBE", "done", " ".join(filters)[:512])
        connection.reply(packets.unsuback(packet_id))

    def _send_secret(self, connection: MqttConnection, qos: int) -> None:
        row = devices.find(self._platform, connection.device_id)
        if row is not None and row.get("secretUnconfirmed"):
            payload = encode(messages.secret(row["deviceId"], row["secret"]))
            topic = connection.topics.to[topics.SECRET]
            connection.reply(connection.publish(topic, payload, qos))
            note(self.runtime, connection, "out", "PUBLISH", "the device's secret", topic, payload)

    # --- packets out ---

    def answer(self, connection: MqttConnection, content: bytes) -> None:
        """Send bytes to a device once everything that has happened so far is kept."""
        if not connection.replies:
            self._answering.append(connection)
        connection.replies.append(content)
        self.schedule()

    def message(self, connection: MqttConnection, topic: str, payload: bytes, qos: int) -> None:
        """Send a device a message that is not a command."""
        connection.reply(connection.publish(topic, payload, qos))
        note(self.runtime, connection, "out", "PUBLISH", "by the control plane", topic, payload)

    def schedule(self) -> None:
        """Hand on, at the end of this pass of the loop, what has happened."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._hand_on)

    def _hand_on(self) -> None:
        self._scheduled = False
        self.runtime.noted()
        if self._links:
            self._take_out()
            self.runtime.noted()
        answering, self._answering = self._answering, []
        ready = [(connection, b"".join(connection.replies)) for connection in answering]
        for connection in answering:
            connection.replies.clear()
        if self.runtime.durable is None:
            _send(ready)
        else:
            self._unsent += ready
            self._more.set()

    async def _send_what_is_kept(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            ready, self._unsent = self._unsent, []
            try:
                await self.runtime.settled()
            except DataDirError as error:
                log.error("%s; no device gets an acknowledgement any more", error)
                for connection in self.connections:
                    connection.drop()
            else:
                _send(ready)

    def _outbox_changed(self, changes: list[Change]) -> None:
        waiting = {row["link"]: None for _, _, row in changes if row is not None and row["state"] == "waiting"}
        if waiting:
            self._links |= waiting
            self.schedule()

    def _take_out(self) -> None:
        """Take from the outbox what its links have room for."""
        wanted, self._links = self._links, {}
        for link_id in wanted:
            connection = self.sessions.get(link_id)
            if connection is None:
                continue
            for row in outbox.waiting(self._platform, link_id, max(0, WINDOW - len(connection.in_flight))):
                self._platform.work(outbox.sent, self._platform, row["seq"])
                self._send_command(connection, row)

    def _send_command(self, connection: MqttConnection, row: dict[str, Any]) -> None:
        by_gateway = row["deviceId"] != row["link"] or row["kind"] == "unbind"
        channel = topics.GATEWAY if by_gateway else connection.codec_name
        topic, qos = connection.topics.to[channel], connection.channels.get(channel, 1)
        try:
            form = messages.gateway_command(row) if by_gateway else messages.command(row)
            payload = codecs.encoded(codecs.JSON if by_gateway else connection.codec, form)
            content = connection.publish(topic, payload, qos, row["mid"])
        except ValueError as error:
            self._platform.hint(f"mqtt codec {connection.name}", f"MQTT: a command for {connection.name!r}: {error}")
            note(self.runtime, connection, "out", "PUBLISH", f"dropped: {error}", topic)
            return
        fault = self.faults.for_mqtt("COMMAND", (connection.device_id, connection.name), topic)
        connection.reply(content)
        if fault is not None:
            connection.reply(content)
        told, struck = f"command {row['mid']}", None if fault is None else fault.kind
        note(self.runtime, connection, "out", "PUBLISH", told, topic, payload, struck)

    def described(self) -> list[dict[str, Any]]:
        """Return the sessions as JSON objects."""
        return [
            {
                "deviceId": device_id,
                "name": each.name,
                "session": each.session,
                "since": each.since,
                "keepAlive": each.keep_alive,
                "channels": dict(each.channels),
                "inFlight": len(each.in_flight),
                "packetsIn": each.packets_in,
                "packetsOut": each.packets_out,
            }
            for device_id, each in self.sessions.items()
        ]


def _send(ready: list[tuple[MqttConnection, bytes]]) -> None:
    for connection, content in ready:
        connection.write(content)
