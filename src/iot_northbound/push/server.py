"""The receiver's own server: its ASGI application on the guarded HTTP server."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from iot_northbound._extras import needs_extra
from iot_northbound.core.clock import SYSTEM_CLOCK
from iot_northbound.push import arguments
from iot_northbound.push.failures import log
from iot_northbound.push.reply import Reply
from iot_northbound.serving import Limits

with needs_extra("receiver"):
    from iot_northbound.serving.http import GuardedServer, json_refusal

if TYPE_CHECKING:
    from iot_northbound.push.receiver import PushMessageReceiver


class ReceiverServer:
    """Serves a receiver; `PushMessageReceiver.server` makes it."""

    def __init__(
        self,
        receiver: PushMessageReceiver,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        *,
        limits: Limits | None = None,
        drain: float = 30.0,
    ) -> None:
        arguments.check("host", host, str)
        arguments.whole("port", port, least=0)
        arguments.check("ssl", context, ssl.SSLContext, type(None))
        arguments.check("limits", limits, Limits, type(None))
        arguments.seconds("drain", drain)
        self._receiver, self._drain = receiver, drain
        bounded = replace(limits or Limits(), body_limit=receiver.gate.body_limit)
        self._server = GuardedServer(
            receiver.asgi, host, port, ssl_context=context, limits=bounded, refusal=self._refusal
        )
        self._scheme = "https" if context is not None else "http"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the real port once it runs."""
        return self._server.address

    @property
    def url(self) -> str:
        """The callback URL to subscribe with. It includes the route's path, but not a path secret.

        Its host is the address the server listens on. Replace it by the name under which the platform reaches this
        machine.
        """
        host, port = self.address
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}{self._receiver.gate.route}"

    def _refusal(self, status: int, message: str) -> bytes:
        """Count what the server refuses before the receiver sees it."""
        self._receiver.refuse(Reply(status, message))
        return json_refusal(status, message)

    def _open(self) -> None:
        """Take the port first, because a failure there leaves nothing behind; then open the inbox."""
        self._server.bind()
        try:
            self._receiver.start()
        except BaseException:
            self._server.unbind()
            raise

    def start(self) -> Self:
        """Open the inbox, listen, and serve on a thread.

        Raises:
            BindError: the server cannot get the address.
            InboxError: the inbox cannot be opened.
        """
        self._open()
        self._server.start()
        return self

    def stop(self) -> bool:
        """Stop listening, answer the requests under way, handle what was accepted; return whether all was handled."""
        self._server.stop()
        return self._receiver.stop(self._drain)

    def serve_forever(self, ready: Callable[[], None] | None = None) -> None:
        """Serve in the foreground until SIGTERM or SIGINT; call `ready` once messages are answered."""
        self._open()
        started = SYSTEM_CLOCK.monotonic()
        try:
            self._server.serve_forever(ready)
        finally:
            finished = self._receiver.stop(self._drain)
            served = SYSTEM_CLOCK.monotonic() - started
            log.info("served %.0f s; %s", served, "all messages handled" if finished else "the rest waits in the inbox")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
