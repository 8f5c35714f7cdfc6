"""A light load generator in a separate process: kept-alive connections over mutual TLS, raw bytes, uvloop.

Each connection sends its next request once the answer is complete, or after a pause, for a fixed time. It reads only
the status and the length of an answer, so that the server is measured and not the generator.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Spans:
    """The result of a load; times in milliseconds."""

    calls: int
    seconds: float
    p50: float
    p99: float
    worst: float
    own_cpu: float
    """CPU seconds that the generator itself needed, of `seconds`."""

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f} ms, p99 {self.p99:.2f} ms"


def generate(
    home: Path,
    port: int,
    messages: Sequence[bytes],
    *,
    connections: int = 1,
    seconds: float = 3.0,
    pause: float = 0.0,
) -> Spans:
    """Put a load on a server and return the result. It ends at the first answer that is not 2xx.

    Args:
        home: Folder with ca.pem, client.pem and client.key.
        port: Where the server listens on 127.0.0.1.
        messages: Whole requests; each connection sends them in turn.
        connections: How many there are.
        seconds: How long.
        pause: Seconds between an answer and the connection's next request.
    """
    task = {
        "home": str(home),
        "port": port,
        "messages": [message.decode("latin-1") for message in messages],
        "connections": connections,
        "seconds": seconds,
        "pause": pause,
    }
    command = [sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Spans(**json.loads(done.stdout))


class _Connection(asyncio.Protocol):
    def __init__(self, messages: list[bytes], first: int, end: float, pause: float, spans: list[float]) -> None:
        self.messages, self.next, self.end, self.pause, self.spans = messages, first, end, pause, spans
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.head = b""
        self.missing = -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.started = time.perf_counter()
        if self.started >= self.end:
            self.transport.close()
            return
        self.transport.write(self.messages[self.next % len(self.messages)])
        self.next += 1

    def data_received(self, data: bytes) -> None:
        if self.missing < 0:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            if self.head[9:10] != b"2":
                self.done.set_exception(RuntimeError(self.head[:400].decode("latin-1")))
                self.transport.abort()
                return
            announced = _LENGTH.search(self.head, 0, end)
            self.missing = (int(announced[1]) if announced else 0) - (len(self.head) - end - 4)
        else:
            self.missing -= len(data)
        if self.missing == 0:
            self.spans.append(time.perf_counter() - self.started)
            self.head, self.missing = b"", -1
            if self.pause:
                self.loop.call_later(self.pause, self.send)
            else:
                self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None and time.perf_counter() >= self.end:
            self.done.set_result(None)
        else:
            self.done.set_exception(RuntimeError(f"the server closed a connection: {error}"))


async def _run(task: dict[str, Any]) -> dict[str, Any]:
    home = Path(task["home"])
    context = ssl.create_default_context(cafile=str(home / "ca.pem"))
    context.load_cert_chain(home / "client.pem", home / "client.key")
    messages = [message.encode("latin-1") for message in task["messages"]]
    loop = asyncio.get_running_loop()
    spans: list[float] = []
    started = time.perf_counter()
    own = resource.getrusage(resource.RUSAGE_SELF)
    end = started + task["seconds"]
    step = max(1, len(messages) // task["connections"])

    async def one(first: int) -> None:
        _, connection = await loop.create_connection(
            lambda: _Connection(messages, first * step, end, task["pause"], spans),
            "127.0.0.1",
            task["port"],
            ssl=context,
            server_hostname="localhost",
        )
        await connection.done

    await asyncio.gather(*[one(number) for number in range(task["connections"])])
    used = resource.getrusage(resource.RUSAGE_SELF)
    ordered = sorted(spans)
    return {
        "calls": len(ordered),
        "seconds": time.perf_counter() - started,
        "p50": ordered[len(ordered) // 2] * 1e3,
        "p99": ordered[len(ordered) * 99 // 100] * 1e3,
        "worst": ordered[-1] * 1e3,
        "own_cpu": used.ru_utime + used.ru_stime - own.ru_utime - own.ru_stime,
    }


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(_run(json.load(sys.stdin)))))
