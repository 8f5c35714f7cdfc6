"""Real servers that are killed, frozen, emptied, cut off, read-only or full, and what a step says then."""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from iot_northbound.errors import SharedStateError
from iot_northbound.shared import State, StateAwayError, open_state, postgres_state, redis_state
from iot_northbound.shared.postgres_state import PostgresState
from iot_northbound.shared.redis_state import RedisState
from iot_northbound.shared.slots import Turn
from iot_northbound.shared.state import Busy, HeldSlot, Mine
from tests.clock import FakeClock, eventually
from tests.servers import PostgresServer, Proxy, RedisServer, run_redis
from tests.servers.postgres import PASSWORD as POSTGRES_PASSWORD
from tests.servers.redis import PASSWORD as REDIS_PASSWORD

TTL = 5.0
HOLD = 100.0


class Site:
    """A server, and states on it. `empty` deletes all data; `keeps` is whether a killed one has them still."""

    def __init__(self, server: RedisServer | PostgresServer, clock: FakeClock) -> None:
        self.server, self.clock = server, clock
        self.keeps = isinstance(server, PostgresServer)
        self._application = f"platform.example:8743/{uuid.uuid4().hex}"
        self._states: list[State] = []

    def open(self, url: str | None = None, application: str | None = None) -> State:
        self._states.append(open_state(url or self.server.url, application or self._application, clock=self.clock))
        return self._states[-1]

    def through(self, proxy: Proxy) -> str:
        return self.server.url.replace(f":{self.server.port}", f":{proxy.port}")

    def empty(self) -> None:
        if isinstance(self.server, RedisServer):
            self.server.command("FLUSHALL")
        else:
            self.server.execute("DROP SCHEMA iot_northbound CASCADE")

    def close(self) -> None:
        for each in self._states:
            each.close()


@pytest.fixture(params=["redis", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        if request.param == "redis":
            server = stack.enter_context(run_redis(tmp_path))
        else:
            server = request.getfixturevalue("postgres_server")
        site = Site(server, clock)
        stack.callback(site.close)
        yield site


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    with Proxy(site.server.port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, an answer that comes is waited for."""
    for module in (redis_state, postgres_state):
        monkeypatch.setattr(module, "PATIENCE", 30.0)


def hurry(state: State) -> None:
    """Let the open connection of a state wait for its next answer for a moment only."""
    if isinstance(state, PostgresState):
        ((link,),) = (pool.idle for pool in state._pools.values())
        link.patience = 0.1
    else:
        assert isinstance(state, RedisState)
        ((connection,),) = (client.connection_pool._available_connections for client in state._clients.values())
        connection._parser._buffer.socket_timeout = 0.1
        connection._sock.settimeout(0.1)


STEPS: dict[str, Callable[[State], Any]] = {
    "read": lambda state: state.read(),
    "acquire": lambda state: state.acquire("me", TTL, 0),
    "extend": lambda state: state.extend(1, TTL),
    "time": lambda state: state.time(),
    "save": lambda state: state.save(1, b"token", 100.0, 1.0),
    "fail": lambda state: state.fail(1, "no"),
    "forbid": lambda state: state.forbid("GET /a", 1.0, 1),
    "forbidden": lambda state: state.forbidden(),
    "clear": lambda state: state.clear(),
    "take": lambda state: state.take("me", Turn.CALL, 10, HOLD, "x"),
    "settle": lambda state: state.settle("x", 1.0),
    "pause": lambda state: state.pause(1.0),
    "put_back": lambda state: state.put_back([HeldSlot("x", 1.0)]),
    "status": lambda state: state.status(),
}


def test_each_step_says_that_the_server_does_not_answer_and_no_password(site: Site) -> None:
    state = site.open()
    state.save(0, b"token", 100.0, state.time())
    site.server.kill()
    try:
        for step in STEPS.values():
            with pytest.raises(StateAwayError) as away:
                step(state)
            assert REDIS_PASSWORD not in str(away.value)
            assert POSTGRES_PASSWORD not in str(away.value)
            assert away.value.__cause__ is None
    finally:
        site.server.start()
    assert state.read()[:2] == ((1, b"token") if site.keeps else (0, None))


def test_a_server_that_was_away_from_the_start_is_used_when_it_comes(site: Site) -> None:
    site.server.kill()
    state = site.open()
    try:
        with pytest.raises(StateAwayError):
            state.read()
    finally:
        site.server.start()
    assert isinstance(state.acquire("me", TTL, 0), Mine)


def test_a_frozen_server_is_given_up_and_used_again_when_it_wakes(site: Site) -> None:
    state = site.open()
    state.save(0, b"token", 100.0, state.time())
    site.server.pause()
    hurry(state)
    try:
        with pytest.raises(StateAwayError):
            state.read()
    finally:
        site.server.resume()
    assert state.read().record == b"token"


def test_a_connection_that_was_cut_between_two_steps_is_no_failure(site: Site, proxy: Proxy) -> None:
    state = site.open(site.through(proxy))
    state.save(0, b"token", 100.0, state.time())
    proxy.cut()
    assert state.read().record == b"token"


def test_a_restart_between_two_steps_is_no_failure(site: Site) -> None:
    state = site.open()
    state.read()
    site.server.kill()
    site.server.start()
    state.read()


def test_steps_whose_answers_are_lost_happened_once(site: Site, proxy: Proxy) -> None:
    lossy, state = site.open(site.through(proxy)), site.open()
    for step in STEPS.values():
        step(site.open(application="another"))  # scripts and tables are there

    def lose(step: Callable[[State], Any]) -> None:
        lossy.forbidden()  # there is a connection
        lost = proxy.answers_lost
        proxy.deaf = True
        hurry(lossy)
        with pytest.raises(StateAwayError):
            step(lossy)
        eventually(lambda: proxy.answers_lost > lost)
        proxy.deaf = False
        proxy.cut()

    lose(lambda state: state.acquire("lossy", TTL, 0))
    busy = lossy.acquire("lossy", TTL, 0)
    assert isinstance(busy, Busy)  # its own lease, whose fence it never got: it ends by itself
    assert 0 < busy.seconds <= TTL
    assert state.status().owner == "lossy"
    sent = state.time()
    lose(lambda state: state.save(1, b"token", 100.0, sent))
    assert lossy.read()[:2] == (1, b"token")
    lossy.take("lossy", Turn.CALL, 10, HOLD, "first")
    lose(lambda state: state.take("lossy", Turn.LOGIN, 10, HOLD, "second"))
    assert lossy.take("lossy", Turn.LOGIN, 10, HOLD, "second").granted  # whether the first question came through or not
    assert state.status().slots == 2


def test_an_emptied_server_has_no_token_and_another_name(site: Site) -> None:
    state = site.open()
    for _ in range(3):
        state.save(0, b"token", 100.0, state.time() + 1.0)
    born = state.take("me", Turn.CALL, 10, HOLD, "x").born
    assert state.take("me", Turn.CALL, 10, HOLD, "x").born == born
    site.empty()
    assert state.read()[:2] == (0, None)
    mine = state.acquire("me", TTL, 3)
    assert isinstance(mine, Mine)
    assert state.save(mine.fence, b"token", 100.0, state.time() - 50.0) == 1
    state.put_back([HeldSlot("x", 50.0)])
    assert state.take("me", Turn.CALL, 10, HOLD, "y").born != born
    assert state.status().slots >= 1


def test_a_wrong_password_is_refused_by_name_each_time(site: Site) -> None:
    state = site.open(site.server.url.replace(REDIS_PASSWORD, "wrong-one").replace(POSTGRES_PASSWORD, "wrong-one"))
    for _ in range(2):
        with pytest.raises(SharedStateError) as refused:
            state.read()
        assert refused.value.error_code == "1001"
        assert state.shown in refused.value.error_desc
        assert "assword" in refused.value.error_desc
        assert "wrong-one" not in str(refused.value)
        assert '"na"' not in str(refused.value)


def test_of_threads_that_fork_each_process_has_connections_of_its_own(site: Site) -> None:
    state = site.open()
    state.save(0, b"token", 100.0, state.time())
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            if all(state.read().record == b"token" for _ in range(20)):
                state.close()
                os._exit(0)
        os._exit(1)
    for _ in range(20):
        assert state.read().record == b"token"
    assert os.waitpid(child, 0)[1] == 0
    assert state.read().record == b"token"


def test_a_replica_or_a_read_only_server_is_away_until_it_is_promoted(site: Site) -> None:
    state = site.open()
    state.save(0, b"token", 100.0, state.time())
    database = "ALTER DATABASE na SET default_transaction_read_only ="
    if isinstance(site.server, RedisServer):
        site.server.command("REPLICAOF", "127.0.0.1", "1")
    else:
        site.server.execute(f"{database} on")
        state.close()  # a replica would have ended the connection to become one
    try:
        with pytest.raises(StateAwayError, match=r"(?i)read.only"):
            state.acquire("me", TTL, 1)
    finally:
        if isinstance(site.server, RedisServer):
            site.server.command("REPLICAOF", "NO", "ONE")
        else:
            writing = f"{site.server.url}?options=-cdefault_transaction_read_only%3Doff"
            with psycopg.connect(writing, autocommit=True) as db:
                db.execute(f"{database} off")
    assert isinstance(state.acquire("me", TTL, 1), Mine)


def test_a_full_server_is_away(site: Site) -> None:
    state = site.open()
    state.save(0, b"token", 100.0, state.time())
    if isinstance(site.server, RedisServer):
        site.server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StateAwayError, match="maxmemory"):
            state.save(0, b"token", 100.0, state.time() + 1.0)
        site.server.command("CONFIG", "SET", "maxmemory", "0")
    else:
        role = f"full_{uuid.uuid4().hex[:8]}"
        site.server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'of-it' CONNECTION LIMIT 0")
        with pytest.raises(StateAwayError, match="too many connections"):
            site.open(site.server.url_of(role, "of-it")).read()
    assert state.read().record == b"token"
