"""The one guarded ASGI server under the receiver and the emulator.

uvicorn parses and answers HTTP; what it has no notion of is added here: a deadline for the TLS handshake and the
headers, one for the body, one for a reader that stops reading, and a cap on headers, bodies and connections, of one
address and of all. A stuck peer holds one connection for a bounded time and harms no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Self

from uvicorn.config import Config
from uvicorn.server import ServerState

from .serving_connection import CONNECTION, Connection, Limits
from .serving_room import Room, sender_of

__all__ = [
    "CONNECTION",
    "BindError",
    "Connection",
    "GuardedServer",
    "Limits",
    "LoopService",
    "json_refusal",
    "new_event_loop",
]

log = logging.getLogger("iot_northbound.serving")


_AT_ONCE = 100
"""Connections taken before those that are open get their turn."""


class BindError(OSError):
    """Raised when the server cannot listen on its address."""


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop of uvloop's where that is installed, else of asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def json_refusal(status: int, message: str) -> bytes:
    """Return the JSON body of an answer that the server itself gives (400, 408, 413, 431)."""
    return json.dumps({"error": message, "status": status}).encode()


class LoopService:
    """Something that lives on an event loop: `open()` brings it up, `aclose()` takes it down.

    `start()` and `stop()` run it on a thread with a loop of its own, `serve_forever()` in the foreground until SIGTERM
    or SIGINT. What `open()` raises, `start()` and `serve_forever()` raise.
    """

    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event

    async def open(self) -> None:
        """Come up; return once calls are answered."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Finish what was taken, then let go of everything."""
        raise NotImplementedError

    def start(self) -> Self:
        """Run on a background thread; return when calls are answered."""
        if self._thread is not None:
            raise RuntimeError("already running; stop() it first")
        ready = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                with asyncio.Runner(loop_factory=new_event_loop) as runner:
                    runner.run(self._live(ready.set))
            except BaseException as error:  # handed to the thread that waits in start()
                if ready.is_set():
                    log.exception("%s ended on an error", type(self).__name__)
                failure.append(error)
            finally:
                ready.set()

        self._thread = threading.Thread(target=run, name=f"iot-northbound-{type(self).__name__}", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        return self

    def stop(self) -> None:
        """Finish the requests under way, close everything and join the thread; harmless when not running."""
        thread, loop = self._thread, self._loop
        if thread is None:
            return
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
                loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        self._thread = None

    def serve_forever(self, ready: Callable[[], None] | None = None) -> None:
        """Run in the foreground until SIGTERM or SIGINT; call `ready` once calls are answered.

        Only in the main thread of the process, as signals reach no other.
        """

        def announce() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stopping.set)
            if ready is not None:
                ready()

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._live(announce))

    async def _live(self, announce: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            await self.open()
            announce()
            await self._stopping.wait()
        finally:
            await self.aclose()
            self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class GuardedServer(LoopService):
    """Serves an ASGI application over HTTP, or HTTPS with an in-memory `ssl.SSLContext`.

    A context that asks for client certificates makes it mutual TLS; the application then finds the peer's certificate
    in `scope["extensions"]["tls"]`: `client_cert_chain` (PEM, the leaf alone), `client_cert_name` (RFC 4514) as in the
    ASGI TLS extension, and `client_cert`, the mapping of `ssl.SSLSocket.getpeercert()` with its alternative names.

    Args:
        app: The ASGI 3 application; it gets requests only, no lifespan.
        host: Name or address to listen on.
        port: Port to listen on; 0 takes a free one, told by `address`.
        ssl_context: Server-side context; None serves plain HTTP.
        limits: What one peer may take.
        refusal: Makes the JSON body of the answers the server itself gives, from status and message.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ssl_context: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        refusal: Callable[[int, str], bytes] = json_refusal,
    ) -> None:
        self.host, self.port = host, port
        self.limits = limits or Limits()
        self.refusal = refusal
        self.state = ServerState()
        self._app, self._ssl = app, ssl_context
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = Room(self.limits)
        self._complain_from = 0.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on; the real port once bound."""
        return self.host, self.port

    def bind(self) -> tuple[str, int]:
        """Take the port without serving yet; return host and port.

        Raises:
            BindError: The address cannot be had; the message says why and what to do.
        """
        if self._socket is None:
            try:
                if not 0 <= self.port <= 65_535:
                    raise OverflowError("a port is a number from 0 to 65535")
                family, _, _, _, where = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
                self._socket = socket.create_server(where, family=family, backlog=2048)
            except (OSError, OverflowError) as error:
                hint = {
                    errno.EADDRINUSE: "another program listens there; stop it, or choose another port (0 = a free one)",
                    errno.EACCES: "ports below 1024 need privileges; choose a higher one",
                    errno.EADDRNOTAVAIL: "this machine has no such address; choose one of its own, or 127.0.0.1",
                }.get(getattr(error, "errno", None) or 0, "check host and port")
                # Without the number and the address, which the message tells anyway.
                reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
                raise BindError(
                    getattr(error, "errno", None) or 0, f"cannot listen on {self.host}:{self.port} ({reason}): {hint}"
                ) from error
            self._socket.setblocking(False)
            self.port = self._socket.getsockname()[1]
        return self.address

    def unbind(self) -> None:
        """Let go of a port that `bind` took, where nothing is to be served after all."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def start(self) -> Self:
        """Bind, then serve on a background thread; return when calls are answered."""
        self.bind()
        return super().start()

    async def open(self) -> None:
        """Bind and begin to accept."""
        self.bind()
        if self._socket is None:
            raise RuntimeError("the server is being closed")
        # No log config and no change to uvicorn's loggers: they belong to the program that embeds this server.
        # No lifespan: who embeds it brings the application up, and need not read in the log that it came up.
        config = Config(self._app, log_config=None, lifespan="off", ws="none", proxy_headers=False, interface="asgi3")
        config.load()
        config.timeout_keep_alive = self.limits.idle  # type: ignore[assignment]  # call_later takes fractions too
        self._config = config
        for work in (self._accept(self._socket), self._keep_date()):
            self._spawn(work)

    async def aclose(self) -> None:
        """Stop accepting, finish the answers under way (at most `stop_grace`), close every connection."""
        for task in list(self._tasks):
            task.cancel()
        self.unbind()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        connections: set[Any] = self.state.connections
        for connection in list(connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.limits.stop_grace
        while any(connection.busy for connection in connections) and loop.time() < end:
            await asyncio.sleep(0.01)
        # A kept-alive peer seldom answers the TLS goodbye: it gets a moment, not a veto.
        end = loop.time() + 0.2
        while connections and loop.time() < end:
            await asyncio.sleep(0.01)
        for connection in list(connections):
            connection.transport.abort()

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_date(self) -> None:
        while True:
            self.state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
            await asyncio.sleep(1)

    def _complain(self, what: str, why: object) -> None:
        """Warn, but not more than once a minute: strangers decide how often it happens."""
        now = time.monotonic()
        if now >= self._complain_from:
            self._complain_from = now + 60
            log.warning("%s: %s", what, why)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        at_once = 0
        while True:
            try:
                # Those who wait are taken in one go: a round of the loop is long while many requests are answered.
                try:
                    peer, address = listener.accept()
                    peer.setblocking(False)
                    at_once += 1
                except BlockingIOError:
                    peer, address = await loop.sock_accept(listener)
                    at_once = 0
                if at_once >= _AT_ONCE:
                    at_once = 0
                    await asyncio.sleep(0)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                self._complain("cannot accept a connection", error)
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._room.close_one():
                    await asyncio.sleep(0.1)
                # A closed connection gives its file descriptor back in the loop's next rounds.
                await asyncio.sleep(0.001)
                continue
            sender = sender_of(address[0])
            if not self._room.for_address(sender):
                self._complain(
                    f"refused a connection of {sender}", "it has the most allowed, and all are being answered"
                )
                peer.close()
                continue
            try:
                while not self._room.for_another():
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                peer.close()
                raise
            self._welcome(peer, sender)

    def _welcome(self, peer: socket.socket, sender: str) -> None:
        connection = Connection(
            self._config,
            self.state,
            limits=self.limits,
            refusal=self.refusal,
            tls=self._ssl is not None,
            sender=sender,
            on_lost=self._room.remove,
        )
        self._room.add(connection)

        def done(_: asyncio.Task[None]) -> None:  # also if it was cancelled before its first step
            if not connection.made:
                peer.close()
                self._room.remove(connection)

        connection.handshake = self._spawn(self._shake_hands(peer, connection))
        connection.handshake.add_done_callback(done)

    async def _shake_hands(self, peer: socket.socket, connection: Connection) -> None:
        tls: dict[str, Any] = {}
        if self._ssl is not None:
            tls = {
                "ssl": self._ssl,
                "ssl_handshake_timeout": self.limits.header_deadline,
                "ssl_shutdown_timeout": min(5.0, self.limits.write_deadline),
            }
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, peer, **tls)
        except OSError as error:  # SSLError and handshake timeouts are among them
            log.info("TLS handshake failed: %s", str(error) or type(error).__name__)
