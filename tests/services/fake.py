"""A client that sends nothing: it keeps what a service would send, and answers from a list."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, get_args, get_origin

import attrs

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import specs
from tests.clock import FakeClock


@attrs.define
class Sent:
    endpoint: Endpoint[Any]
    ids: dict[str, str]
    query: Any
    body: Any
    access_token: str | None


class FakeClient:
    """Answers each call with the next of `answers` (an exception is raised), then with empty results."""

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
            return minimal(endpoint.result) if attrs.has(endpoint.result) else None
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


def minimal(cls: type) -> Any:
    """Return a DTO with its mandatory fields filled, and nothing else."""
    return cls(**{spec.name: _value(spec.type) for spec in specs(cls).values() if spec.mandatory or spec.promised})


def _value(kind: Any) -> Any:
    if isinstance(kind, UnionType):
        kind = get_args(kind)[0]
    origin = get_origin(kind) or kind
    if attrs.has(kind):
        return minimal(kind)
    if origin is list:
        return [_value(get_args(kind)[0])]
    if origin is dict:
        return {"any": None}
    return {str: "text", int: 15, bool: True}.get(origin, "anything")
