"""A small MQTT server over TLS that does as a test says: it refuses, keeps silent, cuts, or sends what is not MQTT."""

import contextlib
import io
import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from tests.certs import LOOPBACK_NAMES, Authority
from tests.duplex import Duplex

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14


@attrs.frozen
class Login:
    client_id: str
    username: str
    password: str


class Broker:
    def __init__(self, folder: Path) -> None:
        authority = Authority()
        self.ca_path = folder / "broker-ca.pem"
        self.ca_path.write_bytes(authority.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("localhost", LOOPBACK_NAMES).write(folder, "scripted"))
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: dict[str, Duplex] = {}
        self.codes: list[int] = []
        """What the next logins are answered with; 0 if there is none."""
        self.raw: list[bytes] = []
        """What the next logins are answered with instead of a CONNACK; b"" for silence."""
        self.acknowledges = True
        self.grants = True
        self.logins: list[Login] = []
        self.goodbyes: list[str] = []
        self.reports: dict[str, list[dict[str, Any]]] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connected(self) -> int:
        return len(self._open)

    def values(self, device: str) -> list[Any]:
        """Return the numbers that a device has reported, as they came."""
        return [each["data"][0]["serviceData"]["n"] for each in self.sent(device, "deviceReq")]

    def answers(self, device: str) -> list[dict[str, Any]]:
        return self.sent(device, "deviceRsp")

    def sent(self, device: str, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.reports.get(device, []) if each["msgType"] == kind]

    def send(self, device: str, payload: bytes, *, times: int = 1) -> None:
        topic = f"/huawei/v1/devices/{device}/command/json".encode()
        body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", 7) + payload
        self._open[device].sendall((b"\x32" + _length(len(body)) + body) * times)

    def cut(self) -> None:
        with self._lock:
            for each in self._open.values():
                with contextlib.suppress(OSError):
                    each.cut()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        device = ""
        try:
            with self._context.wrap_socket(plain, server_side=True) as tls:
                sock = Duplex(tls)
                for kind, flags, body in _packets(sock):
                    if kind == CONNECT:
                        device = self._login(sock, body)
                    elif kind == SUBSCRIBE:
                        sock.sendall(b"\x90\x03" + body[:2] + (b"\x01" if self.grants else b"\x80"))
                    elif kind == PUBLISH:
                        self._take(sock, device, flags, body)
                    elif kind == PINGREQ:
                        sock.sendall(b"\xd0\x00")
                    elif kind == DISCONNECT:
                        self.goodbyes.append(device)
                        return
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.pop(device, None)

    def _login(self, sock: Duplex, body: bytes) -> str:
        texts, place = [], 10
        while place < len(body):
            size = struct.unpack_from("!H", body, place)[0]
            texts.append(body[place + 2 : place + 2 + size].decode())
            place += 2 + size
        login = Login(*texts)
        with self._lock:
            self.logins.append(login)
            raw = self.raw.pop(0) if self.raw else None
            code = self.codes.pop(0) if self.codes else 0
            if raw is None and code == 0:
                self._open[login.username] = sock
        sock.sendall(bytes([0x20, 2, 0, code]) if raw is None else raw)
        return login.username

    def _take(self, sock: Duplex, device: str, flags: int, body: bytes) -> None:
        size = struct.unpack_from("!H", body)[0]
        self.reports.setdefault(device, []).append(json.loads(body[2 + size + (2 if flags & 6 else 0) :]))
        if self.acknowledges and flags & 6:
            sock.sendall(b"\x40\x02" + body[2 + size : 4 + size])


def _packets(sock: Duplex) -> Iterator[tuple[int, int, bytes]]:
    stream = io.BufferedReader(sock)

    def take(size: int) -> bytes:
        found = stream.read(size)
        if len(found) < size:
            raise ConnectionError
        return found

    while True:
        first = take(1)[0]
        length = shift = 0
        while True:
            byte = take(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        yield first >> 4, first & 15, take(length)


def _length(size: int) -> bytes:
    found = bytearray()
    while True:
        size, byte = divmod(size, 128)
        found.append(byte | (128 if size else 0))
        if not size:
            return bytes(found)
