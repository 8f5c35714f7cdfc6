"""The console page as an ASGI application: who may see it, and which page, action or file an address is."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, unquote

from iot_northbound.emulator.console.access import Session, Sessions
from iot_northbound.emulator.console.acting import Acting
from iot_northbound.emulator.console.live import Live
from iot_northbound.emulator.console.pages import PAGES, Rendering, link
from iot_northbound.emulator.console.reading import NoSuchPage, Reading
from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.guard import content_types, foreign, headers_of
from iot_northbound.emulator.json_bodies import Receive, Send, read_body
from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
from iot_northbound.emulator.runtime import Runtime

log = logging.getLogger("iot_northbound.emulator")

_HTML = "text/html; charset=utf-8"
_FORM = "application/x-www-form-urlencoded"
_STATIC: Mapping[str, str] = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_BACK = re.compile(r"/console/[\w/?=&%.~+-]*", re.ASCII)
_GUARDS: tuple[tuple[str, str], ...] = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    # Not no-referrer: with that a form would say Origin: null, which is refused.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)


@dataclass(frozen=True)
class Answer:
    """An answer as a whole."""

    status: int
    content: bytes = b""
    kind: str = _HTML
    more: tuple[tuple[str, str], ...] = ()


class ConsoleApp:
    """Serves the console page.

    Args:
        runtime: The running emulator.
        control: Its control plane.
        facts: Its addresses.
        mqtt: Its port for MQTT, if it has one.
        port: The control port.
    """

    def __init__(
        self,
        runtime: Runtime,
        control: Control,
        facts: Callable[[], Mapping[str, Any]],
        mqtt: MqttEndpoint | None,
        port: int,
    ) -> None:
        self._control = control
        self._reading = Reading(runtime, facts, mqtt)
        self._rendering = Rendering()
        self._acting = Acting(control)
        self._sessions = Sessions(port)
        self.live = Live(runtime, self._rendering)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await read_body(receive)
        if body is None:
            return
        headers = headers_of(scope["headers"])
        try:
            if error := foreign(headers):
                answer = self._problem(403, "Not from here", error)
            else:
                path = [unquote(part) for part in scope["raw_path"].decode("latin-1").split("/")[2:]]
                query = _pairs(scope["query_string"])
                session = self._sessions.of(headers)
                if session is not None and path[:1] == ["live"] and scope["method"] == "GET":
                    await self._stream(path[1:], query, scope, receive, send)
                    return
                form = _pairs(body) if content_types(headers) == {_FORM} else {}
                answer = await self._answer(scope["method"], path, query, session, form)
        except Exception:
            log.exception("the console page failed at %s %s", scope["method"], scope["path"])
            answer = self._problem(500, "Something failed", "The emulator's log says more.")
        await _respond(send, answer)

    async def _answer(
        self, method: str, path: list[str], query: dict[str, str], session: Session | None, form: dict[str, str]
    ) -> Answer:
        if path[:1] == ["static"] and method == "GET":
            return self._file(path[1:])
        if path == ["open"] and method == "GET":
            return self._open(query.get("key", ""), session)
        if session is None:
            return self._problem(401, "This page is locked", _LOCKED)
        if method == "POST":
            return await self._act(path, session, form)
        if method != "GET":
            return self._problem(405, "Not possible", "This page takes GET and POST.", (("allow", "GET, POST"),))
        if path[:1] == ["do"] and len(path) == 2:
            return await self._form(path[1], session, query)
        return await self._page(path, query, session)

    # --- pages ---

    async def _page(self, path: list[str], query: dict[str, str], session: Session) -> Answer:
        try:
            values = self._values(path, query)
        except NoSuchPage as error:
            return self._problem(404, "Nothing here", str(error))
        live = values["back"].replace("/console/", "/console/live/", 1)
        values |= {**self._clock(), **_frame(session), "live": live}
        return await self._rendered(200, f"{values['page'].name}.html", values)

    def _values(self, path: list[str], query: dict[str, str]) -> dict[str, Any]:
        """Return what the regions of a page are made of: it is the same as long as the platform is.

        Raises:
            NoSuchPage: There is no such page.
        """
        name, asked = _named(path, query)
        page = PAGES[name]
        here = link(*(path or [""]), **query)
        return {"page": page, "back": here, "data": page.read(self._reading, asked), **self._acting.values(name)}

    def _clock(self) -> dict[str, Any]:
        return {"clock": self._reading.clock()}

    async def _form(
        self, name: str, session: Session, given: dict[str, str], error: str | None = None, status: int = 200
    ) -> Answer:
        values = self._acting.form(name, given)
        if values is None:
            return self._problem(404, "Nothing here", f"There is no operation {name!r}.")
        back = given.get("back", "")
        frame = {**_frame(session), "live": None, "back": back if _BACK.fullmatch(back) else "/console/control"}
        return await self._rendered(status, "form.html", {**values, **self._clock(), **frame, "error": error})

    async def _rendered(self, status: int, template: str, values: dict[str, Any]) -> Answer:
        return Answer(status, await asyncio.to_thread(self._rendering.page, template, values))

    # --- actions ---

    async def _act(self, path: list[str], session: Session, form: dict[str, str]) -> Answer:
        if not session.sent(form.pop("csrf", None)):
            return self._problem(403, "Not from this page", "The form is out of date: load the page again.")
        back = form.get("back", "")
        if path == ["settings"]:
            outcome = await self._acting.change_settings(form)
        elif path[:1] == ["do"] and len(path) == 2 and self._acting.offers(path[1]):
            outcome = await self._acting.do(path[1], form)
        else:
            return self._problem(404, "Nothing here", "There is no such operation.")
        if outcome.error is not None:
            log.info("the console page could not %s: %s", path[-1], outcome.error)
            return await self._form(outcome.operation, session, form, outcome.error, 400)
        session.note(outcome.text, outcome.result)
        return _redirect(back if _BACK.fullmatch(back) else "/console/")

    # --- the rest ---

    async def _stream(
        self, path: list[str], query: dict[str, str], scope: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        try:
            name = self._values(path, query)["page"].name
        except NoSuchPage as error:
            await _respond(send, self._problem(404, "Nothing here", str(error)))
            return
        if self.live.is_full:
            await _respond(send, self._problem(503, "Too many pages", "Close some of them.", (("retry-after", "5"),)))
            return
        await send(_head(200, "text/event-stream; charset=utf-8"))
        await self.live.stream(f"{name}.html", lambda: (self._values(path, query), self._clock()), scope, receive, send)

    def _open(self, key: str, session: Session | None) -> Answer:
        if self._control.launch_keys.redeem(key):
            return _redirect("/console/", ("set-cookie", self._sessions.open()))
        if session is not None:
            return _redirect("/console/")
        return self._problem(401, "This link was used already", _LOCKED)

    def _file(self, path: list[str]) -> Answer:
        kind = _STATIC.get("/".join(path))
        if kind is None:
            return self._problem(404, "Nothing here", "There is no such file.")
        content = files("iot_northbound.emulator.console").joinpath("static", path[0]).read_bytes()
        return Answer(200, content, kind)

    def _problem(self, status: int, title: str, text: str, more: tuple[tuple[str, str], ...] = ()) -> Answer:
        values = {"title": title, "text": text}
        return Answer(status, self._rendering.page("problem.html", values), more=more)


_LOCKED = (
    "Open it with the link that the emulator printed when it started. A link works once. "
    "`iot-northbound emulator console` makes a new one."
)


def _named(path: list[str], query: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the name of the page at a path, and what it is asked for.

    Raises:
        NoSuchPage: There is none.
    """
    if path in ([], [""]):
        return "overview", query
    if len(path) == 2 and path[0] == "device":
        return "device", {**query, "device_id": path[1]}
    if len(path) == 1 and path[0] in PAGES and path[0] != "device":
        return path[0], query
    raise NoSuchPage("There is no such page.")


def _pairs(text: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(text.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=500))
    except ValueError:  # too many fields
        return {}


def _frame(session: Session) -> dict[str, Any]:
    return {"csrf": session.csrf, "notes": session.take_notes()}


def _redirect(to: str, *more: tuple[str, str]) -> Answer:
    return Answer(303, more=(("location", to), *more))


def _head(status: int, kind: str, *more: tuple[str, str]) -> dict[str, Any]:
    headers = [("content-type", kind), *_GUARDS, *more]
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def _respond(send: Send, answer: Answer) -> None:
    length = ("content-length", str(len(answer.content)))
    await send(_head(answer.status, answer.kind, length, *answer.more))
    await send({"type": "http.response.body", "body": answer.content})
