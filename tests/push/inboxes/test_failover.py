"""PostgreSQL fails over to a standby that lacks the newest messages, while an application runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from iot_northbound.push import InboxError
from iot_northbound.shared import StateAwayError, open_state
from iot_northbound.shared.slots import Turn
from tests.clock import FakeClock, eventually
from tests.push.helpers import data_message
from tests.push.inboxes.parts import SCHEMA, Part, Quiet
from tests.servers.postgres import DATABASE, PASSWORD, USER, PostgresServer, Standby, run_postgres, run_standby

COUNT = 60


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, Standby]]:
    with run_postgres() as primary, run_standby(primary) as standby:
        yield primary, standby


def cut_off(standby: Standby, primary: PostgresServer) -> None:
    """Let the standby get what is there, and nothing of what comes from now on."""
    sent = primary.execute("SELECT pg_current_wal_lsn()::text")[0][0]
    eventually(lambda: standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", sent) == [(True,)])
    standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
    standby.execute("SELECT pg_reload_conf()")
    eventually(lambda: standby.execute("SELECT count(*) FROM pg_stat_wal_receiver") == [(0,)])


def put(part: Part, number: int) -> None:
    """Put a message as the platform does: once more if it is not confirmed."""

    def is_confirmed() -> bool:
        try:
            part.inbox.put(data_message("d", number)).result(30)
        except InboxError:
            return False
        return True

    eventually(is_confirmed)


def test_after_a_failover_nothing_that_the_new_server_confirms_is_lost(pair: tuple[PostgresServer, Standby]) -> None:
    primary, standby = pair
    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{DATABASE}"
    state = open_state(url, "platform.example:8743/an application", clock=FakeClock())
    state.save(0, b"token", 100.0, state.time())
    state.take("me", Turn.CALL, 10, 100.0, "x")
    part = Part(url, clock=Quiet(), lease=3600.0).start()
    try:
        put(part, 0)
        cut_off(standby, primary)
        for number in range(COUNT):
            put(part, 100 + number)
        old = [number for number, _ in part.wait_for(1 + COUNT)]
        in_hand = old[-2:]
        for number in in_hand:
            part.inbox.get(number)
        primary.kill()
        with pytest.raises(StateAwayError):
            state.acquire("me", 5.0, 1)
        standby.promote()

        assert state.read()[:2] == (1, b"token")
        assert state.status().slots == 1
        # Ids are drawn 32 at a time: some are given to other messages now.
        for number in range(COUNT):
            put(part, 200 + number)
        ids = {row[0] for row in standby.execute(f"SELECT id FROM {SCHEMA}.inbox")}
        assert len(ids) == 1 + COUNT
        assert ids > set(in_hand)
        part.inbox.bury(in_hand[0], 1, "of the message that is lost")
        part.delivered.clear()
        eventually(lambda: beaten(part))
        assert {number for number, _ in part.wait_for(1 + COUNT)} == ids
        part.inbox.done(in_hand[1])
        assert figures(part) == (1 + COUNT, 0)
        for number in sorted(ids):
            assert part.inbox.get(number).raw["n"] in (0, *range(200, 200 + COUNT))
            part.inbox.done(number)
        assert figures(part) == (0, 0)
    finally:
        part.inbox.stop()
        state.close()


def figures(part: Part) -> tuple[int, int]:
    stats = part.inbox.stats()
    return stats.waiting, stats.dead


def beaten(part: Part) -> bool:
    try:
        part.beat()
    except InboxError:
        return False
    return True
