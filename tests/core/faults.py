"""Ways for a server to misbehave, and calls made to see what comes of it."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tests.faulty_server import Seen, Wire, message

from iot_northbound import (
    NorthApiException,
)
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import response

READ: Endpoint[None] = Endpoint("GET", "/read/{item}", type(None), section="test")
WRITE: Endpoint[None] = Endpoint("POST", "/write", type(None), section="test")
PUT: Endpoint[None] = Endpoint("PUT", "/put", type(None), section="test", repeatable=True)
TOKEN = "a-token-of-the-caller"
PATIENCE = 30.0
"""Seconds a call with a short deadline may take at most on a busy machine; a hang takes 60."""


def call(client: Any, endpoint: Endpoint[Any] = READ, **rest: Any) -> Any:
    ids = {"item": "1"} if endpoint is READ else {}
    body = None if endpoint is READ else {"text": "x"}
    return client.call(endpoint, ids, body=body, access_token=TOKEN, **rest)


def fails(client: Any, endpoint: Endpoint[Any], kind: type[NorthApiException], code: str) -> NorthApiException:
    started = time.monotonic()
    with pytest.raises(NorthApiException) as caught:
        call(client, endpoint)
    assert time.monotonic() - started < PATIENCE
    error = caught.value
    assert (type(error), error.error_code, error.endpoint) == (kind, code, endpoint.name)
    assert TOKEN not in f"{error}{error!r}{error.__cause__}{error.__context__!r}"
    return error


def ok(seen: Seen, wire: Wire) -> Any:
    return 200, {"ok": True}


def reset(seen: Seen, wire: Wire) -> None:
    wire.reset()


def close(seen: Seen, wire: Wire) -> None:
    wire.close()


def stall(seen: Seen, wire: Wire) -> None:
    wire.hold()


def slow_head(seen: Seen, wire: Wire) -> None:
    wire.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2000)


def slow_body(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
    wire.drip(b"[" * 2000)


def slow_chunks(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2000):
        wire.send(b"1\r\n[\r\n")
        wire.pause(1)


def endless_continue(seen: Seen, wire: Wire) -> None:
    while True:
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.pause(1)


def endless_body(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        wire.send(b"[" * 65536)


def truncated(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b'{"half":')
    wire.close()


def truncated_chunk(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{")
    wire.close()


def missing_last_chunk(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
    wire.close()


def bad_chunk(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsurprise\r\n")
    wire.close()


def bad_gzip(seen: Seen, wire: Wire) -> Any:
    return 200, b"not compressed at all", {"Content-Encoding": "gzip"}


def garbage(seen: Seen, wire: Wire) -> None:
    wire.send(b"220 mail.example ready " + seen.token.encode() + b"\r\n")
    wire.close()


def endless_header(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")


def too_many_headers(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 500 + b"\r\n")


# -- answers that say which request they belong to ------------------------------------------------------------------


@response
class Echo:
    path: str | None = None


def ask(client: Any, number: object, method: str = "GET", **body: Any) -> str | None:
    """Return which request the answer says it belongs to."""
    endpoint = Endpoint(method, f"/{number}", Echo, section="test")
    return client.call(endpoint, {}, body=body or None, access_token=TOKEN).path  # type: ignore[no-any-return]


def echo(seen: Seen) -> bytes:
    return message(200, {"path": seen.path})


def interim(status: int, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Word\r\n{lines}\r\n".encode()


def answering(*pieces: Callable[[Seen], bytes] | bytes) -> Any:
    """A handler that sends these, each by itself."""

    def handler(seen: Seen, wire: Wire) -> None:
        for piece in pieces:
            wire.send(piece if isinstance(piece, bytes) else piece(seen))

    return handler


def at_once(handler: Any) -> Any:
    """The same handler, with all it sends in one piece."""

    def joined(seen: Seen, wire: Wire) -> None:
        sent: list[bytes] = []
        handler(seen, SimpleNamespace(send=sent.append))
        wire.send(b"".join(sent))

    return joined


FALSE = message(200, {"path": "/false"})
"""An answer to nobody."""
