"""A device's side of MQTT, written for these tests: packets, passwords, and a connection over TLS."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import struct
from datetime import UTC, datetime
from typing import Any, NamedTuple

from iot_northbound.emulator import Emulator
from tests.emulator.conftest import Wire

GATEWAY = "home-gateway-mqtt"


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(raw)) + raw


def packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray([first])
    while True:
        head.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes(head) + body


def connect(
    client_id: str,
    user: str | None = None,
    password: str | bytes | None = None,
    *,
    keep_alive: int = 60,
    clean: bool = True,
    name: str = "MQTT",
    level: int = 4,
    will: tuple[str, bytes] | None = None,
) -> bytes:
    flags = (2 if clean else 0) | (4 if will else 0) | (0x80 if user is not None else 0)
    flags |= 0x40 if password is not None else 0
    body = text(name) + bytes([level, flags]) + struct.pack(">H", keep_alive) + text(client_id)
    if will:
        body += text(will[0]) + text(will[1])
    return packet(0x10, body + b"".join(text(each) for each in (user, password) if each is not None))


def publish(topic: str | bytes, payload: bytes, packet_id: int = 0, *, flags: int = 0) -> bytes:
    mark = struct.pack(">H", packet_id) if packet_id else b""
    return packet(0x30 | (2 if packet_id else 0) | flags, text(topic) + mark + payload)


def subscribe(packet_id: int, *wanted: tuple[str, int]) -> bytes:
    return packet(0x82, struct.pack(">H", packet_id) + b"".join(text(topic) + bytes([qos]) for topic, qos in wanted))


def unsubscribe(packet_id: int, *topics: str) -> bytes:
    return packet(0xA2, struct.pack(">H", packet_id) + b"".join(text(topic) for topic in topics))


def puback(packet_id: int) -> bytes:
    return b"\x40\x02" + struct.pack(">H", packet_id)


PINGREQ, PINGRESP, DISCONNECT = b"\xc0\x00", b"\xd0\x00", b"\xe0\x00"


def stamp_now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H")


def password(secret: str, stamp: str) -> str:
    return hmac.new(stamp.encode(), secret.encode(), hashlib.sha256).hexdigest()


class Device(NamedTuple):
    """A registered device."""

    device_id: str
    node_id: str
    secret: str

    def connect(self, *, by_node: bool = False, sign: int = 0, stamp: str = "2018072417", **more: Any) -> bytes:
        own = self.node_id if by_node else self.device_id
        kind = 2 if by_node else 0
        return connect(f"{own}_{kind}_{sign}_{stamp}", own, password(self.secret, stamp), **more)

    @property
    def data(self) -> str:
        return f"/huawei/v1/devices/{self.device_id}/data/json"

    @property
    def command(self) -> str:
        return f"/huawei/v1/devices/{self.device_id}/command/json"

    def report(self, packet_id: int, *entries: dict[str, Any], flags: int = 0) -> bytes:
        return publish(self.data, message(*entries), packet_id, flags=flags)


def message(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"msgType": "deviceReq", "data": entries or [entry()]}).encode()


def entry(value: int = 1, **more: Any) -> dict[str, Any]:
    return {"serviceId": "Gateway", "serviceData": {"signalStrength": value}, **more}


def register(wire: Wire, node_id: str = "gw-1", **more: Any) -> Device:
    body = {"deviceInfo": {"nodeId": node_id}, "productId": GATEWAY, **more}
    status, answer = wire.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", body)
    assert status == 200, answer
    return Device(answer["deviceId"], node_id, answer["secret"])


class Peer:
    """A raw connection to the port; `recv` returns whole packets."""

    def __init__(self, emulator: Emulator, timeout: float = 10) -> None:
        context = ssl.create_default_context(cafile=str(emulator.device_ca))
        raw = socket.create_connection(emulator.mqtt_address, timeout=timeout)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self._data = b""

    def send(self, *content: bytes) -> Peer:
        self.socket.sendall(b"".join(content))
        return self

    def recv(self) -> bytes:
        """Return the next packet; empty at the end of the connection."""
        while True:
            if len(self._data) >= 2 and self._data[1] < 0x80 and len(self._data) >= 2 + self._data[1]:
                end = 2 + self._data[1]
                found, self._data = self._data[:end], self._data[end:]
                return found
            if len(self._data) >= 3 and self._data[1] >= 0x80:
                length = (self._data[1] & 0x7F) | self._data[2] << 7
                if len(self._data) >= 3 + length:
                    found, self._data = self._data[: 3 + length], self._data[3 + length :]
                    return found
            try:
                more = self.socket.recv(65_536)
            except (ConnectionError, ssl.SSLError) as error:
                if isinstance(error, TimeoutError):
                    raise
                return b""
            if not more:
                return b""
            self._data += more

    def ask(self, *content: bytes) -> bytes:
        return self.send(*content).recv()

    def command(self) -> tuple[str, int, dict[str, Any]]:
        """Return the next message: its topic, its packet id (0 with QoS 0), and its JSON."""
        found = self.recv()
        assert found[0] & 0xF0 == 0x30, found
        body = found[2:] if found[1] < 0x80 else found[3:]
        at = 2 + struct.unpack(">H", body[:2])[0]
        topic, packet_id = body[2:at].decode(), 0
        if found[0] & 2:
            packet_id, at = struct.unpack(">H", body[at : at + 2])[0], at + 2
        return topic, packet_id, json.loads(body[at:])

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


ACCEPTED = b"\x20\x02\x00\x00"


def refused(code: int) -> bytes:
    return bytes([0x20, 2, 0, code])


def acknowledged(packet_id: int) -> bytes:
    return b"\x40\x02" + struct.pack(">H", packet_id)
