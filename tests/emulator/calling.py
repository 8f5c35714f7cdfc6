"""How these tests call the kernel: as an application does, but without HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from iot_northbound.emulator.kernel.calls import Answer, Request
from iot_northbound.emulator.kernel.platform import Platform

START = 1_700_000_000.0


@dataclass
class Caller:
    """One application's way to the kernel; answers are checked to be JSON."""

    platform: Platform
    app_id: str = "app-one"
    secret: str = "secret-one"
    token: str | None = None
    refresh_token: str | None = None
    last: Answer = field(default_factory=lambda: Answer(0))

    def login(self) -> Caller:
        form = {"appId": self.app_id, "secret": self.secret}
        answer = self.platform.handle(Request("POST", "/iocm/app/sec/v1.1.0/login", form=form))
        assert answer.status == 200, answer
        self.token, self.refresh_token = answer.body["accessToken"], answer.body["refreshToken"]
        return self

    def call(self, method: str, path: str, body: Any = None, /, **query: str) -> Answer:
        request = Request(method, path, query, body, token=self.token, app_key=self.app_id)
        answer = self.platform.handle(request)
        json.dumps(answer.body)
        self.last = answer
        return answer

    def register(self, node_id: str, **fields: Any) -> str:
        answer = self.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": node_id, **fields})
        assert answer.status == 200, answer
        device_id: str = answer.body["deviceId"]
        return device_id

    def device(self, device_id: str, **query: str) -> Answer:
        return self.call("GET", f"/iocm/app/dm/v1.4.0/devices/{quote(device_id, safe='')}", **query)


def code_of(answer: Answer) -> tuple[int, str | None]:
    """Return status and error code of an answer."""
    body = answer.body or {}
    return answer.status, body.get("error_code", body.get("resultcode"))
