"""One peer's guarded connection, whatever protocol is spoken on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from .limits import Limits

_NOBODY = asyncio.BufferedProtocol()
"""Takes the place of a connection that has ended. uvloop forgets methods for a buffer only if it gets others."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What the listener gives a new connection.

    Attributes:
        limits: What the peer may take.
        sender: What counts as the peer's address.
        tls: Whether the peer speaks TLS.
        on_lost: The connection calls it once, when it has ended.
    """

    limits: Limits
    sender: str
    tls: bool
    on_lost: Callable[[Connection], None]


class Connection(asyncio.BaseProtocol):
    """One peer's connection, with a deadline for each step of the peer; the base class of every protocol.

    A protocol derives from it and from one of asyncio's protocols, and calls `expect` or `expect_nothing` whenever the
    next step changes. From the TCP connection on, the peer's first message is expected within `Limits.header_deadline`.
    A peer that does not read its answer within `Limits.write_deadline` loses the connection. A protocol that overrides
    `connection_made`, `connection_lost`, `pause_writing` or `resume_writing` calls these methods here too.
    """

    first_step = "first message"
    """What the peer is to send first."""

    def __init__(self, admission: Admission) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits, self.sender, self.tls = admission.limits, admission.sender, admission.tls
        self.handshake: asyncio.Task[None] | None = None
        self.made = False
        self.waits_since = time.monotonic()
        """Since when the next step is the peer's; from `time`, because uvloop's clock counts whole milliseconds."""
        self.expected: str | None = None
        """The peer's step that a deadline runs for; None if there is no deadline."""
        self._on_lost = admission.on_lost
        self._first_deadline = self.loop.time() + self.limits.header_deadline
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    # What the listener asks

    @property
    def answering(self) -> bool:
        """Whether the next step is this side's, so that the connection must not make room for another."""
        return False

    @property
    def busy(self) -> bool:
        """Whether a stop waits for this connection."""
        return self.answering

    @property
    def waits_for_peer(self) -> bool:
        """Whether the next step is the peer's: to finish the handshake, to send, or to read."""
        return not self.made or self._write_deadline is not None or not self.answering

    def shutdown(self) -> None:
        """Close the connection, unless an answer is under way: the listener calls this again after it."""
        if not self.answering:
            self.transport.close()

    def drop(self) -> None:
        """End the connection at once, whatever it is doing."""
        if self.made:
            self.abandon()
            self.transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def reset(self) -> None:
        """End the connection with a TCP reset, as a crashed or overloaded peer does."""
        self.abandon()
        raw = self.transport.get_extra_info("socket")
        # On a duplicate, because uvloop's substitute for the socket has no setsockopt.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(raw.fileno())) as duplicate:
            duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # What a protocol uses and overrides

    def expect(self, step: str, within: float) -> None:
        """Call `overdue(step)` after so many seconds, unless the next step changes before."""
        self.expect_nothing()
        self.expected = step
        self._deadline = self.loop.call_later(within, self._expire, step)

    def expect_nothing(self) -> None:
        """Cancel the deadline."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.expected = None

    def _expire(self, step: str) -> None:
        self.expect_nothing()
        self.overdue(step)

    def overdue(self, step: str) -> None:
        """End the connection, because the peer did not take the expected step in time."""
        self.drop()

    def abandon(self) -> None:
        """Give up the work under way, because its answer cannot be sent."""

    # Transport events

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one
        """Begin to wait for the peer's first message."""
        self.transport = transport
        super().connection_made(transport)
        self.made = True
        self.expect(self.first_step, self._first_deadline - self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines, and tell the listener."""
        self.expect_nothing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
        super().connection_lost(exc)
        self._on_lost(self)
        # It would hold the connection, which holds it: then memory came back only with a full garbage collection.
        self.transport.set_protocol(_NOBODY)

    def pause_writing(self) -> None:
        """Begin to wait for a peer that does not read."""
        super().pause_writing()
        self.waits_since = time.monotonic()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(self.limits.write_deadline, self.reset)

    def resume_writing(self) -> None:
        """Stop waiting: the peer reads again."""
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
