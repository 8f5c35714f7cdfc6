"""Receiving over kept-alive TLS: our receiver, a plain Flask view that stores messages, and the vendor's way.

Each server runs in a separate process on loopback, and so does the load. There are two figures per server: messages per
second as fast as the connections can send (closed loop), and the latency of answers at a fixed rate, counted from the
time when a message was due (open loop), so that the figure shows if a server falls behind.

    python -m benchmarks.receiver            # the comparison
    python -m benchmarks.receiver crash      # 100,000 messages, the receiver killed every few seconds
"""

import asyncio
import collections
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs

from iot_northbound.emulator.home import prepare
from iot_northbound.testing.messages import push_body

ROUTE = "/v1.0.0/messageReceiver"
CONNECTIONS = 32
RATE = 2_000
SIDES = {
    "ours": "iot-northbound, SQLite inbox",
    "flask": "Flask view, INSERT and COMMIT (same pragmas)",
    "vendor": "the vendor's way: handle in the request, keep nothing",
}


# -- the servers -----------------------------------------------------------------------------------------------------


def serve(side: str, home: Path, folder: Path) -> None:
    """Serve in the foreground; print the port first."""
    context = prepare(home).server_context()
    if side == "ours":
        _serve_ours(context, folder)
    else:
        _serve_flask(context, folder, stores=side == "flask")


def _handle(body: Any) -> None:
    """A substitute for an application's handler: it looks at the message, and does no I/O."""
    if body.device_id is None or body.service.data is None:
        raise ValueError("incomplete")


def _serve_ours(context: ssl.SSLContext, folder: Path) -> None:
    from iot_northbound.dto import NotifyDeviceDataChangedDTO
    from iot_northbound.push import PushMessageReceiver, SqliteInbox

    receiver = PushMessageReceiver(SqliteInbox(folder / "inbox.sqlite3"))
    receiver.on(NotifyDeviceDataChangedDTO)(_handle)
    server = receiver.server("127.0.0.1", 0, ssl=context)
    server.serve_forever(lambda: print(server.address[1], flush=True))
    metrics = receiver.metrics()
    print(f"handled {metrics.handled} of {metrics.accepted}", flush=True)


def _serve_flask(context: ssl.SSLContext, folder: Path, *, stores: bool) -> None:
    import json
    import sqlite3
    import threading
    import warnings

    import flask

    from iot_northbound.core.wire import structure
    from iot_northbound.dto import NotifyDeviceDataChangedDTO
    from iot_northbound.serving.http import GuardedServer

    warnings.simplefilter("ignore", DeprecationWarning)
    from uvicorn.middleware.wsgi import WSGIMiddleware

    app = flask.Flask("peer")
    local = threading.local()
    path = folder / "peer.sqlite3"

    def connection() -> sqlite3.Connection:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(path, isolation_level=None, timeout=30)
            local.connection.execute("PRAGMA journal_mode = WAL")
            local.connection.execute("PRAGMA synchronous = FULL")
        return local.connection  # type: ignore[no-any-return]  # set above

    connection().execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, received_at REAL, body BLOB)")

    @app.post(ROUTE)
    def receive() -> str:
        body = flask.request.get_data()
        raw = json.loads(body)
        if stores:
            connection().execute("INSERT INTO messages (received_at, body) VALUES (?, ?)", (time.time(), body))
        elif raw["notifyType"] == "deviceDataChanged":
            _handle(structure(raw, NotifyDeviceDataChangedDTO))
        return "ok"

    # On the same server as our receiver, with a pool of threads: Flask's own closes each connection after its answer.
    server = GuardedServer(WSGIMiddleware(app, workers=8), "127.0.0.1", 0, ssl_context=context)
    server.serve_forever(lambda: print(server.address[1], flush=True))


# -- the load --------------------------------------------------------------------------------------------------------


class Sender(asyncio.Protocol):
    """One kept-alive connection: it posts a message and waits for the complete answer."""

    def __init__(self) -> None:
        self.transport: Any = None
        self._answer: asyncio.Future[int] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
        if len(body) >= length and self._answer is not None:
            self._buffer = b""
            self._answer.set_result(int(head[9:12]))
            self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    async def post(self, body: bytes) -> int:
        head = f"POST {ROUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return await self._answer


@attrs.frozen
class Figures:
    rate: float
    median: float
    p99: float
    worst: float
    refused: int


def _body(number: int) -> bytes:
    return push_body("deviceDataChanged", deviceId=f"device-{number % 500}", requestId=f"request-{number}")


async def _load(port: int, ca: Path, fast: int, paced: int) -> Figures:
    context = ssl.create_default_context(cafile=ca)
    home = ca.parent
    context.load_cert_chain(home / "client.pem", home / "client.key")
    loop = asyncio.get_running_loop()
    senders = [
        (await loop.create_connection(Sender, "127.0.0.1", port, ssl=context, server_hostname="localhost"))[1]
        for _ in range(CONNECTIONS)
    ]
    refused = 0
    bodies = iter([_body(number) for number in range(fast)])

    async def flat_out(sender: Sender) -> None:
        nonlocal refused
        for body in bodies:
            refused += await sender.post(body) != 200

    started = time.perf_counter()
    await asyncio.gather(*[flat_out(sender) for sender in senders])
    rate = fast / (time.perf_counter() - started)
    free = collections.deque(senders)
    freed = asyncio.Event()
    waits: list[float] = []
    tasks = set()

    async def one(sender: Sender, body: bytes, due: float) -> None:
        nonlocal refused
        refused += await sender.post(body) != 200
        waits.append(loop.time() - due)
        free.append(sender)
        freed.set()

    paced_bodies = [_body(fast + number) for number in range(paced)]
    begin = loop.time() + 0.5
    for number, body in enumerate(paced_bodies):
        due = begin + number / RATE
        if (delay := due - loop.time()) > 0:
            await asyncio.sleep(delay)
        while not free:
            freed.clear()
            await freed.wait()
        task = loop.create_task(one(free.popleft(), body, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    for sender in senders:
        sender.transport.close()
    waits.sort()
    return Figures(rate, waits[len(waits) // 2], waits[int(len(waits) * 0.99)], waits[-1], refused)


def measure(side: str, home: Path, fast: int, paced: int) -> Figures:
    """Run one server under load."""
    import uvloop

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.receiver", "serve", side, str(home), folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    figures = runner.run(_load(port, home / "ca.pem", fast, paced))
            finally:
                server.terminate()
            if side == "ours":
                print(f"    ({server.stdout.read().strip()})")
    return figures


def main(fast: int = 20_000, paced: int = 20_000) -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        prepare(home)
        print(f"receiving over TLS, {CONNECTIONS} connections kept alive; latency at {RATE:,} messages per second")
        for side, name in SIDES.items():
            each = measure(side, home, fast if side == "ours" else fast // 2, paced if side == "ours" else paced // 2)
            print(
                f"  {name:54} {each.rate:7,.0f}/s   median {each.median * 1e3:8.1f} ms   p99 {each.p99 * 1e3:8.1f} ms"
                f"   worst {each.worst * 1e3:8.1f} ms   refused {each.refused}"
            )


def crash() -> None:
    """Print the outcome of 100,000 messages."""
    from tests.push.crash import crash as run

    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), messages=100_000, every=8_000, senders=16)
    print("100,000 messages; the receiver is killed with SIGKILL after every 8,000 handled messages")
    for field in attrs.fields(type(outcome)):
        print(f"  {field.name:14} {getattr(outcome, field.name):10,.6g}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", side, home, folder]:
            serve(side, Path(home), Path(folder))
        case ["crash"]:
            crash()
        case _:
            main()
