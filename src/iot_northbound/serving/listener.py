"""The guarded listener: it binds, accepts, and closes connections, for any protocol.

A peer that does not finish its TLS handshake or its message holds one connection for a bounded time, and no other peer
waits for it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self

from .connection import Admission, Connection
from .limits import Limits
from .loop import LoopService
from .room import Room, sender_of

log = logging.getLogger("iot_northbound.serving")


_AT_ONCE = 100
"""How many connections are accepted before the open ones get their turn."""


class BindError(OSError):
    """Raised when the server cannot listen on its address."""


class GuardedListener(LoopService):
    """Accepts connections, with or without TLS, within the caps and deadlines of `Limits`.

    Args:
        protocol: Makes the protocol of a new connection: a class derived from `Connection`, or a function.
        host: Name or address to listen on.
        port: Port to listen on; 0 takes a free one, which `address` reports.
        ssl_context: Server-side context; None accepts plain TCP.
        limits: What one peer may take.
    """

    def __init__(
        self,
        protocol: Callable[[Admission], Connection],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ssl_context: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.limits = limits or Limits()
        self._protocol, self._ssl = protocol, ssl_context
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = Room(self.limits)
        self._complain_from = 0.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on; the real port once bound."""
        return self.host, self.port

    @property
    def connections(self) -> list[Connection]:
        """The open connections, including handshakes."""
        return self._room.connections

    def change_limits(self, limits: Limits) -> None:
        """Let other limits hold for connections that come from now on."""
        self.limits = self._room.limits = limits

    def bind(self) -> tuple[str, int]:
        """Take the port without serving yet; return host and port.

        Raises:
            BindError: The server cannot get the address; the message says why and what to do.
        """
        if self._socket is None:
            try:
                if not 0 <= self.port <= 65_535:
                    raise OverflowError("a port is a number from 0 to 65535")
                family, _, _, _, where = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
                self._socket = socket.create_server(where, family=family, backlog=2048)
            except (OSError, OverflowError) as error:
                number = getattr(error, "errno", None) or 0
                # Without the number and the address: the message has them anyway.
                reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
                hint = _HINTS.get(number, "check host and port")
                raise BindError(number, f"cannot listen on {self.host}:{self.port} ({reason}): {hint}") from error
            self._socket.setblocking(False)
            self.port = self._socket.getsockname()[1]
        return self.address

    def unbind(self) -> None:
        """Release a port that `bind` took, for a server that does not start after all."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def start(self) -> Self:
        """Bind, then serve on a background thread; return once calls are answered."""
        self.bind()
        return super().start()

    async def open(self) -> None:
        """Bind and begin to accept."""
        self.bind()
        if self._socket is None:
            raise RuntimeError("the server is being closed")
        self.spawn(self._accept(self._socket))

    async def aclose(self) -> None:
        """Stop accepting, finish the answers under way (at most `stop_grace`), close every connection."""
        for task in list(self._tasks):
            task.cancel()
        self.unbind()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._shut_down()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.limits.stop_grace
        while any(connection.busy for connection in self.connections) and loop.time() < end:
            await asyncio.sleep(0.01)
        self._shut_down()
        # A peer with a kept-alive connection seldom answers the TLS goodbye, so the wait for it is short.
        end = loop.time() + 0.2
        while self.connections and loop.time() < end:
            await asyncio.sleep(0.01)
        for connection in self.connections:
            connection.transport.abort()

    def _shut_down(self) -> None:
        for connection in self.connections:
            connection.shutdown()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine until it ends or the server closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _complain(self, what: str, why: object) -> None:
        """Warn, but at most once per minute: strangers decide how often it happens."""
        now = time.monotonic()
        if now >= self._complain_from:
            self._complain_from = now + 60
            log.warning("%s: %s", what, why)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        at_once = 0
        while True:
            try:
                # All waiting connections are accepted together: while many requests are answered, a round takes long.
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
                # The loop releases the file descriptor of a closed connection in its next rounds.
                await asyncio.sleep(0.001)
                continue
            sender = sender_of(address[0])
            if not self._room.for_address(sender):
                why = "it has as many connections as it may have, and all of them are being answered"
                self._complain(f"refused a connection of {sender}", why)
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
        connection = self._protocol(Admission(self.limits, sender, self._ssl is not None, self._room.remove))
        self._room.add(connection)

        def done(_: asyncio.Task[None]) -> None:  # also if the task was cancelled before its first step
            if not connection.made:
                peer.close()
                self._room.remove(connection)

        connection.handshake = self.spawn(self._shake_hands(peer, connection))
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
        except OSError as error:  # including SSLError and handshake timeouts
            log.info("TLS handshake failed: %s", str(error) or type(error).__name__)


_HINTS = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another port (0 = a free one)",
    errno.EACCES: "ports below 1024 need privileges; choose a higher one",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose one of its own, or 127.0.0.1",
}
