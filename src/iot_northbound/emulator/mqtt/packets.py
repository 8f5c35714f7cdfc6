"""The packets of MQTT 3.1.1 and 3.1 as a server needs them: bytes to values and back, without I/O.

A packet is read completely before anything is done with it. What breaks the protocol raises `ProtocolError`; MQTT has
no answer to it but the end of the connection.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 10, 12, 14
NAMES = {
    CONNECT: "CONNECT",
    PUBLISH: "PUBLISH",
    PUBACK: "PUBACK",
    SUBSCRIBE: "SUBSCRIBE",
    UNSUBSCRIBE: "UNSUBSCRIBE",
    PINGREQ: "PINGREQ",
    DISCONNECT: "DISCONNECT",
}
"""The packets that a device may send. QoS 2, which has others, is not supported."""

PINGRESP = b"\xd0\x00"
REFUSED = 0x80
"""In a SUBACK: no such subscription."""
VERSIONS = {("MQTT", 4), ("MQIsdp", 3)}
"""MQTT 3.1.1, and 3.1, which the vendor's AgentLite library speaks (seen in the field)."""
_SHORT = Struct(">H")
_LONGEST = 268_435_455


class ProtocolError(ValueError):
    """Raised when a peer breaks the protocol; the text says how."""


class Packets:
    """Cuts received bytes into packets.

    Attributes:
        limit: The longest packet, without its first bytes, that the peer may send now.
    """

    __slots__ = ("_at", "_data", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._data: bytes | bytearray = b""
        self._at = 0

    def __bool__(self) -> bool:
        """Whether there are bytes of a packet."""
        return len(self._data) > self._at

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        rest = len(self._data) - self._at
        if not rest:
            self._data, self._at = data, 0
            return
        if type(self._data) is not bytearray:
            self._data, self._at = bytearray(memoryview(self._data)[self._at :]), 0
        elif self._at:
            del self._data[: self._at]
            self._at = 0
        self._data += data

    def take(self) -> tuple[int, bytes] | None:
        """Return the next packet's first byte and its content, or None if it is not complete yet.

        Raises:
            ProtocolError: It is too long, or its length is not written as a length.
        """
        data, at = self._data, self._at
        have = len(data)
        if have - at < 2:
            if have == at:
                self._data, self._at = b"", 0
            return None
        length, start = data[at + 1], at + 2
        if length & 0x80:
            length, shift = length & 0x7F, 7
            while True:
                if start == have:
                    return None
                byte = data[start]
                start += 1
                length |= (byte & 0x7F) << shift
                if not byte & 0x80:
                    break
                shift += 7
                if shift == 28:
                    raise ProtocolError("a packet's length takes five bytes")
        if length > self.limit:
            raise ProtocolError(f"a packet has {length} bytes; at most {self.limit} are allowed here")
        end = start + length
        if end > have:
            return None
        self._at = end
        content = data[start:end]
        return data[at], content if type(content) is bytes else bytes(content)


class Connect(NamedTuple):
    """A CONNECT. With an unknown version, only `version` has a meaning."""

    version: tuple[str, int]
    clean: bool = True
    keep_alive: int = 0
    client_id: str = ""
    user_name: str | None = None
    password: bytes | None = None
    has_will: bool = False

    def __repr__(self) -> str:
        return f"Connect({self.version}, client_id={self.client_id!r}, user_name={self.user_name!r}, password=…)"


class Publish(NamedTuple):
    """A PUBLISH. Without QoS, `packet_id` is 0."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    duplicate: bool
    retain: bool


def read_connect(first: int, body: bytes) -> Connect:
    """Return a CONNECT.

    Raises:
        ProtocolError: It is none.
    """
    _fixed_flags(first, 0)
    name, at = _text(body, 0, "protocol name")
    if at >= len(body):
        raise ProtocolError("CONNECT ends before the protocol level")
    version = (name, body[at])
    if version not in VERSIONS:
        return Connect(version)
    if at + 4 > len(body):
        raise ProtocolError("CONNECT ends before the keep-alive")
    flags, keep_alive = body[at + 1], _SHORT.unpack_from(body, at + 2)[0]
    has_will, will_qos = bool(flags & 0x04), flags >> 3 & 3
    if flags & 0x01:
        raise ProtocolError("CONNECT has a reserved flag")
    if will_qos == 3 or (not has_will and flags & 0x38):
        raise ProtocolError("CONNECT has flags of a will that do not fit together")
    if flags & 0x40 and not flags & 0x80:
        raise ProtocolError("CONNECT has a password and no user name")
    client_id, at = _text(body, at + 4, "client id")
    if has_will:
        _, at = _text(body, at, "will topic")
        _, at = _binary(body, at, "will message")
    user_name = password = None
    if flags & 0x80:
        user_name, at = _text(body, at, "user name")
    if flags & 0x40:
        password, at = _binary(body, at, "password")
    _end(body, at, "CONNECT")
    return Connect(version, bool(flags & 0x02), keep_alive, client_id, user_name, password, has_will)


def read_publish(first: int, body: bytes) -> Publish:
    """Return a PUBLISH.

    Raises:
        ProtocolError: It is none that this server takes.
    """
    qos = first >> 1 & 3
    size = len(body)
    if size < 2:
        raise ProtocolError("PUBLISH ends before its topic")
    at = 2 + (body[0] << 8 | body[1])
    if at > size:
        raise ProtocolError("PUBLISH ends within its topic")
    topic = _utf8(body[2:at], "topic")
    if not topic:
        raise ProtocolError("PUBLISH has an empty topic")
    if "#" in topic or "+" in topic:
        raise ProtocolError("PUBLISH has a wildcard in its topic")
    if not qos:
        if first & 0x08:
            raise ProtocolError("PUBLISH with QoS 0 has the flag DUP")
        return Publish(topic, body[at:], 0, 0, False, bool(first & 1))
    if qos > 1:
        raise ProtocolError("PUBLISH with QoS 2 is not supported" if qos == 2 else "PUBLISH has both flags of QoS")
    if at + 2 > size:
        raise ProtocolError("PUBLISH ends within its packet id")
    packet_id = body[at] << 8 | body[at + 1]
    if not packet_id:
        raise ProtocolError("PUBLISH has the packet id 0")
    return Publish(topic, body[at + 2 :], 1, packet_id, bool(first & 8), bool(first & 1))


def read_puback(first: int, body: bytes) -> int:
    """Return the packet id of a PUBACK.

    Raises:
        ProtocolError: It is none.
    """
    _fixed_flags(first, 0)
    if len(body) != 2:
        raise ProtocolError("PUBACK has no packet id, or more than that")
    return _packet_id(body)


def read_subscribe(first: int, body: bytes) -> tuple[int, list[tuple[str, int]]]:
    """Return the packet id of a SUBSCRIBE, and its topic filters with the QoS that is asked for.

    Raises:
        ProtocolError: It is none.
    """
    _fixed_flags(first, 2)
    packet_id, at, wanted = _packet_id(body), 2, []
    while at < len(body):
        topic, at = _text(body, at, "topic filter")
        if not topic or at == len(body) or body[at] > 2:
            raise ProtocolError("SUBSCRIBE has an empty topic filter, or one without a QoS from 0 to 2")
        wanted.append((topic, body[at]))
        at += 1
    if not wanted:
        raise ProtocolError("SUBSCRIBE has no topic filter")
    return packet_id, wanted


def read_unsubscribe(first: int, body: bytes) -> tuple[int, list[str]]:
    """Return the packet id of an UNSUBSCRIBE, and its topic filters.

    Raises:
        ProtocolError: It is none.
    """
    _fixed_flags(first, 2)
    packet_id, at, filters = _packet_id(body), 2, []
    while at < len(body):
        topic, at = _text(body, at, "topic filter")
        if not topic:
            raise ProtocolError("UNSUBSCRIBE has an empty topic filter")
        filters.append(topic)
    if not filters:
        raise ProtocolError("UNSUBSCRIBE has no topic filter")
    return packet_id, filters


def read_empty(first: int, body: bytes) -> None:
    """Check a PINGREQ or DISCONNECT, which has no content.

    Raises:
        ProtocolError: It has some.
    """
    _fixed_flags(first, 0)
    _end(body, 0, NAMES[first >> 4])


def connack(code: int) -> bytes:
    """Return a CONNACK without a session."""
    return bytes((0x20, 2, 0, code))


def puback(packet_id: int) -> bytes:
    """Return a PUBACK."""
    return b"\x40\x02" + _SHORT.pack(packet_id)


def suback(packet_id: int, codes: list[int]) -> bytes:
    """Return a SUBACK with a code for each topic filter: the granted QoS, or REFUSED."""
    return _packet(0x90, _SHORT.pack(packet_id) + bytes(codes))


def unsuback(packet_id: int) -> bytes:
    """Return an UNSUBACK."""
    return b"\xb0\x02" + _SHORT.pack(packet_id)


def publish(topic: str, payload: bytes, packet_id: int = 0) -> bytes:
    """Return a PUBLISH: with QoS 1 if it has a packet id, else with QoS 0.

    Raises:
        ValueError: Topic or payload are too long for a packet.
    """
    name = topic.encode()
    if len(name) > 0xFFFF:
        raise ValueError("a topic has at most 65,535 bytes")
    mark = _SHORT.pack(packet_id) if packet_id else b""
    return _packet(0x32 if packet_id else 0x30, b"".join((_SHORT.pack(len(name)), name, mark, payload)))


def _packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((first,))
    if length > _LONGEST:
        raise ValueError(f"a packet has at most {_LONGEST:,} bytes")
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + body


def _fixed_flags(first: int, flags: int) -> None:
    if first & 0x0F != flags:
        raise ProtocolError(f"{NAMES[first >> 4]} has reserved flags")


def _packet_id(body: bytes) -> int:
    if len(body) < 2 or body[:2] == b"\0\0":
        raise ProtocolError("a packet has no packet id, or 0")
    return body[0] << 8 | body[1]


def _binary(body: bytes, at: int, what: str) -> tuple[bytes, int]:
    end = at + 2
    if end <= len(body):
        end += body[at] << 8 | body[at + 1]
    if end > len(body):
        raise ProtocolError(f"a packet ends within its {what}")
    return body[at + 2 : end], end


def _text(body: bytes, at: int, what: str) -> tuple[str, int]:
    raw, end = _binary(body, at, what)
    return _utf8(raw, what), end


def _utf8(raw: bytes, what: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"the {what} is not UTF-8") from None
    if "\0" in text:
        raise ProtocolError(f"the {what} has a NUL")
    return text


def _end(body: bytes, at: int, what: str) -> None:
    if at != len(body):
        raise ProtocolError(f"{what} has {len(body) - at} bytes too many")
