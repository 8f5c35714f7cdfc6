"""The port for hubs as an ASGI application: XML becomes messages, answers become XML."""

from __future__ import annotations

import logging
import re
import time
from typing import Any, Final

from iot_northbound.emulator.durable import DataDirError
from iot_northbound.emulator.endpoints import HUB, HUB_PATH
from iot_northbound.emulator.faults import HUB_KINDS, Fault
from iot_northbound.emulator.hub import xml
from iot_northbound.emulator.json_bodies import Receive, Send, read_body
from iot_northbound.emulator.kernel.platform import DUE_AT_ONCE
from iot_northbound.emulator.rules import hubs
from iot_northbound.emulator.rules.hubs import Posted
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.emulator.striking import Port
from iot_northbound.serving.http import CONNECTION, HttpConnection

log = logging.getLogger("iot_northbound.emulator")

PATH: Final = HUB_PATH
_XML = b"text/xml;charset=UTF-8"
_TEXT = b"text/plain;charset=UTF-8"
_TOKEN = re.compile(r'\s*esp\s+token\s*=\s*"([^"]*)"\s*', re.IGNORECASE)


class HubApp:
    """Answers the messages of hubs. Each is answered with HTTP status 200; its own status is in the XML."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._port = runtime, Port(runtime, _XML)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        if body is None:
            return
        if scope["path"].removesuffix("/") != PATH:
            await self._port.respond(send, 404, f"Hubs post to {PATH}.\n".encode(), content_type=_TEXT)
        elif scope["method"] != "POST":
            allow = (b"allow", b"POST")
            await self._port.respond(send, 405, b"Hubs post their messages.\n", allow, content_type=_TEXT)
        else:
            await self._post(scope, body, receive, send)

    async def _post(self, scope: dict[str, Any], body: bytes, receive: Receive, send: Send) -> None:
        runtime, started = self._runtime, time.perf_counter()
        era = runtime.journal.era
        posted: Posted | None = None
        skipped, why = 0, None
        answer: dict[str, Any] = {"status": None, "seq": None}
        content = b""
        try:
            posted, skipped = xml.read(body)
        except xml.Malformed as malformed:
            why, seq = str(malformed), malformed.seq
        else:
            seq = posted.seq
        fault = runtime.faults.for_hub(HUB, None if posted is None else posted.hub_id)
        try:
            if await self._port.strike(fault, "before", scope, receive, send):
                return
            answer = await self._answer(posted, seq, scope, fault)
            content = xml.write(**answer)
            if await self._port.strike(fault, "after", scope, receive, send, (200, content)):
                return
            if fault is not None and fault.kind == "hub_lost":
                connection: HttpConnection = scope["extensions"][CONNECTION]
                connection.reset()
            else:
                await self._port.respond(send, 200, content)
        finally:
            entry = {
                "kind": "hub",
                "at": runtime.platform.clock.now(),
                "endpoint": HUB,
                "hubId": posted and posted.hub_id,
                "messageSeq": seq,
                "status": answer["status"],
                "why": why,
                "measures": len(posted.measures) if posted else 0,
                "adds": len(posted.adds) if posted else 0,
                "responses": len(posted.responses) if posted else 0,
                "skipped": skipped,
                "commands": len(answer.get("commands", ())),
                "unknown": list(answer.get("unknown", ())),
                "requestBytes": len(body),
                "answerBytes": len(content),
                "durationMs": round((time.perf_counter() - started) * 1000, 3),
                "fault": None if fault is None else fault.kind,
            }
            if runtime.journal.bodies:
                entry["request"] = body.decode("utf-8", "replace")
                entry["answer"] = content.decode()
            runtime.journal.note(entry, era=era)

    async def _answer(
        self, posted: Posted | None, seq: str | None, scope: dict[str, Any], fault: Fault | None
    ) -> dict[str, Any]:
        if posted is None:
            return {"status": "ERR_FORMAT", "seq": seq}
        if fault is not None and fault.kind in HUB_KINDS:
            if fault.when == "after":
                await self._take(posted, _token(scope["headers"]))
            return {"status": "ERR", "seq": seq}
        return await self._take(posted, _token(scope["headers"]))

    async def _take(self, posted: Posted, token: str | None) -> dict[str, Any]:
        """Return the answer to a message; what it changed is durable."""
        platform = self._runtime.platform
        try:
            platform.run_due(DUE_AT_ONCE)
            try:
                answer: dict[str, Any] = platform.work(hubs.take, platform, posted, token)
            finally:
                self._runtime.noted()
            await self._runtime.settled()
        except DataDirError as error:
            log.error("%s", error)
        except Exception:
            log.exception("a message of hub %r failed inside the emulator", posted.hub_id)
        else:
            return answer
        return {"status": "ERR", "seq": posted.seq}


def _token(headers: list[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"ppcauthorization" and (found := _TOKEN.fullmatch(value.decode("latin-1"))) is not None:
            return found[1]
    return None
