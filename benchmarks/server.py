"""A bare server in a separate process: mutual TLS, kept alive, one fixed answer. As fast as asyncio can be."""

import asyncio
import contextlib
import json
import multiprocessing
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs

from benchmarks.measure import device
from iot_northbound.emulator.home import Home, prepare

TOKEN = {"accessToken": "a" * 32, "refreshToken": None, "tokenType": "bearer", "expiresIn": 3600, "scope": "default"}
CALL = "/iocm/app/dm/v1.4.0/devices/d-1"
"""The path of the fixed device."""


@attrs.frozen
class Bench:
    """A running server, and what a client needs to call it."""

    home: Home
    port: int

    @property
    def url(self) -> str:
        """The device's URL."""
        return f"https://127.0.0.1:{self.port}{CALL}"

    @property
    def cert(self) -> tuple[str, str]:
        """Certificate and key, in the form that requests expects."""
        return str(self.home.folder / "client.pem"), str(self.home.folder / "client.key")


class _Protocol(asyncio.Protocol):
    device = json.dumps(device(1)).encode()
    token = json.dumps(TOKEN).encode()
    buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            body = self.device if head.startswith(b"GET") else self.token
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


def _run(folder: Path, ready: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        context = prepare(folder).server_context()
        server = await loop.create_server(_Protocol, "127.0.0.1", 0, ssl=context, backlog=256)
        ready.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    try:
        import uvloop

        uvloop.run(serve())
    except ImportError:
        asyncio.run(serve())


@contextlib.contextmanager
def serve() -> Iterator[Bench]:
    """Run the server while the block runs."""
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        home = prepare(folder)
        mine, its = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(folder, its), daemon=True)
        process.start()
        try:
            yield Bench(home, mine.recv())
        finally:
            process.kill()
            process.join()
