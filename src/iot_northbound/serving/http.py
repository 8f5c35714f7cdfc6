"""The guarded HTTP server: an ASGI application behind the guarded listener.

uvicorn parses and answers HTTP. This adds deadlines for the headers and the body, and caps on their sizes.
"""

from __future__ import annotations

import asyncio
import http
import json
import logging
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Literal

from iot_northbound._extras import needs_extra

from .connection import Admission, Connection
from .limits import Limits
from .listener import GuardedListener
from .tls import peer_facts

with needs_extra("receiver"):
    from uvicorn.config import Config
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    from uvicorn.server import ServerState

log = logging.getLogger("iot_northbound.serving")

CONNECTION = "iot_northbound.connection"
"""Key in `scope["extensions"]` under which an application finds the `HttpConnection` of its request."""


_PIPELINED = 8
"""How many requests of one connection may wait for their answers; then nothing more of it is read or parsed."""
_PIECE = 1_024
"""Bytes that are parsed at a time, because the parser cannot be stopped. A body of known length is one piece."""
# The parser drops such a body, and the application would see an empty request.
_UPGRADE_WITH_BODY = "a body cannot come with the header Upgrade; send it as HTTP/1.1 without that header"


def _announces_body(name: bytes, value: bytes) -> bool:
    return name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0") != b"")


class _Flow(FlowControl):
    """Does not read on while there are bytes that are not parsed yet."""

    held = b""

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


def json_refusal(status: int, message: str) -> bytes:
    """Return the JSON body of an answer that the server itself gives (400, 408, 413, 431)."""
    return json.dumps({"error": message, "status": status}).encode()


class GuardedServer(GuardedListener):
    """Serves an ASGI application over HTTP, or HTTPS with an in-memory `ssl.SSLContext`.

    A context that asks for client certificates makes it mutual TLS. The application then finds the peer's certificate
    in `scope["extensions"]["tls"]`. As in the ASGI TLS extension, `client_cert_chain` has the peer's own certificate
    (PEM), and `client_cert_name` its subject (RFC 4514). In addition, `client_cert` has the mapping of
    `ssl.SSLSocket.getpeercert()`, which includes the alternative names.

    Args:
        app: The ASGI 3 application; it gets requests only, no lifespan.
        host: Name or address to listen on.
        port: Port to listen on; 0 takes a free one, which `address` reports.
        ssl_context: Server-side context; None serves plain HTTP.
        limits: What one peer may take.
        refusal: Makes the JSON body of the answers that the server itself gives, from status and message.
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
        super().__init__(self._connection, host, port, ssl_context=ssl_context, limits=limits)
        self.refusal = refusal
        self.state = ServerState()
        self._app = app

    async def open(self) -> None:
        """Bind and begin to accept."""
        # uvicorn configures no logging: the loggers belong to the program that embeds this server.
        # It runs no lifespan: that program starts the application, and needs no log line about it.
        config = Config(self._app, log_config=None, lifespan="off", ws="none", proxy_headers=False, interface="asgi3")
        config.load()
        config.timeout_keep_alive = self.limits.idle  # type: ignore[assignment]  # call_later takes fractions too
        self._config = config
        await super().open()
        self.spawn(self._keep_date())

    def _connection(self, admission: Admission) -> HttpConnection:
        return HttpConnection(admission, self._config, self.state, self.refusal)

    async def _keep_date(self) -> None:
        while True:
            self.state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
            await asyncio.sleep(1)


class HttpConnection(Connection, HttpToolsProtocol):
    """One peer's HTTP connection.

    An application finds it at `scope["extensions"][CONNECTION]`, for what HTTP does not offer: `reset()` ends it with a
    TCP reset, `hijack()` returns the transport to write raw bytes.
    """

    first_step = "headers"
    _flow: _Flow

    def __init__(
        self, admission: Admission, config: Config, state: ServerState, refusal: Callable[[int, str], bytes]
    ) -> None:
        HttpToolsProtocol.__init__(self, config, state, {}, asyncio.get_running_loop())
        Connection.__init__(self, admission)
        self.access_log = False
        self._refusal = refusal
        self._phase: Literal["idle", "headers", "body"] = "idle"
        self._refused = self._hijacked = self._half_closed = False
        self._unanswered = 0
        self._header_bytes = self._body_bytes = self._length = 0
        self._extensions: dict[str, Any] = {CONNECTION: self}

    @property
    def answering(self) -> bool:
        """Whether a complete request waits for its answer, or the application has taken over the connection."""
        return self._unanswered > 0 or self._hijacked

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered."""
        cycle = self.cycle
        return self._phase != "idle" or not (cycle is None or cycle.response_complete or cycle.disconnected)

    def shutdown(self) -> None:
        """Close the connection; an answer under way is finished before."""
        HttpToolsProtocol.shutdown(self)

    def hijack(self) -> asyncio.Transport:
        """Return the transport for raw bytes. Nothing else is written to it, and the caller closes it."""
        self.abandon()
        self.expect_nothing()
        self._refused = self._hijacked = True  # what the peer still sends is dropped
        return self.transport

    def abandon(self) -> None:
        """Tell the application that its answer cannot be sent."""
        self._flow.held = b""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    # Transport events

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport)
        if self.tls:
            self._extensions["tls"] = peer_facts(transport.get_extra_info("ssl_object"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # the event loop does what it says
        """Answer what is complete before the connection is closed: some programs close their half after a request.

        An answer that has begun is given up: its reader may be gone, and it may be a stream without an end. TLS has no
        half to close.
        """
        started = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if self.tls or started or self._refused or not self._unanswered:
            self.abandon()  # or what is still sent would be an error in the log
            return False
        self._half_closed = True
        self.expect_nothing()
        return True

    def data_received(self, data: bytes) -> None:
        if self._flow.held:
            self._flow.held += data
        else:
            self._parse_in_pieces(data)
        if not self._is_over:
            self._expect_next()

    @property
    def _is_over(self) -> bool:
        """Whether everything that the peer still sends is ignored."""
        return self._refused or self.parser is None or self.transport.is_closing()

    def _parse_in_pieces(self, data: bytes) -> None:
        start = 0
        while start < len(data) and not self._is_over:
            if self._unanswered >= _PIPELINED:
                self._flow.held = data[start:]
                self.flow.pause_reading()
                return
            piece = data[start : start + max(_PIECE, self._length - self._body_bytes)]
            start += len(piece)
            self._parse(piece)

    def _parse_held(self) -> None:
        held, self._flow.held = self._flow.held, b""
        self._parse_in_pieces(held)
        if not self._is_over:
            if not self.pipeline:  # otherwise the next answer does it
                self.flow.resume_reading()
            self._expect_next()

    def _parse(self, data: bytes) -> None:
        if self._phase != "body":
            self._header_bytes += len(data)
        HttpToolsProtocol.data_received(self, data)
        if not self._is_over and self._phase == "headers" and self._header_bytes > self.limits.header_limit:
            self.refuse(431, f"headers beyond {self.limits.header_limit} bytes")

    def _expect_next(self) -> None:
        """Make the deadline fit what is still missing of the request. A complete request never starts a timer."""
        missing = self._phase
        if missing == "idle":
            if self.cycle is not None and not self.cycle.response_complete:
                self.expect_nothing()
                return
            missing = "headers"  # bytes came, but none of them began a request
        if missing != self.expected:
            self.expect(missing, self.limits.header_deadline if missing == "headers" else self.limits.body_deadline)

    def overdue(self, step: str) -> None:
        """Refuse a request that is not complete in time."""
        if self._refused:
            self.transport.close()  # the peer has had time to read the reason
        elif self.flow.read_paused:  # this side stopped reading, so the peer is not late
            self.expect(step, self.limits.body_deadline)
        else:
            self.refuse(408, f"the request's {step} did not arrive in time")

    # Parser events

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = "headers"
        self._body_bytes = self._length = 0
        if self.cycle is not None:  # for the first request, the wait began with the connection
            self.waits_since = time.monotonic()
        self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        self._phase, self._header_bytes = "body", 0
        for name, value in self.headers:
            if name == b"content-length" and value.isdigit():
                self._length = int(value)
                if self._length > self.limits.body_limit:
                    self.refuse(413, f"a body beyond {self.limits.body_limit} bytes")
                    return
        if self.parser.should_upgrade() and any(_announces_body(*header) for header in self.headers):
            self.refuse(400, _UPGRADE_WITH_BODY)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.body_limit:
            self.refuse(413, f"a body beyond {self.limits.body_limit} bytes")
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        self._phase = "idle"
        self._unanswered += 1
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unanswered -= 1
        self.waits_since = time.monotonic()
        if self._flow.held and self._unanswered < _PIPELINED:
            self.loop.call_soon(self._parse_held)
        elif self._half_closed and not self._unanswered:
            self.abandon()
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        if self._phase == "idle":
            super().timeout_keep_alive_handler()

    def _unsupported_upgrade_warning(self) -> None:
        # Replaces uvicorn's warnings, which advise to install something: a peer must not fill the log.
        log.info("%s asked for another protocol (Upgrade); it is answered in HTTP/1.1", self.client)

    # Answers of the server itself

    def send_400_response(self, msg: str) -> None:
        self.refuse(400, "not an HTTP request")

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error of the server itself and close; only close if an answer is under way already."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        log.info("refused %s: %d %s", self.client, status, message)
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete and cycle.response_started
        self.abandon()
        if under_way:
            self.transport.abort()
            return
        body = self._refusal(status, message)
        head = (
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        # If it closed at once, the kernel would reset the connection at the next bytes, and the reason would be lost.
        self.expect("reading of the reason", self.limits.linger)
        self.flow.resume_reading()
