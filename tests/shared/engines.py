"""The engines of the shared state with a clock that tests set, each empty."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from iot_northbound.shared import State, open_state, postgres_schema, read_url, redis_scripts
from iot_northbound.shared.postgres_state import PostgresState
from iot_northbound.shared.redis_state import RedisState
from tests.clock import FakeClock


class TimedRedis(RedisState):
    """Its scripts get the clock's time in place of the server's."""

    def __init__(self, url: str, application: str, clock: FakeClock) -> None:
        super().__init__(read_url(url), application)
        self._clock = clock

    def _execute(self, script: str, keys: list[str], *arguments: Any) -> Any:
        now = f"local now = {self._clock.now()!r}"
        return super()._execute(script.replace(redis_scripts.CLOCK, now), keys, *arguments)


class TimedPostgres(PostgresState):
    """Its statements get the clock's time in place of the server's."""

    def __init__(self, url: str, application: str, clock: FakeClock) -> None:
        super().__init__(read_url(url), application)
        self._clock = clock

    def _execute(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        now = f"{self._clock.now()!r}::float8"
        return super()._execute(statement.replace(postgres_schema.CLOCK, now), values)


@attrs.frozen
class Engine:
    """One engine. `open` returns the state of an application as another process would have it."""

    clock: FakeClock
    open: Callable[[str], State]


def engine(kind: str, request: pytest.FixtureRequest, folder: Path, clock: FakeClock) -> Iterator[Engine]:
    """Give an engine whose data no other test uses. Its states are closed in the end."""
    own = uuid.uuid4().hex
    states: list[State] = []

    def opened(name: str) -> State:
        application = f"platform.example:8743/{own}-{name}"
        if kind == "redis":
            state: State = TimedRedis(request.getfixturevalue("redis_server").url, application, clock)
        elif kind == "postgres":
            state = TimedPostgres(request.getfixturevalue("postgres_server").url, application, clock)
        else:
            state = open_state(f"file:{folder}/shared.sqlite3", application, clock=clock)
        states.append(state)
        return state

    yield Engine(clock, opened)
    for each in states:
        each.close()
