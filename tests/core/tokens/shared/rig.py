"""What the tests of a shared token share: a `Process` has a connection, a timer and a moment of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.clock import FakeClock
from tests.core.tokens.rig import Platform

from iot_northbound.core.asking import Asking
from iot_northbound.core.shared_tokens import SharedTokens
from iot_northbound.core.tokens import Tokens
from iot_northbound.shared import StateAwayError, open_state
from iot_northbound.shared.seal import Seal
from iot_northbound.tokens import Grant

APPLICATION = "platform.example:8743/app"
SECRET = "invented-secret"
LIFE, LEASE = 1000.0, 5.0


class Process:
    """One process: its connection, its keeper and its tokens. `is_away` cuts the connection."""

    def __init__(
        self, folder: Path, clock: FakeClock, platform: Platform, secret: str, away: str, chance: float, shift: float
    ) -> None:
        self.is_away = False
        self.before: dict[str, Callable[[], Any]] = {}
        self.clock = clock
        self.state: Any = open_state(f"file:{folder}/shared.sqlite3?lease={LEASE}", APPLICATION, clock=clock)
        own = Shifted(clock, shift) if shift else clock
        asking = Asking(self, clock.monotonic)  # type: ignore[arg-type]
        self.keeper = SharedTokens(
            asking, Seal(APPLICATION, secret), own, away=away, app_id="app", chance=lambda: chance
        )
        self.tokens = Tokens(
            lambda until: self._moved(platform.login(until), shift),
            lambda token, until: self._moved(platform.refresh(token, until), shift),
            self.keeper,
            own,
        )

    @staticmethod
    def _moved(grant: Grant, shift: float) -> Grant:
        return Grant(grant.access_token, grant.refresh_token, grant.granted_at + shift, grant.expires_in)

    def __getattr__(self, name: str) -> Any:
        """Return a step of the state, or an attribute of it."""
        step = getattr(self.state, name)
        if not callable(step):
            return step

        def asked(*arguments: Any) -> Any:
            if self.is_away:
                raise StateAwayError("connection refused")
            self.before.get(name, lambda: None)()
            return step(*arguments)

        return asked


class Shifted:
    """A machine whose time of day is wrong."""

    def __init__(self, clock: FakeClock, shift: float) -> None:
        self._clock, self._shift = clock, shift

    def now(self) -> float:
        return self._clock.now() + self._shift

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)


def started(new: Callable[..., Process], **settings: Any) -> Process:
    """Return a process that makes calls but has no timer, so that nothing happens by itself."""
    process = new(**settings)
    process.tokens._running = True
    process.tokens._start_timer = lambda: None  # type: ignore[method-assign]
    return process
