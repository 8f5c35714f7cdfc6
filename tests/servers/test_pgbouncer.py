"""The shared state and the inbox through PgBouncer, which gives each session or each transaction a connection."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.errors import SharedStateError
from iot_northbound.push import InboxConfigError, PostgresInbox
from iot_northbound.shared import StateAwayError, open_state
from iot_northbound.shared.slots import Turn
from iot_northbound.shared.state import Mine
from tests.clock import FakeClock, eventually
from tests.push.helpers import data_message
from tests.push.inboxes.parts import SCHEMA, Part, Quiet
from tests.servers import PostgresServer
from tests.servers.pgbouncer import PgBouncer, run_pgbouncer

APPLICATION = "platform.example:8743/an application"
PROCESSES = 3


@pytest.fixture(params=["session", "transaction"])
def pooled(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """One whose connections are fewer than those of its clients, where that can work."""
    with run_pgbouncer(postgres_server, request.param, 30 if request.param == "session" else 2) as bouncer:
        yield bouncer


@pytest.fixture
def schema(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"pooled_{uuid.uuid4().hex[:8]}"
    yield name
    postgres_server.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def test_token_and_limit_are_shared(pooled: PgBouncer, schema: str) -> None:
    states = [open_state(f"{pooled.url}?schema={schema}", APPLICATION, clock=FakeClock()) for _ in range(PROCESSES)]
    granted: list[bool] = []
    leaders: list[Mine] = []

    def work(number: int) -> None:
        state = states[number]
        for turn in range(10):
            answer = state.acquire(f"owner {number}", 60.0, 0)
            leaders.extend([answer] if isinstance(answer, Mine) else [])
            granted.append(state.take(f"owner {number}", Turn.CALL, 20, 100.0, f"{number} {turn}").granted)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(PROCESSES)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(leaders) == 1
    assert len(granted) == 10 * PROCESSES
    assert 1 <= states[0].status().slots == granted.count(True)
    assert states[0].save(leaders[0].fence, b"token", 100.0, states[0].time()) == 1
    assert [each.read().record for each in states] == [b"token"] * PROCESSES
    for each in states:
        each.close()


def test_messages_are_stored_once_and_divided(pooled: PgBouncer, postgres_server: PostgresServer) -> None:
    postgres_server.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    parts = [Part(pooled.url, clock=Quiet()).start() for _ in range(2)]
    try:
        for _ in range(2):
            for part in parts:
                part.beat()
        assert sum(part.shards for part in parts) == 64
        new = [part.inbox.put(data_message(f"d{number}", number)) for number in range(40) for part in parts]
        assert sum(future.result(30) for future in new) == 40
        eventually(lambda: sum(len(part.delivered) for part in parts) == 40)
        for part in parts:
            for message_id, _ in part.delivered:
                part.inbox.get(message_id)
                part.inbox.done(message_id)
        eventually(lambda: parts[0].inbox.stats().waiting == 0)
    finally:
        for part in parts:
            part.inbox.stop()


def test_one_that_gives_each_statement_a_connection_is_refused(postgres_server: PostgresServer, schema: str) -> None:
    with run_pgbouncer(postgres_server, "statement") as bouncer:
        state = open_state(f"{bouncer.url}?schema={schema}", APPLICATION, clock=FakeClock())
        with pytest.raises(SharedStateError, match="set pool_mode=transaction in PgBouncer"):
            state.read()
        state.close()
        with pytest.raises(InboxConfigError, match="set pool_mode=transaction in PgBouncer"):
            PostgresInbox(bouncer.url, schema=schema).prepare()
        with pytest.raises(InboxConfigError, match="PgBouncer must know the database"):
            PostgresInbox(bouncer.url.removesuffix("/na") + "/other").prepare()
        with pytest.raises(InboxConfigError, match="name it in ignore_startup_parameters of PgBouncer"):
            PostgresInbox(f"{bouncer.url}?options=-cwork_mem%3D1MB").prepare()


def test_a_pool_that_is_ended_is_away_until_it_is_back(postgres_server: PostgresServer, schema: str) -> None:
    with run_pgbouncer(postgres_server, "transaction") as bouncer:
        state = open_state(f"{bouncer.url}?schema={schema}", APPLICATION, clock=FakeClock())
        state.read()
        bouncer.kill()
        with pytest.raises(StateAwayError):
            state.read()
        bouncer.start()
        state.read()
        state.close()


def test_where_it_is_missing_its_tests_are_skipped(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.servers.pgbouncer.DEBIAN", str(tmp_path / "pgbouncer"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="apt-get install pgbouncer"), run_pgbouncer(postgres_server, ""):
        raise AssertionError("nothing was started")
