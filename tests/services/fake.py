"""A client that sends nothing: it keeps what a service would send, and answers from a list."""

from collections.abc import Mapping
from typing import Any

import attrs

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.testing.factories import make
from tests.clock import FakeClock


@attrs.define
class Sent:
    endpoint: Endpoint[Any]
    ids: dict[str, str]
    query: Any
    body: Any
    access_token: str | None


class FakeClient:
    """Answers each call with the next of `answers` (an exception is raised), then with documented results."""

    def __init__(self, *answers: Any) -> None:
        self.clock = FakeClock()
        self.answers = list(answers)
        self.sent: list[Sent] = []
        self.granted: list[tuple[str, str | None, int | None]] = []
        self.timer: list[str] = []

    def call(
        self,
        endpoint: Endpoint[Any],
        ids: Mapping[str, str],
        *,
        query: Any = None,
        body: Any = None,
        access_token: str | None = None,
    ) -> Any:
        self.sent.append(Sent(endpoint, dict(ids), query, body, access_token))
        if not self.answers:
            return make(endpoint.result) if attrs.has(endpoint.result) else None
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def credentials(self) -> tuple[str, str]:
        return "app-7", "not-a-real-secret"

    def token_granted(
        self, access_token: str, refresh_token: str | None, expires_in: int | None, started: float
    ) -> None:
        self.granted.append((access_token, refresh_token, expires_in))

    def start_timer(self) -> None:
        self.timer.append("start")

    def stop_timer(self) -> None:
        self.timer.append("stop")
