"""A server's application, and the client's side of sockets, for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

from iot_northbound.serving import Limits
from iot_northbound.serving.http import CONNECTION, GuardedServer

QUICK = Limits(
    header_deadline=0.4, body_deadline=0.4, write_deadline=0.4, idle=0.6, body_limit=10_000, linger=0.2, stop_grace=3.0
)


class Probe:
    """An application that returns the size of the body, or does what the path says."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.holds = threading.Semaphore(0)
        self.release = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        if scope["path"] == "/hold":
            self.entered.set()
            self.holds.release()
            while not self.release.is_set():
                await asyncio.sleep(0.005)
        if scope["path"] == "/reset":
            scope["extensions"][CONNECTION].reset()
            return
        if scope["path"] == "/raw":
            transport = scope["extensions"][CONNECTION].hijack()
            transport.write(b"not http at all")
            transport.close()
            return
        answer = b"x" * 60_000_000 if scope["path"] == "/flood" else None
        if answer is None:
            tls = scope["extensions"].get("tls") or {}
            answer = json.dumps({"size": len(body), "name": tls.get("client_cert_name"), "tls": sorted(tls)}).encode()
        headers = [(b"content-length", str(len(answer)).encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def connect(server: GuardedServer) -> socket.socket:
    return socket.create_connection(server.address, timeout=5)


def request(path: str = "/", body: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


def read_all(peer: socket.socket) -> bytes:
    parts = []
    while part := peer.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def read_answer(peer: socket.socket) -> tuple[int, bytes]:
    text = b""
    while b"\r\n\r\n" not in text:
        part = peer.recv(65_536)
        assert part, f"closed after {text!r}"
        text += part
    head, _, body = text.partition(b"\r\n\r\n")
    length = int(
        next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
    )
    while len(body) < length:
        body += peer.recv(65_536)
    return int(head.split()[1]), body


def works(server: GuardedServer) -> bool:
    with connect(server) as peer:
        peer.sendall(request(body=b"abc"))
        status, body = read_answer(peer)
    return status == 200 and json.loads(body)["size"] == 3
