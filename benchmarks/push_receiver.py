"""An HTTPS receiver of pushes, as bare as it can be, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import ssl
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class _Listener(asyncio.Protocol):
    """Answers each POST with 200, and notes when which report came."""

    arrivals: list[tuple[str, int, float]] = []  # noqa: RUF012 - shared by all connections of this process

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            announced = _LENGTH.search(self.buffer, 0, end)
            size = end + 4 + (int(announced[1]) if announced else 0)
            if len(self.buffer) < size:
                return
            body, self.buffer = json.loads(self.buffer[end + 4 : size]), self.buffer[size:]
            self.arrivals.append((body["deviceId"], body["service"]["data"]["totalVolume"], time.monotonic()))
            self.transport.write(_ANSWER)


def _listen(home: Path, pipe: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(home / "server.pem", home / "server.key")
        server = await loop.create_server(_Listener, "127.0.0.1", 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            question = await loop.run_in_executor(None, pipe.recv)
            pipe.send(len(_Listener.arrivals) if question == "count" else _Listener.arrivals)

    import uvloop

    uvloop.run(serve())


class PushReceiver:
    """An HTTPS receiver in a process of its own."""

    def __init__(self, home: Path) -> None:
        self._pipe, its = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_listen, args=(home, its), daemon=True)
        self._process.start()
        self.port = self._pipe.recv()

    def ask(self, question: str) -> Any:
        """Return how many pushes came, or which."""
        self._pipe.send(question)
        return self._pipe.recv()

    def wait_for(self, count: int, seconds: float) -> float:
        """Wait until so many pushes came, and return how long it took."""
        started = time.monotonic()
        while self.ask("count") < count and time.monotonic() < started + seconds:
            time.sleep(0.02)
        return time.monotonic() - started

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
