"""The AgentLite port as an ASGI application: bytes become calls, answers become bytes."""

from __future__ import annotations

import logging
import time
from typing import Any

from iot_northbound.emulator.agentlite import calls
from iot_northbound.emulator.agentlite.calls import FieldCall, Rule
from iot_northbound.emulator.durable import DataDirError
from iot_northbound.emulator.journal import redacted
from iot_northbound.emulator.json_bodies import Receive, Send, decode, encode, read_body
from iot_northbound.emulator.kernel.calls import INTERNAL, MALFORMED, Answer, Refusal
from iot_northbound.emulator.kernel.platform import DUE_AT_ONCE
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.emulator.striking import JSON, Port
from iot_northbound.serving.pages import page_header

log = logging.getLogger("iot_northbound.emulator")

MARK = (b"x-iot-northbound-emulator", b"1")
"""The header by which a client of ours knows that it does not talk to a platform whose messages nobody documents."""
_NO_SUCH_PATH = Refusal(404, "50404", "The AgentLite port has no such path.")


class AgentLiteApp:
    """Answers bind, login and the calls about devices behind a gateway.

    Args:
        runtime: the platform it is part of.
        mqtt_port: the port of the MQTT endpoint, or None without one.
    """

    def __init__(self, runtime: Runtime, mqtt_port: int | None) -> None:
        self._runtime, self._port = runtime, Port(runtime, JSON, MARK)
        self._mqtt_port = mqtt_port

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        if body is None:
            return
        runtime, started = self._runtime, time.perf_counter()
        era = runtime.journal.era
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        call = FieldCall(decode(body), _bearer(headers), _host(headers, scope), self._mqtt_port)
        path, method = scope["raw_path"].decode("latin-1"), scope["method"]
        found = calls.find(path)
        endpoint = found and f"{method} {found[0]}"
        fault = runtime.faults.for_call(endpoint or f"{method} {path}")
        answer: Answer | None = None
        content = b""
        try:
            if await self._port.strike(fault, "before", scope, receive, send):
                return
            answer, allowed = await self._answer(method, found, headers, call)
            content = b"" if answer.body is None else encode(answer.body)
            if await self._port.strike(fault, "after", scope, receive, send, (answer.status, content)):
                return
            more = [(b"allow", ", ".join(allowed).encode())] if allowed else []
            await self._port.respond(send, answer.status, content, *more)
        finally:
            entry = {
                "kind": "agentlite",
                "at": runtime.platform.clock.now(),
                "endpoint": endpoint,
                "method": method,
                "path": path,
                "status": answer.status if answer is not None else None,
                "errorCode": answer.body.get("error_code") if answer and isinstance(answer.body, dict) else None,
                "deviceId": call.device_id,
                "requestBytes": len(body),
                "answerBytes": len(content),
                "durationMs": round((time.perf_counter() - started) * 1000, 3),
                "fault": fault.kind if fault is not None else None,
            }
            if runtime.journal.bodies:
                entry["request"] = "malformed" if call.body is MALFORMED else redacted(call.body)
                entry["answer"] = redacted(answer.body) if answer is not None else None
            runtime.journal.note(entry, era=era)

    async def _answer(
        self, method: str, found: calls.Found | None, headers: dict[str, str], call: FieldCall
    ) -> tuple[Answer, list[str]]:
        """Return the answer, and the methods to name if the method is wrong."""
        if shown := page_header(headers.items()):
            refusal = Refusal(403, "1010005", f"Web pages may not call this port: leave out the header {shown}.")
            return refusal.answer(), []
        if found is None:
            return _NO_SUCH_PATH.answer(), []
        template, rules, call.child = found
        rule = rules.get(method)
        if rule is None:
            allowed = sorted(rules)
            return Refusal(405, "50405", f"This path takes {' and '.join(allowed)}.").answer(), allowed
        try:
            answer = self._work(rule, call)
            await self._runtime.settled()
        except Refusal as refusal:
            answer = refusal.answer()
        except DataDirError as error:
            log.error("%s", error)
            answer = Refusal(*INTERNAL).answer()
        except Exception:
            log.exception("%s %s failed inside the AgentLite port", method, template)
            answer = Refusal(*INTERNAL).answer()
        return answer, []

    def _work(self, rule: Rule, call: FieldCall) -> Answer:
        platform = self._runtime.platform
        platform.run_due(DUE_AT_ONCE)
        try:
            answer: Answer = platform.work(rule, platform, call)
        finally:
            self._runtime.noted()
        return answer


def _bearer(headers: dict[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _host(headers: dict[str, str], scope: dict[str, Any]) -> str:
    """Return the name or address by which the device has reached this port."""
    host = headers.get("host", "")
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    return name or str(scope["server"][0])
