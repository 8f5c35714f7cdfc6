"""What the tests of tokens share: a platform that gives out tokens, and threads that start together."""

import threading
from collections.abc import Callable
from typing import Any

from tests.clock import FakeClock

from iot_northbound import NotAuthorizedError
from iot_northbound.tokens import Grant

Outcome = Exception | Callable[[], Any] | None


class Platform:
    """Gives out tokens; `fail` holds what logins and refreshes raise, one each, or do, before they go on."""

    def __init__(self, clock: FakeClock, expires_in: float = 1000, refresh: bool = False) -> None:
        self.clock = clock
        self.expires_in = expires_in
        self.with_refresh = refresh
        self.logins: list[str] = []
        self.refreshes: list[str] = []
        self.outcomes: list[Outcome] = []
        self.deadlines: list[float | None] = []

    def _grant(self, until: float | None) -> Grant:
        self.deadlines.append(until)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            outcome()
        number = len(self.logins) + len(self.refreshes)
        refresh = f"refresh-{number}" if self.with_refresh else None
        return Grant(f"token-{number}", refresh, self.clock.now(), self.expires_in)

    def login(self, until: float | None) -> Grant:
        self.logins.append(threading.current_thread().name)
        return self._grant(until)

    def refresh(self, refresh_token: str, until: float | None) -> Grant:
        self.refreshes.append(refresh_token)
        return self._grant(until)


def refused(status: int | None = 401) -> NotAuthorizedError:
    return NotAuthorizedError("100208", "wrong secret", http_status_code=status)


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """Do it in that many threads that start together; return results and exceptions."""
    ready = threading.Barrier(count, timeout=60)
    found: list[Any] = []

    def run() -> None:
        ready.wait()
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001  # they are what the test looks at
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == count
    return found


def timers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "iot-northbound-token-timer"]
