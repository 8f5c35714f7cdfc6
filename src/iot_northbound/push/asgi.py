"""The receiver as an ASGI application: FastAPI, Starlette, uvicorn, hypercorn, and its own server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from iot_northbound.push import reply
from iot_northbound.push.access import DECLARED_BY, Declared, Peer
from iot_northbound.push.reply import Reply

if TYPE_CHECKING:
    from iot_northbound.push.receiver import PushMessageReceiver

_DECLARED = {name.encode(): name for name in DECLARED_BY}
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class AsgiAdapter:
    """An ASGI application. It starts and stops the receiver, if the server supports the lifespan protocol."""

    def __init__(self, receiver: PushMessageReceiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or start and stop with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            answer = await self._answer(scope, receive)
            if answer is None:
                return
            headers = [(name.encode(), value.encode()) for name, value in answer.all_headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await asyncio.to_thread(self._receiver.start)
                except Exception as error:  # noqa: BLE001  # the server reports it and ends
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self._receiver.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive) -> Reply | None:
        """Return the answer; None if the sender is gone."""
        length: int | None = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                if not value.isdigit():
                    return self._receiver.refuse(reply.not_a_message("Content-Length is not a number"))
                length = int(value[:20])
        declared = Declared.of(
            (_DECLARED[name], value.decode("latin-1")) for name, value in scope["headers"] if name in _DECLARED
        )
        root, path = scope.get("root_path", ""), scope["path"]
        # In some servers and frameworks the path includes the mount point, in others not: the gate accepts both.
        refusal = self._receiver.refuses(scope["method"], path, root, length, _peer(scope), declared)
        if refusal is not None:
            return refusal
        body = await self._read(receive)
        if body is None or isinstance(body, Reply):
            return body
        plain = self._receiver.gate.unpacked(body, declared)
        if isinstance(plain, Reply):
            return self._receiver.refuse(plain)
        return await self._receiver.accept_async(plain, declared.content_type)

    async def _read(self, receive: Receive) -> bytes | Reply | None:
        limit = self._receiver.gate.body_limit
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._receiver.missed()
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                return self._receiver.refuse(reply.too_large(limit))
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _peer(scope: Scope) -> Peer:
    client = scope.get("client")
    address = client[0] if client else None
    facts = scope.get("extensions", {}).get("tls") or {}
    if facts.get("client_cert"):
        return Peer.of_certificate(address, facts["client_cert"])
    return Peer.of_name(address, facts.get("client_cert_name"))
