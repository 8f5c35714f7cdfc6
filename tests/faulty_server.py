"""A server with real sockets and TLS that can fail at every point, and a desk that gives out tokens."""

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.clock import FakeClock

LOGIN = "/iocm/app/sec/v1.1.0/login"
REFRESH = "/iocm/app/sec/v1.1.0/refreshToken"
APP_ID, SECRET = "app-0042", "sesame-Open-81"


class Seen:
    """A request that arrived completely."""

    def __init__(self, head: bytes, body: bytes, connection: int) -> None:
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.body = body
        self.connection = connection

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class Wire:
    """One connection, as a handler sees it."""

    def __init__(self, sock: Any, number: int, closing: threading.Event, clock: FakeClock | None) -> None:
        self.socket = sock
        self.number = number
        self.closing = closing
        self._clock = clock

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Hangup

    def close(self) -> None:
        """Close without the end that TLS asks for."""
        self.socket.shutdown(socket.SHUT_RDWR)

    def send_below_tls(self, data: bytes) -> None:
        socket.socket.sendall(self.socket, data)

    def pause(self, seconds: float) -> None:
        """Let that much time pass on the server's clock; without one, wait. End the connection if the test is over."""
        if self._clock is not None:
            self._clock.advance(seconds)
            seconds = 0.0005
        if self.closing.wait(seconds):
            raise Hangup

    def hold(self, seconds: float = 60) -> None:
        """Send nothing until the test is over."""
        self.closing.wait(seconds)
        raise Hangup

    def drip(self, data: bytes, every: float = 0.05) -> None:
        """Send byte by byte, until the test is over or the other side has closed."""
        for each in data:
            self.send(bytes([each]))
            self.pause(every)


class Hangup(Exception):
    """Ends a connection."""


Handler = Callable[[Seen, Wire], "tuple[int, Any] | tuple[int, Any, dict[str, str]] | None"]


def message(status: int, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
    """Return an answer's bytes. `body` is bytes, None for no body, or what becomes JSON."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(data))} | (headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Word\r\n{lines}\r\n".encode() + data


class FaultyServer:
    """Serves each connection in a thread; the handler answers each request, or damages the connection.

    A handler returns (status, body) or (status, body, headers), or sends bytes itself and returns None.
    `on_connect` sees each connection before TLS and may raise `Hangup`. `seen` contains every complete request.
    With a clock, a server that drips lets time pass on it.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        handler: Handler,
        *,
        on_connect: Callable[[Wire], None] | None = None,
        host: str = "127.0.0.1",
        clock: FakeClock | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=256)
        self._context = context
        self._on_connect = on_connect
        self._clock = clock
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.handler = handler
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.closing = threading.Event()
        self.seen: list[Seen] = []
        self.connections = 0
        self.failures: list[Exception] = []

    def calls(self) -> list[Seen]:
        """Return what arrived besides logins and refreshes."""
        return [each for each in self.seen if each.path not in (LOGIN, REFRESH)]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        assert not self.failures, self.failures

    def stop_listening(self) -> None:
        """Refuse further connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        self.closing.set()
        self.stop_listening()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)

    def _start(self, work: Any, *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._serve, connection, self.connections)

    def _serve(self, raw: socket.socket, number: int) -> None:
        raw.settimeout(60)
        wire = Wire(raw, number, self.closing, self._clock)
        self._sockets.append(raw)
        try:
            if self._on_connect is not None:
                self._on_connect(wire)
            # Known before the handshake, so that a stop ends the wait for a client that does not begin it.
            wire.socket = self._context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
            self._sockets.append(wire.socket)
            wire.socket.do_handshake()
            with wire.socket.makefile("rb") as stream:
                while (seen := _read(stream, number)) is not None:
                    self.seen.append(seen)
                    answer = self.handler(seen, wire)
                    if answer is not None:
                        wire.send(message(*answer))
        except (OSError, Hangup, ValueError):  # ValueError: a read after we have closed
            pass
        except Exception as error:
            self.failures.append(error)
            raise
        finally:
            wire.socket.close()
            raw.close()


def _read(stream: Any, number: int) -> Seen | None:
    head = b""
    while (line := stream.readline()) != b"\r\n":
        if not line:
            return None
        head += line
    seen = Seen(head, b"", number)
    seen.body = stream.read(int(seen.headers.get("content-length", 0)))
    return seen


BAD_TOKEN = {"resultcode": "1010005", "resultmsg": "Invalid access token"}


class Desk:
    """A handler that gives out tokens as the platform does: a new one ends the one before, and others are refused.

    Requests with the right token go on to `then`. All others get `refusal` as the answer.
    """

    def __init__(self, then: Handler, *, expires_in: Any = 3600, refresh: bool = False) -> None:
        self.then = then
        self.expires_in = expires_in
        self.refresh = refresh
        self.refusal: tuple[int, Any] = (403, BAD_TOKEN)
        self.lock = threading.Lock()
        self.logins = self.refreshes = 0
        self.token = ""
        self.before_login: Handler = lambda seen, wire: None

    def revoke(self) -> None:
        self.token = "revoked"

    def grant(self) -> dict[str, Any]:
        with self.lock:
            number = self.logins + self.refreshes
            self.token = f"token-{number:04d}-{'x' * 20}"
            return {
                "accessToken": self.token,
                "refreshToken": f"again-{number:04d}-{'y' * 20}" if self.refresh else None,
                "tokenType": "bearer",
                "expiresIn": self.expires_in,
                "scope": "default",
            }

    def __call__(self, seen: Seen, wire: Wire) -> Any:
        if seen.path in (LOGIN, REFRESH):
            with self.lock:
                if seen.path == LOGIN:
                    self.logins += 1
                else:
                    self.refreshes += 1
            answer = self.before_login(seen, wire)
            return answer if answer is not None else (200, self.grant())
        if seen.token != self.token:
            return self.refusal
        return self.then(seen, wire)
