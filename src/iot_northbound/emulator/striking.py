"""How answers over HTTP are sent, and how a fault spoils one: the same for every port of the emulator."""

from __future__ import annotations

import asyncio
import http
from typing import Any

from iot_northbound.emulator.faults import CALL_KINDS, Fault
from iot_northbound.emulator.json_bodies import Receive, Send, encode
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.serving.http import CONNECTION, HttpConnection

JSON = b"application/json;charset=UTF-8"
_HTML = b"text/html"
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x46 this is not the answer you are looking for \xff\xfe\x00\r\n\r\n"

Header = tuple[bytes, bytes]


class Port:
    """One port: what its answers have in common.

    Args:
        runtime: The platform it is part of.
        content_type: The type of its bodies.
        headers: Headers that each of its answers has.
    """

    def __init__(self, runtime: Runtime, content_type: bytes = JSON, *headers: Header) -> None:
        self._runtime, self._type, self._headers = runtime, content_type, headers

    async def respond(self, send: Send, status: int, body: bytes, *more: Header, content_type: bytes = b"") -> None:
        """Send an answer; a header in `more` replaces another of its name."""
        headers = self._framing(status, len(body), content_type or self._type) | dict(more)
        await send({"type": "http.response.start", "status": status, "headers": list(headers.items())})
        await send({"type": "http.response.body", "body": b"" if status in (204, 304) else body})

    async def strike(
        self,
        fault: Fault | None,
        when: str,
        scope: dict[str, Any],
        receive: Receive,
        send: Send,
        answer: tuple[int, bytes] = (200, b""),
    ) -> bool:
        """Let a fault strike a call, if it is one for calls; return whether the call ends with it.

        Args:
            fault: The fault, or None.
            when: "before" or "after" the work.
            scope: The call.
            receive: Tells when the peer is gone.
            send: Sends the answer.
            answer: Status and body, once the work is done.
        """
        if fault is None or fault.when != when or fault.kind not in CALL_KINDS:
            return False
        status, body = answer
        connection: HttpConnection = scope["extensions"][CONNECTION]
        match fault.kind:
            case "latency":
                await self._runtime.pause(fault.pause)
                return False
            case "stall":
                await self._stall(fault.pause, receive)
                connection.hijack().close()
            case "reset":
                connection.reset()
            case "garbage":
                _write_and_close(connection, _GARBAGE)
            case "truncate":
                _write_and_close(connection, self._head(status, len(body)) + body[: len(body) // 2])
            case "wrong_length":
                announced = max(0, len(body) + fault.delta)
                _write_and_close(connection, self._head(status, len(body), announced) + body)
            case "drip":
                transport = connection.hijack()
                for position, byte in enumerate(self._head(status, len(body)) + body):
                    if position:
                        await self._runtime.pause(fault.pause)
                    if transport.is_closing():
                        break
                    transport.write(bytes([byte]))
                transport.close()
            case _:  # answer
                is_text = isinstance(fault.body, str)
                content = b"" if fault.body is None else fault.body.encode() if is_text else encode(fault.body)
                kind = b"text/plain; charset=utf-8" if is_text else JSON
                more = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in fault.headers.items()]
                await self.respond(send, fault.status, content, *more, content_type=kind)
        return True

    async def _stall(self, seconds: float, receive: Receive) -> None:
        gone = asyncio.ensure_future(receive())
        over = asyncio.ensure_future(self._runtime.pause(seconds))
        _, pending = await asyncio.wait({gone, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()

    def _framing(self, status: int, length: int, content_type: bytes) -> dict[bytes, bytes]:
        """Return the headers of an answer that describe its body, and those of the port.

        An empty 2xx has a content type too, as on the platform: without one, the vendor's Java SDK fails.
        """
        headers = dict(self._headers)
        if status in (204, 304):
            return headers
        headers[b"content-length"] = str(length).encode()
        if length or 200 <= status < 300:
            headers[b"content-type"] = content_type if length else _HTML
        return headers

    def _head(self, status: int, length: int, announced: int | None = None) -> bytes:
        headers = self._framing(status, length, self._type)
        if announced is not None:
            headers[b"content-length"] = str(announced).encode()
        lines = [b"%b: %b\r\n" % header for header in headers.items()]
        return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, http.HTTPStatus(status).phrase.encode(), b"".join(lines))


def _write_and_close(connection: HttpConnection, content: bytes) -> None:
    transport = connection.hijack()
    transport.write(content)
    transport.close()
