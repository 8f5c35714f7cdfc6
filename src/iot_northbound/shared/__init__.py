"""What the processes of one application share: the token and the limit, on a file, Redis or PostgreSQL."""

from typing import Protocol

from iot_northbound.shared.state import State, StateAwayError
from iot_northbound.shared.url import StateUrl, read_url

__all__ = ["Clock", "State", "StateAwayError", "StateUrl", "open_state", "read_url"]


class Clock(Protocol):
    """The time functions that an engine without a clock of its own uses."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps."""
        ...


def open_state(url: str | StateUrl, application: str, *, clock: Clock) -> State:
    """Return the shared state at a URL. Nothing is connected before its first step.

    Args:
        url: where it is.
        application: whose state: host:port/application id of the platform.
        clock: time, for the engine that has no clock of its own.

    Raises:
        InvalidArgumentError: it is no such URL (1007).
        MissingExtraError: the engine's library is not installed; the text says how to install it.
    """
    where = url if isinstance(url, StateUrl) else read_url(url)
    if where.engine == "file":
        from iot_northbound.shared.file_state import FileState

        return FileState(where, application, clock)
    if where.engine == "redis":
        from iot_northbound.shared.redis_state import RedisState

        return RedisState(where, application)
    from iot_northbound.shared.postgres_state import PostgresState

    return PostgresState(where, application)
