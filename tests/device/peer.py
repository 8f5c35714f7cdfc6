"""A platform that does what a test says: raw MQTT 3.1.1 packets over real TLS."""

import contextlib
import io
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from tests.certs import LOOPBACK_NAMES, Authority, server_context
from tests.duplex import Duplex

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14


@attrs.frozen
class Login:
    """What a CONNECT said."""

    client_id: str
    username: str
    password: str
    keepalive: int
    level: int
    flags: int


@attrs.frozen
class Published:
    """What a PUBLISH said; `connection` counts from 0."""

    topic: str
    payload: bytes
    qos: int
    connection: int


@attrs.define
class Rules:
    """How the peer behaves; tests change it at any time."""

    codes: list[int] = attrs.field(factory=list)
    """CONNACK codes of the next logins; when there is none left, 0."""
    suback: int | None = 1
    """What SUBACK grants; None: it never comes."""
    acknowledges: bool = True
    forgets: bytes | None = None
    """It never acknowledges messages that contain this."""
    answers_login: bool = True
    greeting: bytes | None = None
    """Sent in place of a CONNACK."""


class Peer:
    """It listens on loopback. `logins`, `published`, `subscribed` and `left` say what came."""

    def __init__(self, folder: Path, ca: Authority | None = None) -> None:
        self.ca = ca or Authority()
        self.ca_path = folder / "peer-ca.pem"
        self.ca_path.write_bytes(self.ca.pem)
        self._context = server_context(self.ca.issue("localhost", LOOPBACK_NAMES), None, folder)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.rules = Rules()
        self.logins: list[Login] = []
        self.published: list[Published] = []
        self.subscribed: list[list[str]] = []
        self.acknowledged: list[int] = []
        self.left = 0
        """How many connections ended with DISCONNECT."""
        self.connections: list[Duplex] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._next = 0

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(60)

    def cut(self) -> None:
        """End every connection, without a word."""
        for each in self.connections:
            with contextlib.suppress(OSError):
                each.cut()

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Send a message over the newest connection."""
        name = topic.encode()
        self._next += 1
        number = self._next.to_bytes(2) if qos else b""
        self.connections[-1].sendall(_packet(PUBLISH, qos << 1, len(name).to_bytes(2) + name + number + payload))

    def raw(self, data: bytes) -> None:
        """Send bytes over the newest connection."""
        self.connections[-1].sendall(data)

    def _start(self, work: Any, *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, raw)

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(60)
        with contextlib.suppress(OSError, EOFError), self._context.wrap_socket(raw, server_side=True) as tls:
            number, connection = len(self.connections), Duplex(tls)
            self.connections.append(connection)
            stream = io.BufferedReader(connection)
            while self._handle(connection, number, *_read(stream)):
                pass

    def _handle(self, connection: Duplex, number: int, kind: int, flags: int, body: bytes) -> bool:
        rules = self.rules
        if kind == CONNECT:
            self.logins.append(_login(body))
            if rules.greeting is not None:
                connection.sendall(rules.greeting)
            elif rules.answers_login:
                code = rules.codes.pop(0) if rules.codes else 0
                connection.sendall(_packet(CONNACK, 0, bytes((0, code))))
                return code == 0
        elif kind == SUBSCRIBE:
            topics, rest = [], body[2:]
            while rest:
                topic, rest = _text(rest)
                topics.append(topic)
                rest = rest[1:]
            self.subscribed.append(topics)
            if rules.suback is not None:
                connection.sendall(_packet(SUBACK, 0, body[:2] + bytes((rules.suback,)) * len(topics)))
        elif kind == PUBLISH:
            qos = flags >> 1 & 3
            topic, rest = _text(body)
            forgotten = rules.forgets is not None and rules.forgets in rest
            acknowledges = qos and rules.acknowledges and not forgotten  # decided before a test sees the message
            self.published.append(Published(topic, rest[2 if qos else 0 :], qos, number))
            if acknowledges:
                connection.sendall(_packet(PUBACK, 0, rest[:2]))
        elif kind == PUBACK:
            self.acknowledged.append(int.from_bytes(body))
        elif kind == PINGREQ:
            connection.sendall(_packet(PINGRESP, 0, b""))
        elif kind == DISCONNECT:
            self.left += 1
            return False
        return True


def _packet(kind: int, flags: int, body: bytes) -> bytes:
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes((digit | (128 if size else 0),))
        if not size:
            return bytes((kind << 4 | flags,)) + length + body


def _read(stream: Any) -> tuple[int, int, bytes]:
    first = stream.read(1)
    if not first:
        raise EOFError
    size = shift = 0
    while True:
        (digit,) = stream.read(1)
        size |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return first[0] >> 4, first[0] & 15, stream.read(size)


def _text(data: bytes) -> tuple[str, bytes]:
    end = 2 + int.from_bytes(data[:2])
    return data[2:end].decode(), data[end:]


def _login(body: bytes) -> Login:
    _, rest = _text(body)
    level, flags, keepalive = rest[0], rest[1], int.from_bytes(rest[2:4])
    client_id, rest = _text(rest[4:])
    username, rest = _text(rest)
    password, _ = _text(rest)
    return Login(client_id, username, password, keepalive, level, flags)
