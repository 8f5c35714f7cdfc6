"""A browser without a browser: http.client with a cookie, for what the page answers."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode, urlsplit

from iot_northbound.emulator.server import Emulator

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Shown:
    status: int
    text: str
    headers: http.client.HTTPMessage

    @property
    def plain(self) -> str:
        return unescape(re.sub(r"<[^>]+>", "", self.text))


class Browser:
    """Sends requests as a page of the console would, and keeps the cookie."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.host = (emulator.control_url or "").removeprefix("http://")
        self.cookie: str | None = None

    def login(self) -> Browser:
        parts = urlsplit(self.emulator.console_link())
        answer = self.send("GET", f"{parts.path}?{parts.query}")
        assert answer.status == 303, answer.text
        self.cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
        return self

    def send(self, method: str, path: str, body: str | None = None, **headers: str) -> Shown:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        cookie = {} if self.cookie is None else {"Cookie": self.cookie}
        connection.request(method, path, body, {**cookie, **headers})
        answer = connection.getresponse()
        shown = Shown(answer.status, answer.read().decode(), answer.headers)
        connection.close()
        return shown

    def get(self, path: str = "") -> Shown:
        return self.send("GET", f"/console/{path}")

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get().text)
        assert found is not None
        return found[1]

    def post(self, path: str, **fields: str) -> Shown:
        return self.send("POST", f"/console/{path}", urlencode({"csrf": self.csrf, **fields}), **FORM)
