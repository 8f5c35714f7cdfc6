"""Serves the application under test on a real port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import attrs

from iot_northbound._extras import needs_extra

with needs_extra("testing"):
    import uvicorn

HOST = "127.0.0.1"
_GRACE = 5
"""Seconds that requests under way have at the end of a test."""
PATIENCE = 60.0
"""Seconds that an application has to start, and to end: then the test fails instead of waiting for ever."""


@attrs.frozen
class ServedApp:
    """An application that is being served.

    Attributes:
        url: Its address, without a path: ``http://127.0.0.1:40123``.
    """

    url: str

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2])


class ServeApp:
    """Serves applications until the test ends.

    Args:
        context: Makes the TLS context of a server that the platform trusts.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._context = context
        self._open = contextlib.ExitStack()

    def __call__(self, app: Any, *, tls: bool = False) -> ServedApp:
        """Serve an application on a free port, on threads of its own, and return where.

        Args:
            app: An ASGI application, which gets its lifespan events too, or a WSGI application.
            tls: Whether it is served over HTTPS. The certificate is one that the platform trusts; others verify it with
                ``iot_platform.ca``.

        Raises:
            TypeError: It is neither an ASGI nor a WSGI application.
            RuntimeError: The application failed to start; the log has its traceback. Or it has not started in a minute.
        """
        serve = _asgi if _is_asgi(app) else _wsgi
        port = self._open.enter_context(serve(app, self._context() if tls else None))
        return ServedApp(f"{'https' if tls else 'http'}://{HOST}:{port}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def _is_asgi(app: Any) -> bool:
    for is_asgi, arguments in ((True, ("scope", "receive", "send")), (False, ("environ", "start_response"))):
        with contextlib.suppress(TypeError, ValueError):
            inspect.signature(app).bind(*arguments)
            return is_asgi
    raise TypeError(
        f"{app!r} is not an application: it must take (scope, receive, send) as ASGI says, or "
        "(environ, start_response) as WSGI says"
    )


class _Server(uvicorn.Server):
    """Says when it serves, or that it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.decided = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.decided.set()

    def serve_on(self, listening: socket.socket) -> None:
        try:
            with contextlib.suppress(SystemExit):  # its end if the application does not start
                asyncio.run(self.serve([listening]))
        finally:
            self.decided.set()


@contextlib.contextmanager
def _asgi(app: Any, context: ssl.SSLContext | None) -> Iterator[int]:
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE)
    config.load()
    config.ssl = context
    server = _Server(config)
    listening = socket.create_server((HOST, 0))
    thread = threading.Thread(target=server.serve_on, args=(listening,), name="serve_app", daemon=True)
    thread.start()
    try:
        if not server.decided.wait(PATIENCE):
            raise RuntimeError(f"{app!r} has not started within {PATIENCE:g} s")
        if not server.started:
            raise RuntimeError(f"{app!r} failed to start; the log of the test has its traceback")
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        if not thread.is_alive():
            listening.close()
    if thread.is_alive():
        raise RuntimeError(f"{app!r} has not ended within {PATIENCE:g} s; its thread goes on")


class _WsgiServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # that of HTTPServer asks the DNS for a name
        self.server_name, self.server_port = HOST, self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that their peers cut."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Write no line per request."""


@contextlib.contextmanager
def _wsgi(app: Any, context: ssl.SSLContext | None) -> Iterator[int]:
    with _WsgiServer((HOST, 0), _Quiet) as server:
        server.set_app(app)
        if context is not None:
            # The handshake happens on the thread of the connection: a peer that sends nothing holds up nobody.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="serve_app", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
