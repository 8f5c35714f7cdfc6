"""What the tests of interruptions share: a client's inside without a network, and a thread that tells a hang."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import urllib3.connection
from tests.clock import FakeClock
from tests.interrupting import Interrupter
from urllib3 import _collections, connectionpool

from iot_northbound import ConnectionFailedError, NorthApiException
from iot_northbound.core.answers import Answer
from iot_northbound.core.budget import RateLimit
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.hooks import Hooks
from iot_northbound.core.keeping import OwnToken
from iot_northbound.core.pipeline import CallOptions, Pipeline
from iot_northbound.core.retry import AttemptFailed, Backoff, Outcome
from iot_northbound.core.tokens import Tokens
from iot_northbound.core.transport import Timeouts
from iot_northbound.tokens import Grant, MemoryTokenStore

READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="test")
LOGIN: Endpoint[None] = Endpoint("POST", "/login", type(None), section="test", authorized=False)
OPTIONS = CallOptions(Timeouts(5, 5), 60.0, 3)
LIBRARIES = [threading, queue, connectionpool, urllib3.connection, _collections]
LIFE = 1000.0


class Wires:
    """Stands for the transport: logs in, refuses any token but the newest, and breaks as often as it is told to."""

    def __init__(self) -> None:
        self.logins = 0
        self.breaks = 0
        self.revoked = False

    def send(self, method: str, target: str, headers: dict[str, str], *rest: Any) -> Answer:
        if target == "/login":
            self.logins += 1
            self.revoked = False
            return Answer(200, "OK", {}, b"{}")
        if self.breaks:
            self.breaks -= 1
            raise AttemptFailed(ConnectionFailedError("1003", "no connection"), Outcome.NOT_SENT)
        if self.revoked or headers["Authorization"] != f"Bearer token-{self.logins}":
            return Answer(403, "Forbidden", {}, b'{"resultcode":"1010005","resultmsg":"bad token"}')
        return Answer(200, "OK", {}, b"{}")

    def close(self) -> None:
        pass


class Rig:
    """A client's inside without a network."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.wires = Wires()
        self.tokens = Tokens(self.login, self.refresh, OwnToken(MemoryTokenStore(), self.clock), self.clock)
        self.pipeline = Pipeline(
            self.wires,  # type: ignore[arg-type]
            self.tokens,
            self.clock,
            headers={},
            app_id="app",
            own_secrets=(),
            hooks=Hooks(),
            rate_limit=RateLimit(1000, self.clock),
            backoff=Backoff(0.0, 0.0),
        )

    def login(self, until: float | None) -> Grant:
        self.pipeline.call(LOGIN, {}, options=OPTIONS, until=until)
        return Grant(f"token-{self.wires.logins}", None, self.clock.now(), LIFE)

    def refresh(self, refresh_token: str, until: float | None) -> Grant:
        raise AssertionError("no refresh token was given out")

    def call(self) -> None:
        self.pipeline.call(READ, {}, options=OPTIONS)


Way = Callable[[int, BaseException], Interrupter]


def in_another_thread(work: Callable[[], Any]) -> list[BaseException]:
    """Do it within the seconds a hang is told from; return what it failed with."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # it is what the test looks at
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it hangs"
    return failures


def ended(work: Callable[[], object]) -> object:
    try:
        return work()
    except NorthApiException as error:
        return error
