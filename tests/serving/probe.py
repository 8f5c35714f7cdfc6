"""A server's application, and the client's side of sockets, for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from dataclasses import replace
from typing import Any

from iot_northbound.serving import GuardedListener, Limits
from iot_northbound.serving.http import CONNECTION, GuardedServer
from tests.clock import eventually

PATIENT = Limits(
    header_deadline=3600,
    body_deadline=3600,
    write_deadline=3600,
    idle=3600,
    body_limit=10_000,
    linger=3600,
    stop_grace=60,
)
"""No deadline passes during a test, on the slowest machine either."""
AT_ONCE = 0.05
"""A deadline that a test waits for."""


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


def connect(server: GuardedListener, **deadlines: Any) -> socket.socket:
    """Connect; the server gives this connection such deadlines, and its usual ones to all others."""
    usual, others = server.limits, server.connections
    server.limits = replace(usual, **deadlines)
    peer = socket.create_connection(server.address, timeout=60)
    if deadlines:
        eventually(lambda: [each for each in server.connections if each not in others])
    server.limits = usual
    return peer


def hurry(server: GuardedListener, **deadlines: Any) -> None:
    """Give the open connections such deadlines, from their next step on."""
    for connection in server.connections:
        connection.limits = replace(connection.limits, **deadlines)


def is_open(peer: socket.socket) -> bool:
    """Whether the server has not closed it, as far as this side knows."""
    peer.setblocking(False)
    try:
        return peer.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        peer.settimeout(60)


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
