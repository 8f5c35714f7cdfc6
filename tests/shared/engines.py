"""The engines of the shared state with a clock that tests set, each empty."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import psycopg
import pytest

from iot_northbound.shared import State, open_state, read_url
from iot_northbound.shared.redis_state import RedisState
from tests.clock import FakeClock

ENGINES = ("file", "redis", "postgres")


@attrs.frozen
class Engine:
    """One engine. `open` makes the state that another process would have; `clock` is the engine's, and everybody's."""

    clock: FakeClock
    advance: Callable[[float], None]
    open: Callable[[str], State]


@contextlib.contextmanager
def engine(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Give an engine that no other test uses the same data of."""
    clock = FakeClock()
    make: Callable[[str], State]
    with contextlib.ExitStack() as stack:
        if kind == "file":
            make, advance = _file(tmp_path, clock)
        elif kind == "redis":
            make, advance = _redis(request.getfixturevalue("redis_server").url, clock)
        else:
            make, advance = stack.enter_context(_postgres(request.getfixturevalue("postgres_server"), clock))
        own = uuid.uuid4().hex
        states: list[State] = []

        def opened(application: str) -> State:
            states.append(make(f"platform.example:8743/{own}-{application}"))
            return states[-1]

        yield Engine(clock, advance, opened)
        for each in states:
            each.close()


def _file(folder: Path, clock: FakeClock) -> tuple[Callable[[str], State], Callable[[float], None]]:
    return lambda application: open_state(f"file:{folder}/shared.sqlite3", application, clock=clock), clock.advance


def _redis(url: str, clock: FakeClock) -> tuple[Callable[[str], State], Callable[[float], None]]:
    class Timed(RedisState):
        """Its scripts get the clock's time in place of the server's."""

        def _execute(self, script: str, keys: list[str], *arguments: Any) -> Any:
            seconds, fraction = divmod(clock.now(), 1)
            time = f"{{'{int(seconds)}', '{int(fraction * 1e6)}'}}"
            return super()._execute(script.replace("redis.call('TIME')", time), keys, *arguments)

    return lambda application: Timed(read_url(url), application, clock), clock.advance


@contextlib.contextmanager
def _postgres(server: Any, clock: FakeClock) -> Iterator[tuple[Callable[[str], State], Callable[[float], None]]]:
    """Put a function before the server's own `clock_timestamp`."""
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("CREATE SCHEMA IF NOT EXISTS faked")
        db.execute("CREATE TABLE IF NOT EXISTS faked.time AS SELECT 0::float8 AS now")
        db.execute(
            "CREATE OR REPLACE FUNCTION faked.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE "
            "AS 'SELECT to_timestamp(now) FROM faked.time'"
        )

        def advance(seconds: float) -> None:
            clock.advance(seconds)
            db.execute("UPDATE faked.time SET now = %s", [clock.now()])

        advance(0)
        url = f"{server.url}?options={quote('-csearch_path=faked,pg_catalog')}"
        yield lambda application: open_state(url, application, clock=clock), advance
