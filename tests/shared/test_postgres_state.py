"""What only PostgreSQL has: schemas, roles with few rights, isolation levels, a number of connections."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError, SharedStateError
from iot_northbound.shared import State, StateAwayError, open_state
from iot_northbound.shared.postgres_link import Link, is_lasting
from iot_northbound.shared.postgres_state import CONNECTIONS, PostgresState
from tests.clock import FakeClock
from tests.servers import PostgresServer

APPLICATION = "platform.example:8743/an application"


@pytest.fixture
def schema(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"S {uuid.uuid4().hex[:8]}"
    yield name
    postgres_server.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


@pytest.fixture
def role(postgres_server: PostgresServer) -> Iterator[str]:
    """A role without rights; its password is its name."""
    name = f"role_{uuid.uuid4().hex[:8]}"
    postgres_server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    yield name
    postgres_server.execute(f"DROP OWNED BY {name}")
    postgres_server.execute(f"DROP ROLE {name}")


def opened(url: str, schema: str, clock: FakeClock) -> State:
    return open_state(f"{url}?schema={schema.replace(' ', '%20')}", APPLICATION, clock=clock)


def test_a_role_that_may_make_the_tables_makes_them(
    postgres_server: PostgresServer, schema: str, role: str, clock: FakeClock
) -> None:
    postgres_server.execute(f"GRANT CREATE ON DATABASE na TO {role}")
    state = opened(postgres_server.url_of(role, role), schema, clock)
    assert state.save(0, b"token", 100.0, state.time()) == 1
    state.close()


def test_a_role_with_rights_to_the_rows_alone_is_enough_afterwards(
    postgres_server: PostgresServer, schema: str, role: str, clock: FakeClock
) -> None:
    owner = opened(postgres_server.url, schema, clock)
    owner.read()
    postgres_server.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO {role}')
    postgres_server.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{schema}" TO {role}')
    state = opened(postgres_server.url_of(role, role), schema, clock)
    state.save(0, b"token", 100.0, state.time())
    state.forbid("GET /a", 1.0, 1)
    assert state.take("me", 0, 10, 100.0, "x").granted
    state.settle("x", 0)
    assert state.status().present
    state.clear()
    for each in (owner, state):
        each.close()


def test_a_role_that_may_not_make_the_tables_is_told_who_could(
    postgres_server: PostgresServer, schema: str, role: str, clock: FakeClock
) -> None:
    state = opened(postgres_server.url_of(role, role), schema, clock)
    with pytest.raises(SharedStateError, match="are missing: let a role that may make them run `iot-northbound token"):
        state.read()
    state.close()


def test_a_role_that_may_not_read_the_rows_is_told_so(
    postgres_server: PostgresServer, schema: str, role: str, clock: FakeClock
) -> None:
    owner = opened(postgres_server.url, schema, clock)
    owner.read()
    state = opened(postgres_server.url_of(role, role), schema, clock)
    with pytest.raises(SharedStateError, match=r"permission denied.*must read and write all tables"):
        state.read()
    for each in (owner, state):
        each.close()


def test_processes_that_start_together_make_the_tables_once(
    postgres_server: PostgresServer, schema: str, clock: FakeClock
) -> None:
    states = [opened(postgres_server.url, schema, clock) for _ in range(8)]
    start = threading.Barrier(len(states))
    saved = []

    def begin(state: State) -> None:
        start.wait(30)
        saved.append(state.save(0, b"token", 100.0, state.time() + 1.0))

    threads = [threading.Thread(target=begin, args=(state,)) for state in states]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(saved) == list(range(1, 9))
    for state in states:
        state.close()


def test_a_schema_that_the_inbox_makes_in_this_very_moment_is_used(
    postgres_server: PostgresServer, schema: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Link.execute

    def meanwhile(link: Link, query: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(query, bytes) and query.startswith(b"CREATE SCHEMA"):
            monkeypatch.undo()
            postgres_server.execute(f'CREATE SCHEMA "{schema}"')
        return execute(link, query, *rest, **named)

    monkeypatch.setattr(Link, "execute", meanwhile)
    state = opened(postgres_server.url, schema, clock)
    assert state.save(0, b"token", 100.0, state.time()) == 1
    state.close()


def test_two_threads_that_want_the_last_idle_connection_both_get_one(
    postgres_server: PostgresServer, schema: str, clock: FakeClock
) -> None:
    class Taken(list[Link]):
        def pop(self, *_: Any) -> Link:
            super().pop().close()  # another thread was faster
            return super().pop()

    state = opened(postgres_server.url, schema, clock)
    assert isinstance(state, PostgresState)
    state.read()
    (pool,) = state._pools.values()
    pool.idle = Taken(pool.idle)
    assert state.read().gen == 0
    pool.idle = list(pool.idle)
    state.close()


def test_a_state_that_is_closed_during_a_step_leaves_no_connection_open(
    postgres_server: PostgresServer, schema: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = opened(postgres_server.url, schema, clock)
    assert isinstance(state, PostgresState)
    rows, used = state._rows, []

    def closed_meanwhile(connection: Link, *rest: Any) -> Any:
        used.append(connection)
        state.close()
        return rows(connection, *rest)

    monkeypatch.setattr(state, "_rows", closed_meanwhile)
    state.read()
    assert [each.closed for each in used] == [True]


def test_a_stricter_isolation_level_of_the_role_changes_nothing(
    postgres_server: PostgresServer, schema: str, clock: FakeClock
) -> None:
    strict = "options=-cdefault_transaction_isolation%3Dserializable"
    state = open_state(f"{postgres_server.url}?{strict}&schema={schema.replace(' ', '%20')}", APPLICATION, clock=clock)
    granted = []

    def work(number: int) -> None:
        for turn in range(5):
            state.save(0, b"token", 100.0, state.time() + 100.0 * turn)
            granted.append(state.take(f"owner {number}", -1, 100, 100.0, f"{number} {turn}").granted)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert granted == [True] * 20
    assert state.status().slots == 20
    state.close()


def test_many_threads_share_a_few_connections(postgres_server: PostgresServer, clock: FakeClock) -> None:
    name = f"counted-{uuid.uuid4().hex[:8]}"
    state = open_state(f"{postgres_server.url}?application_name={name}", APPLICATION, clock=clock)
    threads = [threading.Thread(target=lambda: [state.read() for _ in range(20)]) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    assert 1 <= postgres_server.execute(connections, name)[0][0] <= CONNECTIONS
    state.close()


def test_a_role_whose_password_changed_meanwhile_is_away_and_not_refused(
    postgres_server: PostgresServer, role: str, clock: FakeClock
) -> None:
    postgres_server.execute(f"GRANT CREATE ON DATABASE na TO {role}")
    state = open_state(f"{postgres_server.url_of(role, role)}?schema={role}", APPLICATION, clock=clock)
    state.read()
    postgres_server.execute(f"ALTER ROLE {role} PASSWORD 'another'")
    state.close()
    with pytest.raises(StateAwayError, match="password authentication failed") as away:
        state.read()
    assert role not in str(away.value)
    postgres_server.execute(f"ALTER ROLE {role} PASSWORD '{role}'")
    state.read()
    state.close()


def test_a_url_that_the_library_cannot_read_is_refused_without_its_password(clock: FakeClock) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        open_state("postgresql://na:secret-one@db.example/na?no_such_option=1", APPLICATION, clock=clock)
    assert "secret-one" not in str(refused.value)


def test_a_database_that_does_not_exist_is_refused(postgres_server: PostgresServer, clock: FakeClock) -> None:
    state = open_state(postgres_server.url_of("na", "a-password-of-postgres", "nothing"), APPLICATION, clock=clock)
    with pytest.raises(SharedStateError, match="does not exist"):
        state.read()


@pytest.mark.parametrize(
    ("why", "lasts"),
    [
        ("SSL connection has been closed unexpectedly", False),
        ("SSL SYSCALL error: EOF detected", False),
        ("SSL error: unexpected eof while reading", False),
        ("SSL error: certificate verify failed", True),
        ("server does not support SSL, but SSL was required", True),
        ("the database system is starting up", False),
        ('FATAL:  password authentication failed for user "geoffrey"', True),
        ('FATAL:  database "closed" does not exist', True),
        ('connection to server at "certificates.example", port 5432 failed: Connection refused', False),
        ("failed to resolve host 'db.invalid': [Errno -2] Name or service not known", False),
    ],
)
def test_a_server_that_is_ended_while_it_is_asked_is_away_and_not_refused(why: str, lasts: bool) -> None:
    assert is_lasting(why) is lasts


def test_a_standby_says_what_to_name(postgres_server: PostgresServer, role: str, clock: FakeClock) -> None:
    postgres_server.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    state = open_state(postgres_server.url_of(role, role), APPLICATION, clock=clock)
    with pytest.raises(StateAwayError, match="it is a standby, or can only be read; name the primary"):
        state.read()
