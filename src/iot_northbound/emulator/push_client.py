"""An HTTP client that does one thing: it posts a JSON body to a callback URL and returns the answer's status.

It uses asyncio and the HTTP parser of the server. General clients cost several times as much CPU per push, and would be
one more dependency of the emulator.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from iot_northbound._extras import needs_extra

with needs_extra("emulator"):
    import httptools

ANSWER_LIMIT = 1024 * 1024
"""The longest answer, in bytes; a receiver that sends more counts as broken."""
IDLE_KEPT = 32
"""Idle connections that are kept per destination."""


class PushFailure(Exception):
    """Raised if no answer came; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a callback URL."""

    tls: bool
    host: str
    port: int
    head: bytes
    """The request's head up to the content length."""


@lru_cache(maxsize=4096)
def target_of(url: str) -> Target:
    """Return the parts of a callback URL.

    Raises:
        PushFailure: It is not possible to post to this URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise PushFailure(f"not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PushFailure("not an HTTP or HTTPS URL")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: "
    if not head.replace("\r\n", "").isprintable():
        raise PushFailure("the URL has control characters")
    return Target(tls, parts.hostname, port or (443 if tls else 80), head.encode("utf-8"))


class PushClient:
    """Keeps connections to receivers alive between pushes.

    Args:
        context: Checks the receivers' certificates; may hold the platform's own client certificate.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._idle: dict[tuple[bool, str, int], list[_Line]] = {}
        self._lines: set[_Line] = set()

    async def post(self, url: str, body: bytes, timeout: float) -> int:
        """Send a push and return the answer's status.

        Args:
            url: The callback URL.
            body: The JSON body.
            timeout: Seconds for everything: connecting, TLS, sending, the answer.

        Raises:
            PushFailure: No answer came, or the answer is not HTTP.
        """
        target = target_of(url)
        message = b"%b%d\r\n\r\n%b" % (target.head, len(body), body)
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(target, message)
        except TimeoutError:
            raise PushFailure(f"no answer within {timeout:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise PushFailure(f"the receiver's certificate is not trusted: {error.verify_message}") from None
        except OSError as error:
            raise PushFailure(f"no connection: {error.strerror or error or type(error).__name__}") from None

    async def aclose(self) -> None:
        """Close all connections."""
        for line in list(self._lines):
            line.abort()
        self._idle.clear()

    async def _exchange(self, target: Target, message: bytes) -> int:
        key = (target.tls, target.host, target.port)
        idle = self._idle.setdefault(key, [])
        while idle:
            line = idle.pop()
            if not line.is_open:
                continue
            with contextlib.suppress(_Stale):
                return await self._use(line, message, idle)
            # The receiver had closed the connection before this push, so a new connection is tried.
        loop = asyncio.get_running_loop()
        tls: dict[str, Any] = {}
        if target.tls:
            tls = {"ssl": self.context, "server_hostname": target.host, "ssl_shutdown_timeout": 1.0}
        _, line = await loop.create_connection(lambda: _Line(self._lines), target.host, target.port, **tls)
        try:
            return await self._use(line, message, idle)
        except _Stale:
            raise PushFailure("the receiver closed the connection without an answer") from None

    async def _use(self, line: _Line, message: bytes, idle: list[_Line]) -> int:
        done = False
        try:
            status = await line.send(message)
            done = True
        finally:
            if done and line.is_open and line.keep_alive and len(idle) < IDLE_KEPT:
                idle.append(line)
            else:
                line.abort()
        return status


class _Stale(Exception):
    """The connection ended before the first byte of an answer."""


class _Line(asyncio.Protocol):
    """One connection to a receiver, one push at a time."""

    def __init__(self, lines: set[_Line]) -> None:
        self._lines = lines
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._parser: Any = None
        self._received = 0
        self.keep_alive = False
        self.is_open = False

    def send(self, message: bytes) -> asyncio.Future[int]:
        """Send a request; the future has the answer's status."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or not self.is_open:
            self._answer.set_exception(_Stale())
            return self._answer
        self._received = 0
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(message)
        return self._answer

    def abort(self) -> None:
        """End the connection at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of TCP or TLS
        self.is_open = True
        self._lines.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._answer is None or self._answer.done():
            self.abort()  # bytes without a request
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(PushFailure("the answer is not HTTP"))
        if self._received > ANSWER_LIMIT:
            self._fail(PushFailure("the answer is too long"))

    def on_headers_complete(self) -> None:
        # An answer that ends with the connection is known by its headers; its body is of no interest.
        if self._parser.get_status_code() >= 200 and not self._parser.should_keep_alive():
            self._succeed()

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200:  # otherwise it is 100 Continue or similar; the answer follows
            self.keep_alive = self._parser.should_keep_alive()
            self._succeed()

    def _succeed(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def eof_received(self) -> None:
        self.is_open = False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._lines.discard(self)
        if self._received:
            self._fail(PushFailure("the receiver closed the connection in the middle of its answer"))
        else:
            self._fail(_Stale())

    def _fail(self, error: Exception) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
            self._answer.exception()  # marks it as seen: the caller may have given up
