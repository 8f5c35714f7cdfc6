"""Posts to an application within a time, however slowly it answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from iot_northbound.core.framing import PlatformResponse


class TooLateError(Exception):
    """The answer did not come in time."""


class Poster:
    """Posts, and keeps the connection for the next post. A thread has its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._late = False
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands before an application of this machine
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(self))

    def post(self, url: str, body: bytes, headers: dict[str, str], within: float) -> int:
        """Return the status of the answer; its body is not read.

        Raises:
            TooLateError: the head of the answer was not there in time.
            requests.exceptions.RequestException: there was no answer that can be read.
        """
        with self._cut_after(within):
            try:
                with self._session.post(
                    url, body, headers=headers, timeout=within, allow_redirects=False, stream=True
                ) as answer:
                    status = answer.status_code
            except Exception:
                if self._late:
                    raise TooLateError from None
                raise
        if self._late:
            raise TooLateError  # what came until then looks like an answer
        return status

    def opened(self, sock: socket.socket) -> None:
        """Know the socket that is used from now on."""
        with self._lock:
            self._sock = sock
            if self._late:
                self._cut()

    @contextlib.contextmanager
    def _cut_after(self, seconds: float) -> Iterator[None]:
        # The timeout of a socket is for one read: an application that sends a byte now and then never reaches it.
        def end() -> None:
            with self._lock:
                self._late = True
                self._cut()

        self._late = False
        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _cut(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # without the farewell of TLS


class _Adapter(HTTPAdapter):
    def __init__(self, poster: Poster) -> None:
        self._poster = poster
        super().__init__()

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        poster = self._poster

        class Plain(HTTPConnection):
            response_class = PlatformResponse

            def connect(self) -> None:
                super().connect()
                poster.opened(self.sock)

        class Tls(HTTPSConnection):
            response_class = PlatformResponse

            def connect(self) -> None:
                super().connect()
                poster.opened(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = Tls

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}
