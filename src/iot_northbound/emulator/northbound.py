"""The northbound API as an ASGI application: bytes become requests, answers become bytes."""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import parse_qsl

from iot_northbound.emulator.durable import DataDirError
from iot_northbound.emulator.journal import redacted
from iot_northbound.emulator.json_bodies import Receive, Send, decode, encode, read_body
from iot_northbound.emulator.kernel.calls import INTERNAL, MALFORMED, Answer, Refusal, Request
from iot_northbound.emulator.kernel.routing import ROUTES
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.emulator.striking import Port

log = logging.getLogger("iot_northbound.emulator")


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
        self._runtime, self._port = runtime, Port(runtime)

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
            if fault is not None and await self._port.strike(fault, "before", scope, receive, send):
                return
            try:
                answer = runtime.handle(request)
                await runtime.settled()
            except DataDirError as error:
                log.error("%s", error)
                answer = Refusal(*INTERNAL).answer()
            sent = b"" if answer.body is None else encode(answer.body)
            whole = answer.status, sent
            if fault is not None and await self._port.strike(fault, "after", scope, receive, send, whole):
                return
            await self._port.respond(send, answer.status, sent)
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


def _error_code(answer: Answer | None) -> str | None:
    if answer is None or answer.status < 400 or not isinstance(answer.body, dict):
        return None
    return answer.body.get("error_code") or answer.body.get("resultcode")
