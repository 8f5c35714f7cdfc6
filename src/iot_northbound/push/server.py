"""The receiver's own server: TLS, deadlines and caps of `serving.GuardedServer` around the ASGI application."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from iot_northbound.core.clock import SYSTEM_CLOCK
from iot_northbound.errors import SdkCode, TlsError
from iot_northbound.push.reply import Reply
from iot_northbound.serving import Limits
from iot_northbound.serving.http import GuardedServer, json_refusal
from iot_northbound.serving.tls import set_checks

if TYPE_CHECKING:
    from iot_northbound.push.receiver import PushMessageReceiver

log = logging.getLogger("iot_northbound.push")


def server_context(
    certificate: str | os.PathLike[str],
    key: str | os.PathLike[str] | None = None,
    *,
    password: str | None = None,
    client_ca: str | os.PathLike[str] | None = None,
    require_client_certificate: bool = True,
    strict_x509: bool = False,
) -> ssl.SSLContext:
    """Return the server's side of TLS 1.2 and up, from PEM files.

    Args:
        certificate: the server's certificate, those of its issuers behind it.
        key: its key; None where it stands in the same file.
        password: the key's password.
        client_ca: who issues the platform's client certificate; given, the client's certificate is verified.
        require_client_certificate: whether a client without one is turned away; counts with `client_ca` alone.
        strict_x509: whether the client's certificate and its CA must keep every rule of RFC 5280. Off, since many
            platforms' own CAs do not; the same on every Python version.

    Raises:
        TlsError: a file is missing, or holds something else (1006).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    set_checks(context, strict_x509=strict_x509)
    chain, secret = _read(certificate), _read(key if key is not None else certificate)
    try:
        # A callable, so that an encrypted key without a password fails instead of asking on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: password or "")
    except (ssl.SSLError, ValueError) as error:
        raise _unusable(_why(error, chain, secret), certificate, key) from error
    if client_ca is not None:
        _read(client_ca)
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            raise _unusable("it holds no PEM certificate", client_ca) from error
        context.verify_mode = ssl.CERT_REQUIRED if require_client_certificate else ssl.CERT_OPTIONAL
    return context


def _read(file: str | os.PathLike[str]) -> bytes:
    """Return a file's content: OpenSSL's own errors name no file, and say little else."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise _unusable(str(error.strerror), file) from error


def _unusable(why: str, *files: str | os.PathLike[str] | None) -> TlsError:
    named = " with ".join(str(each) for each in files if each is not None)
    return TlsError(SdkCode.TLS, f"{named} cannot be used for the server's TLS: {why}")


def _why(error: ssl.SSLError | ValueError, chain: bytes, secret: bytes) -> str:
    if b"-----BEGIN CERTIFICATE" not in chain:
        return "there is no PEM certificate"
    if b"PRIVATE KEY-----" not in secret:
        return "there is no PEM private key"
    if "MISMATCH" in str(error):
        return "the key does not belong to the certificate, they must be made as a pair"
    if b"ENCRYPTED" in secret:
        return "the key's password is missing or wrong"
    return f"OpenSSL does not take it ({getattr(error, 'reason', None) or error})"


class ReceiverServer:
    """Serves a receiver; made by `PushMessageReceiver.server`."""

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
        """The callback URL to subscribe with: the route's path is in it, a path secret is not.

        The host is the one listened on; put in the name the platform reaches this machine by.
        """
        host, port = self.address
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}{self._receiver.gate.route}"

    def _refusal(self, status: int, message: str) -> bytes:
        """Count what the server refuses before the receiver sees it."""
        self._receiver.refuse(Reply(status, message))
        return json_refusal(status, message)

    def _open(self) -> None:
        """Take the port first, as that fails without a trace, then the inbox."""
        self._server.bind()
        try:
            self._receiver.start()
        except BaseException:
            self._server.unbind()
            raise

    def start(self) -> Self:
        """Open the inbox, listen, and serve on a thread.

        Raises:
            BindError: the address cannot be had.
            InboxError: the inbox cannot be opened.
        """
        self._open()
        self._server.start()
        return self

    def stop(self) -> bool:
        """Answer what is under way, listen no more, handle what was taken; return whether all of it was handled."""
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
            log.info("served %.0f s; %s", served, "all handled" if finished else "the rest waits in the inbox")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
