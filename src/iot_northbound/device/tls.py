"""A TLS connection to the platform that can be given up at any moment, and its failure in words."""

import contextlib
import errno
import os
import select
import socket
import ssl

from iot_northbound.core.clock import Clock
from iot_northbound.core.handshake import explain_handshake
from iot_northbound.core.tls import HostNameRefused, TlsPolicy
from iot_northbound.core.tls_context import peer_certificate
from iot_northbound.device.trust import in_device_words
from iot_northbound.errors import (
    ClientClosedError,
    ConnectionFailedError,
    NorthApiException,
    RequestTimeoutError,
    SdkCode,
    TlsError,
)

SLICE = 1.0
"""Seconds between two looks at the clock, which may be one that a test moves."""
_PLACE = "the port for MQTT (8883 by default)"


class Wake:
    """Ends a wait of the network thread, from any thread.

    Attributes:
        closing: whether the device is being closed.
        patience: seconds that a closing device has to send what waits.
    """

    def __init__(self) -> None:
        self.reader: socket.socket
        self._writer: socket.socket | None = None
        self.closing = False
        self.patience = 0.0

    def open(self) -> None:
        """Make it ready; not before the process may fork, because a child would share it."""
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def set(self) -> None:
        """End the wait that goes on, or the next one."""
        if (writer := self._writer) is not None:
            with contextlib.suppress(OSError):  # it is full, so the reader will wake; or it is closed
                writer.send(b"\0")

    def clear(self) -> None:
        """Let the next wait wait."""
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        if self._writer is not None:
            self.reader.close()
            self._writer.close()


class Deadline:
    """When an attempt is given up; `wait` ends earlier if the client is being closed."""

    def __init__(self, clock: Clock, seconds: float, wake: Wake) -> None:
        self._clock, self._until, self._wake = clock, clock.monotonic() + seconds, wake
        self.step = "connect"

    def check(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none is left.
            ClientClosedError: the client is being closed.
        """
        if self._wake.closing:
            raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "the device was closed")
        left = self._until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError(f"the {self.step} took too long")
        return left

    def share(self, among: int) -> "Deadline":
        """Return a deadline for the first of so many steps that share the seconds that are left."""
        return Deadline(self._clock, self.check() / among, self._wake)

    def wait(self, sock: socket.socket, *, write: bool) -> None:
        """Wait until the socket can be read, or written."""
        left, ready = self.check(), 0
        poll = select.poll()
        poll.register(sock, select.POLLOUT if write else select.POLLIN)
        poll.register(self._wake.reader, select.POLLIN)
        while not ready:
            events = poll.poll(min(left, SLICE) * 1000)
            ready = sum(fd == sock.fileno() for fd, _ in events)
            self._wake.clear()
            left = self.check()


def open_tls(host: str, port: int, policy: TlsPolicy, deadline: Deadline) -> ssl.SSLSocket:
    """Return a TLS connection whose certificate and host name were checked.

    Raises:
        OSError: it failed; `explained` says why. An `ssl.SSLError` and a `TimeoutError` are OSErrors.
        ClientClosedError: the client is being closed.
    """
    raw = _open_tcp(host, port, deadline)
    try:
        deadline.step = "handshake"
        tls = policy.context.wrap_socket(
            raw, server_hostname=policy.server_hostname or host, do_handshake_on_connect=False
        )
    except BaseException:
        raw.close()
        raise
    try:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                deadline.wait(tls, write=False)
            except ssl.SSLWantWriteError:
                deadline.wait(tls, write=True)
        if policy.verifier is not None:
            _verify(tls, host, policy)
    except BaseException:
        tls.close()
        raise
    return tls


def _open_tcp(host: str, port: int, deadline: Deadline) -> socket.socket:
    failure: OSError = OSError(f"{host} has no address")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for at, (family, kind, protocol, _, address) in enumerate(found):
        patience = deadline.share(len(found) - at)  # an address that does not answer leaves time for the next ones
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(address)
            if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                patience.wait(sock, write=True)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == 0:
                return sock
            failure = OSError(code, os.strerror(code))
        except OSError as error:  # a TimeoutError too
            failure = error
        except BaseException:
            sock.close()
            raise
        sock.close()
    raise failure


def _verify(tls: ssl.SSLSocket, host: str, policy: TlsPolicy) -> None:
    assert policy.verifier is not None  # noqa: S101 - for the type checker
    try:
        accepted = policy.verifier(host, peer_certificate(tls.getpeercert(binary_form=True))) is True
    except Exception as error:
        raise HostNameRefused(f"the hostname_verifier failed on {host!r} with {type(error).__name__}") from error
    if not accepted:
        raise HostNameRefused(f"the hostname_verifier refused the certificate of {host!r}")


def explained(error: OSError, host: str, port: int, policy: TlsPolicy) -> NorthApiException:
    """Return why there is no connection, and what to do."""
    where = f"{host}:{port}"
    why = explain_handshake([error], shows_certificate=policy.shows_certificate)
    if why is not None:
        found = TlsError(SdkCode.NO_ANSWER, f"{where}: {why}", reason=why.reason, likely=why[1:])
        return in_device_words(found, policy, _PLACE)
    if isinstance(error, TimeoutError):
        return RequestTimeoutError(SdkCode.NO_ANSWER, f"{where} did not answer in time: {error}")
    if isinstance(error, socket.gaierror):
        return ConnectionFailedError(SdkCode.NO_ANSWER, f"the host name {host!r} cannot be resolved: {error.strerror}")
    return ConnectionFailedError(SdkCode.NO_ANSWER, f"{where} cannot be reached: {error.strerror or error}")
