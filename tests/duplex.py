"""A TLS socket that several threads of a test use: OpenSSL allows only one of them at a time."""

import io
import select
import socket
import ssl
import threading
from typing import Any


class Duplex(io.RawIOBase):
    """One thread reads, as from a raw stream, and any thread sends."""

    def __init__(self, tls: ssl.SSLSocket, patience: float = 60) -> None:
        self._tls = tls
        self._patience = patience
        self._lock = threading.Lock()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # The wait for bytes is outside of the lock, so that others can send meanwhile.
        if not self._tls.pending() and not select.select([self._tls], [], [], self._patience)[0]:
            raise TimeoutError
        with self._lock:
            return self._tls.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        with self._lock:
            self._tls.sendall(data)

    def cut(self) -> None:
        """End the connection without a word."""
        socket.socket.shutdown(self._tls, socket.SHUT_RDWR)
