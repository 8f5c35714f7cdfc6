"""The northbound API as an ASGI application: bytes become requests, answers become bytes, and faults strike here."""

from __future__ import annotations

import asyncio
import http
import logging
import time
from typing import Any
from urllib.parse import parse_qsl

from iot_northbound.emulator.durable import DataDirError
from iot_northbound.emulator.faults import Fault
from iot_northbound.emulator.journal import redacted
from iot_northbound.emulator.json_bodies import Receive, Send, decode, encode, read_body
from iot_northbound.emulator.kernel.calls import INTERNAL, MALFORMED, Answer, Refusal, Request
from iot_northbound.emulator.kernel.routing import ROUTES
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.serving.http import CONNECTION, HttpConnection

log = logging.getLogger("iot_northbound.emulator")

_JSON = b"application/json;charset=UTF-8"
_HTML = b"text/html"
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x46 this is not the answer you are looking for \xff\xfe\x00\r\n\r\n"


def server_refusal(status: int, message: str) -> bytes:
    """Return the body of a refusal by the server itself, in the platform's shape."""
    return encode(Refusal(status, "50400", f"The request could not be read: {message}.").answer().body)


def read_request(scope: dict[str, Any], body: bytes) -> Request:
    """Return the kernel's request for an ASGI request."""
    content_type, authorization, app_key = b"", b"", None
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"app_key":
            app_key = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value.lower()
    query = scope["query_string"]
    is_form = content_type.startswith(b"application/x-www-form-urlencoded")
    scheme, _, token = authorization.partition(b" ")
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=_pairs(query) if query else {},
        body=None if is_form else decode(body),
        form=_pairs(body) if is_form else None,
        token=token.strip().decode("latin-1") if scheme.lower() == b"bearer" else None,
        app_key=app_key,
    )


def _pairs(text: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True))
    except ValueError:  # more fields than parse_qsl will take
        return {}


class NorthboundApp:
    """Answers the platform's calls."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        if body is None:
            return
        runtime, started = self._runtime, time.perf_counter()
        era = runtime.journal.era
        request = read_request(scope, body)
        found = ROUTES.find(request.path)
        route = found[0].get(request.method) if found else None
        endpoint = f"{route.method} {route.template}" if route else None
        fault = runtime.faults.for_call(endpoint or f"{request.method} {request.path}")
        answer: Answer | None = None
        sent: bytes | None = b""
        try:
            if fault is not None and fault.when == "before" and await self._strike(fault, scope, receive, send):
                return
            try:
                answer = runtime.handle(request)
                await runtime.settled()
            except DataDirError as error:
                log.error("%s", error)
                answer = Refusal(*INTERNAL).answer()
            sent = b"" if answer.body is None else encode(answer.body)
            whole = answer.status, sent
            if fault is not None and fault.when == "after" and await self._strike(fault, scope, receive, send, whole):
                return
            await _respond(send, answer.status, sent)
        finally:
            entry = {
                "kind": "call",
                "at": runtime.platform.clock.now(),
                "endpoint": endpoint,
                "method": request.method,
                "path": request.path,
                "status": answer.status if answer is not None else None,
                "errorCode": _error_code(answer),
                "requestBytes": len(body),
                "answerBytes": len(sent or b""),
                "durationMs": round((time.perf_counter() - started) * 1000, 3),
                "fault": fault.kind if fault is not None else None,
            }
            if runtime.journal.bodies:
                sent_body = request.body if request.form is None else dict(request.form)
                entry["request"] = "malformed" if sent_body is MALFORMED else redacted(sent_body)
                entry["query"] = redacted(dict(request.query))
                entry["answer"] = redacted(answer.body) if answer is not None else None
            runtime.journal.note(entry, era=era)

    async def _strike(
        self, fault: Fault, scope: dict[str, Any], receive: Receive, send: Send, whole: tuple[int, bytes] = (200, b"")
    ) -> bool:
        """Let a fault strike; return whether the call ends with it."""
        connection: HttpConnection = scope["extensions"][CONNECTION]
        status, body = whole
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
                _write_and_close(connection, _head(status, len(body)) + body[: len(body) // 2])
            case "wrong_length":
                _write_and_close(connection, _head(status, len(body), max(0, len(body) + fault.delta)) + body)
            case "drip":
                transport = connection.hijack()
                for position, byte in enumerate(_head(status, len(body)) + body):
                    if position:
                        await self._runtime.pause(fault.pause)
                    if transport.is_closing():
                        break
                    transport.write(bytes([byte]))
                transport.close()
            case "answer":
                is_text = isinstance(fault.body, str)
                content = b"" if fault.body is None else fault.body.encode() if is_text else encode(fault.body)
                kind = b"text/plain; charset=utf-8" if is_text else _JSON
                await _respond(send, fault.status, content, kind, fault.headers)
            case other:
                raise ValueError(f"a call cannot meet {other!r}")
        return True

    async def _stall(self, seconds: float, receive: Receive) -> None:
        gone = asyncio.ensure_future(receive())
        over = asyncio.ensure_future(self._runtime.pause(seconds))
        _, pending = await asyncio.wait({gone, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()


def _error_code(answer: Answer | None) -> str | None:
    if answer is None or answer.status < 400 or not isinstance(answer.body, dict):
        return None
    return answer.body.get("error_code") or answer.body.get("resultcode")


def _framing(status: int, length: int, content_type: bytes) -> dict[bytes, bytes]:
    """Return the headers of an answer that describe its body.

    An empty 2xx has a content type too, as on the platform: without one, the vendor's Java SDK fails.
    """
    if status in (204, 304):
        return {}
    headers = {b"content-length": str(length).encode()}
    if length or 200 <= status < 300:
        headers[b"content-type"] = content_type if length else _HTML
    return headers


def _head(status: int, length: int, announced: int | None = None) -> bytes:
    headers = _framing(status, length, _JSON)
    if announced is not None:
        headers[b"content-length"] = str(announced).encode()
    lines = [b"%b: %b\r\n" % header for header in headers.items()]
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, http.HTTPStatus(status).phrase.encode(), b"".join(lines))


def _write_and_close(connection: HttpConnection, content: bytes) -> None:
    transport = connection.hijack()
    transport.write(content)
    transport.close()


async def _respond(
    send: Send, status: int, body: bytes, content_type: bytes = _JSON, extra: dict[str, str] | None = None
) -> None:
    headers = _framing(status, len(body), content_type)
    for name, value in (extra or {}).items():
        headers[name.lower().encode("ascii")] = value.encode("ascii")
    await send({"type": "http.response.start", "status": status, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": b"" if status in (204, 304) else body})
