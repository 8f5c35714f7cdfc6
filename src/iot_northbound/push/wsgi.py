"""The receiver as a WSGI application: Flask, Django, gunicorn and others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from iot_northbound.push import reply
from iot_northbound.push.access import DECLARED_BY, Declared, Peer
from iot_northbound.push.reply import Reply

if TYPE_CHECKING:
    from iot_northbound.push.receiver import PushMessageReceiver

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class WsgiAdapter:
    """A WSGI application. `in_front_of` puts it in front of another one, which gets all other paths."""

    def __init__(self, receiver: PushMessageReceiver) -> None:
        self._receiver = receiver

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        answer = self._answer(environ)
        start_response(f"{answer.status} {answer.reason}", answer.all_headers)
        return [answer.body]

    def in_front_of(self, app: WsgiApp) -> WsgiApp:
        """Return an application that answers the receiver's own paths, and passes all others to `app`."""

        def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            ours = self._receiver.gate.owns(environ.get("PATH_INFO", ""), environ.get("SCRIPT_NAME", ""))
            return (self if ours else app)(environ, start_response)

        return application

    def _answer(self, environ: Environ) -> Reply:
        try:
            return self._read_and_answer(environ)
        except OSError as error:  # servers raise it if a body ends early, or is not in the chunks it claims
            return self._receiver.refuse(reply.not_a_message(f"the body cannot be read: {error}"))

    def _read_and_answer(self, environ: Environ) -> Reply:
        length = environ.get("CONTENT_LENGTH") or None
        if length is not None and not (length.isascii() and length.isdigit()):
            return self._receiver.refuse(reply.not_a_message(f"Content-Length {length!r} is not a number"))
        size = None if length is None else int(length[:20])
        declared = Declared.of((header, environ[name]) for header, name in _DECLARED.items() if name in environ)
        refusal = self._receiver.refuses(
            environ.get("REQUEST_METHOD", ""),
            environ.get("PATH_INFO", ""),
            environ.get("SCRIPT_NAME", ""),
            size,
            _peer(environ),
            declared,
        )
        if refusal is not None:
            return refusal
        limit = self._receiver.gate.body_limit
        if size is None:
            # A chunked body: it can be read only if the server says that its stream ends.
            if not environ.get("wsgi.input_terminated") and environ.get("HTTP_TRANSFER_ENCODING"):
                why = "the body came in chunks, which this server does not pass on: send a Content-Length"
                return self._receiver.refuse(reply.not_a_message(why))
            body = environ["wsgi.input"].read(limit + 1) if environ.get("wsgi.input_terminated") else b""
        else:
            body = environ["wsgi.input"].read(size)
            if len(body) < size:
                return self._receiver.refuse(reply.not_a_message("the body ended early"))
        if len(body) > limit:
            return self._receiver.refuse(reply.too_large(limit))
        plain = self._receiver.gate.unpacked(body, declared)
        return (
            self._receiver.refuse(plain)
            if isinstance(plain, Reply)
            else self._receiver.accept(plain, declared.content_type)
        )


_DECLARED = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in DECLARED_BY} | {"content-type": "CONTENT_TYPE"}


def _peer(environ: Environ) -> Peer:
    """Return the sender, with the certificate's name as mod_ssl, uWSGI and nginx pass it on in the environment."""
    certificate = environ.get("peercert")
    if isinstance(certificate, dict):
        return Peer.of_certificate(environ.get("REMOTE_ADDR"), certificate)
    name = environ.get("SSL_CLIENT_S_DN_CN") if environ.get("SSL_CLIENT_VERIFY") == "SUCCESS" else None
    return Peer(environ.get("REMOTE_ADDR"), (name,) if name else ())
