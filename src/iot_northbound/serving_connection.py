"""One guarded connection of `serving.GuardedServer`: uvicorn's HTTP protocol with deadlines and caps."""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from .serving_tls import peer_facts

log = logging.getLogger("iot_northbound.serving")

CONNECTION = "iot_northbound.connection"
"""Key in `scope["extensions"]` under which an application finds the `Connection` its request came by."""


# The parser drops such a body, and the application would take the request for an empty one.
_UPGRADE_WITH_BODY = "a body cannot come with the header Upgrade; send it as HTTP/1.1 without that header"


def _announces_body(name: bytes, value: bytes) -> bool:
    return name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0") != b"")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take; times in seconds, sizes in bytes."""

    header_deadline: float = 10.0
    """From the TCP connection (TLS handshake included), or a later request's first byte, to the end of its headers."""
    body_deadline: float = 30.0
    """From the end of the headers to the end of the body."""
    write_deadline: float = 30.0
    """How long an answer may wait for a peer that does not read."""
    idle: float = 75.0
    """How long a kept-alive connection may rest between two requests."""
    header_limit: int = 65_536
    body_limit: int = 8 * 1024 * 1024
    connections: int = 1_000
    """Open connections, handshakes included; for one more, the slowest one of the address that has most is closed.

    The slowest one is the one that has waited longest for its peer: idle, with a request that is not all there, or
    with an answer that the peer does not read. A request that is all there is answered first.
    """
    connections_per_address: int = 500
    """Open connections of one IPv4 address or one IPv6 /64 network; for one more, its own slowest one is closed.

    Behind a proxy all connections have the proxy's address: give it as many as `connections`.
    """
    linger: float = 2.0
    """How long a refused peer's bytes are still read and dropped, so that it gets to read why it was refused."""
    stop_grace: float = 10.0
    """How long a stop waits for answers under way."""


_PIPELINED = 8
"""Requests of one connection that may wait for their answers. Then nothing more of it is read or parsed."""
_PIECE = 1_024
"""Bytes parsed at a time, since the parser cannot be stopped in between. A body whose length is known is one piece."""


class _Flow(FlowControl):
    """Reads nothing more while bytes are held that are not parsed yet, whoever asks for it."""

    held = b""

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """One peer's connection.

    An application reaches it at `scope["extensions"][CONNECTION]` when it has to leave HTTP's good manners:
    `reset()` ends it with a TCP reset, `hijack()` hands out the transport to write raw bytes.
    """

    _flow: _Flow

    def __init__(
        self,
        config: Config,
        state: ServerState,
        *,
        limits: Limits,
        refusal: Callable[[int, str], bytes],
        tls: bool,
        sender: str,
        on_lost: Callable[[Connection], None],
    ) -> None:
        super().__init__(config, state, {}, asyncio.get_running_loop())
        self.access_log = False
        self.made = False
        self.sender = sender
        self.handshake: asyncio.Task[None] | None = None
        self.waits_since = time.monotonic()  # uvloop tells time in whole milliseconds
        self.limits = limits
        self._refusal, self._tls, self._on_lost = refusal, tls, on_lost
        self._first_deadline = self.loop.time() + limits.header_deadline
        self._phase: Literal["idle", "headers", "body"] = "idle"
        self._guarded: str | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._write_guard: asyncio.TimerHandle | None = None
        self._refused = self._hijacked = False
        self._unanswered = 0
        self._header_bytes = self._body_bytes = self._length = 0
        self._extensions: dict[str, Any] = {CONNECTION: self}

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered."""
        cycle = self.cycle
        return self._phase != "idle" or not (cycle is None or cycle.response_complete or cycle.disconnected)

    @property
    def waits_for_peer(self) -> bool:
        """Whether the next step is the peer's: to finish the handshake or a request, to begin one, or to read."""
        return not self.made or self.flow.write_paused or not (self._unanswered > 0 or self._hijacked)

    def drop(self) -> None:
        """End the connection at once, whatever it is doing."""
        if self.made:
            self._abandon()
            self.transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    # What an application may do with it

    def reset(self) -> None:
        """End the connection with a TCP reset, as a crashed or overloaded peer does."""
        self._abandon()
        raw = self.transport.get_extra_info("socket")
        # Through a duplicate, as uvloop's stand-in for the socket offers no setsockopt.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(raw.fileno())) as duplicate:
            duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def hijack(self) -> asyncio.Transport:
        """Return the transport for raw bytes; nothing else is written to it, and the caller closes it."""
        self._abandon()
        self._refused = self._hijacked = True  # what the peer still sends is dropped
        return self.transport

    def _abandon(self) -> None:
        self._flow.held = b""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    # Transport events

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport)
        self.made = True
        if self._tls:
            self._extensions["tls"] = peer_facts(transport.get_extra_info("ssl_object"))
        self._guarded = "headers"
        self._guard = self.loop.call_at(self._first_deadline, self._overdue, "headers")

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._guard, self._write_guard):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        if self._flow.held:
            self._flow.held += data
        else:
            self._parse_in_pieces(data)
        if not self._is_over:
            self._arm()

    @property
    def _is_over(self) -> bool:
        """Whether nothing that the peer sends counts any more."""
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
            if not self.pipeline:  # else the next answer does it
                self.flow.resume_reading()
            self._arm()

    def _parse(self, data: bytes) -> None:
        if self._is_over:
            return
        if self._phase != "body":
            self._header_bytes += len(data)
        super().data_received(data)
        if not self._is_over and self._phase == "headers" and self._header_bytes > self.limits.header_limit:
            self.refuse(431, f"headers beyond {self.limits.header_limit} bytes")

    def _arm(self) -> None:
        """See to it that exactly the deadline of what is still awaited runs; whole requests never start a timer."""
        awaited = self._phase
        if awaited == "idle" and (self.cycle is None or self.cycle.response_complete):
            awaited = "headers"  # bytes came, but none of them began a request
        if awaited == self._guarded:
            return
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
        self._guarded = None
        if awaited != "idle":
            limit = self.limits.header_deadline if awaited == "headers" else self.limits.body_deadline
            self._guarded = awaited
            self._guard = self.loop.call_later(limit, self._overdue, awaited)

    def _overdue(self, what: str) -> None:
        if self.flow.read_paused:  # this side stopped reading: not the peer's fault
            self._guard = self.loop.call_later(self.limits.body_deadline, self._overdue, what)
        else:
            self.refuse(408, f"the request's {what} did not arrive in time")

    def pause_writing(self) -> None:
        super().pause_writing()
        self.waits_since = time.monotonic()
        if self._write_guard is None:
            self._write_guard = self.loop.call_later(self.limits.write_deadline, self.reset)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_guard is not None:
            self._write_guard.cancel()
            self._write_guard = None

    # Parser events

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = "headers"
        self._body_bytes = self._length = 0
        if self.cycle is not None:  # the first request is waited for since the connection came
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

    def timeout_keep_alive_handler(self) -> None:
        if self._phase == "idle":
            super().timeout_keep_alive_handler()

    def _unsupported_upgrade_warning(self) -> None:
        # In place of uvicorn's warnings, which advise to install something: a peer must not fill the log of others.
        log.info("%s asked for another protocol (Upgrade); answered in HTTP/1.1", self.client)

    # Refusals of the server's own

    def send_400_response(self, msg: str) -> None:
        self.refuse(400, "not an HTTP request")

    def refuse(self, status: int, message: str) -> None:
        """Answer with the server's own error and close; just close when an answer is already under way."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        log.info("refused %s: %d %s", self.client, status, message)
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete and cycle.response_started
        self._abandon()
        if under_way:
            self.transport.abort()
            return
        body = self._refusal(status, message)
        head = (
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        # Closing at once would make the kernel answer what is still arriving with a reset, and the reason with it lost.
        self._guard = self.loop.call_later(self.limits.linger, self.transport.close)
        self.flow.resume_reading()
