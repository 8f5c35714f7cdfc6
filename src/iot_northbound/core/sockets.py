"""The sockets of a call: they keep its deadline, and notice when the other side sends at the wrong time."""

import errno
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

from urllib3.util.connection import allowed_gai_family
from urllib3.util.wait import wait_for_read

_PIECE = 65536
"""How many bytes are sent at once. Between two pieces the socket checks whether the server sends already."""


class CallState:
    """What a socket needs to know and reports about the call of its thread."""

    __slots__ = ("cut", "early", "fresh", "interim", "outer", "patience", "sent", "until")

    def __init__(
        self, until: float | None = None, patience: float | None = None, outer: BaseException | None = None
    ) -> None:
        self.until = until
        self.patience = patience
        self.sent = False
        """Whether the platform may have received a part of the request."""
        self.cut = False
        """Whether sending ended before the whole request was sent."""
        self.fresh = False
        """Whether the call opened its connection itself."""
        self.early = False
        """Whether the server sent something before it had the whole request."""
        self.interim = False
        """Whether an interim answer came."""
        self.outer = outer
        """The exception that the application was handling when it made the call. Python chains it to our errors."""

    def check(self) -> None:
        """Raise TimeoutError if the deadline has passed."""
        if self.until is not None and self.until <= time.monotonic():
            raise TimeoutError("the call's deadline has passed")

    def hurry(self, sock: socket.socket) -> None:
        """Limit the socket's waiting time to the deadline.

        Raises:
            TimeoutError: the deadline has passed.
        """
        if self.until is not None:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the call's deadline has passed")
            timeout = sock.gettimeout()
            if timeout is None or left < timeout:
                sock.settimeout(left)


class _Here(threading.local):
    def __init__(self) -> None:
        self.call = CallState()


here = _Here()
"""`here.call` is the present call of this thread."""


class _Stream(io.BufferedReader):
    """The stream of an answer. If bytes are left when it closes, the connection cannot be used again."""

    source: "DeadlineSocket"

    def close(self) -> None:
        try:
            if not self.closed:
                self.source.resting = True
                if self.peek():
                    self.source.spoilt = True
        except OSError:  # after a timeout, the raw stream refuses to be read
            self.source.spoilt = True
        finally:
            super().close()  # without it the socket stays open


class PlainSocket(socket.socket):
    """A socket before TLS, or to a proxy. It keeps the call's deadline too."""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send, no longer than the call's deadline allows."""
        here.call.hurry(self)
        super().sendall(data, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive, no longer than the call's deadline allows."""
        here.call.hurry(self)
        return super().recv_into(buffer, nbytes, flags)


def connect(host: str, port: int, options: Iterable[tuple[int, int, int | bytes]] | None) -> PlainSocket:
    """Return a socket connected to one of the host's addresses, tried in order.

    Each address gets an equal share of the time that is left, so that silent addresses leave time for the others. The
    system's resolver can take longer, because it has no deadline.

    Raises:
        socket.gaierror: the name has no address.
        OSError: no address accepted the connection.
    """
    call = here.call
    addresses = socket.getaddrinfo(host.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    failure = OSError("the name has no address")
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        call.check()
        until = call.until
        connection = PlainSocket(family, kind, protocol)
        try:
            for option in options or ():
                connection.setsockopt(*option)
            if until is not None:
                connection.settimeout(max(until - time.monotonic(), 0.001) / (len(addresses) - tried))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
            continue
        if until is not None:
            connection.settimeout(max(until - time.monotonic(), 0.001))
        return connection
    raise failure


class DeadlineSocket(ssl.SSLSocket):
    """A TLS socket that keeps the call's deadline over all reads, even if the answer arrives byte by byte."""

    resting = False
    """Whether no answer is expected; then nothing is read."""
    spoilt = False
    """Whether too much was received or too little was sent, so that no other call may use the connection."""
    _early = b""

    def do_handshake(self, block: bool = False) -> None:
        """Do the handshake, and note that this call opened its connection itself."""
        call = here.call
        call.fresh = True
        call.hurry(self)
        super().do_handshake(block)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send, and note that the platform may have the request from now on."""
        call = here.call
        self.resting = False
        # The timeout may still be the one of the call before.
        self.settimeout(call.patience)
        try:
            super().sendall(data, flags)
        except BaseException:
            self.spoilt = call.cut = True
            raise

    def send(self, data: Any, flags: int = 0) -> int:
        """Send a piece, no longer than the call's deadline allows."""
        call = here.call
        call.hurry(self)
        if call.sent and not call.early and self._is_spoken_to():
            # It is an interim answer to this request, its real answer, or the late answer to another call.
            call.early = self.spoilt = True
        call.sent = True
        return super().send(data[:_PIECE], flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive, no longer than the call's deadline allows."""
        if self.resting:
            return None  # type: ignore[return-value]  # as a raw stream says that it has nothing now, without an error
        if self._early:
            buffer[:1], self._early = self._early, b""
            return 1
        here.call.hurry(self)
        return super().recv_into(buffer, nbytes, flags)

    def makefile(self, mode: Any = "r", buffering: int | None = None, **rest: Any) -> Any:
        """Return a stream. If it reads bytes, it checks for leftover bytes when it closes."""
        if mode != "rb" or buffering is not None:
            return super().makefile(mode, buffering, **rest)
        stream = _Stream(super().makefile("rb", 0))
        stream.source = self
        return stream

    def _is_spoken_to(self) -> bool:
        """Return whether bytes for us have already arrived. TLS's own messages do not count.

        Raises:
            BrokenPipeError: the server has closed the connection.
        """
        if not self.pending() and not wait_for_read(self, timeout=0.0):
            return False
        timeout = self.gettimeout()
        self.settimeout(0.0)
        try:
            self._early = self.recv(1)
        except ssl.SSLWantReadError:
            return False
        finally:
            self.settimeout(timeout)
        if not self._early:
            raise BrokenPipeError(errno.EPIPE, "the server closed the connection before it had the whole request")
        return True
