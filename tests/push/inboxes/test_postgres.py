"""PostgresInbox and its server: rights, settings, connections, values that cannot be stored."""

from __future__ import annotations

import os
import threading
import uuid
from typing import Any
from unittest.mock import Mock

import pytest

from iot_northbound.push import (
    InboxConfigError,
    InboxError,
    InboxLimits,
    PostgresInbox,
)
from iot_northbound.push.inboxes import postgres_schema as sql
from iot_northbound.push.inboxes.putting import Putting, shard_of
from iot_northbound.push.inboxes.sharded import Sharded
from iot_northbound.push.parse import parse
from iot_northbound.shared.postgres_link import Link
from iot_northbound.testing.messages import push_body
from tests.clock import eventually
from tests.push.helpers import data_message, taken
from tests.push.inboxes.parts import SCHEMA, Make, Part
from tests.servers import PostgresServer, Proxy


def test_a_state_without_a_time_is_handled_twice_rather_than_lost(make: Make) -> None:
    part = make().start()
    for _ in range(2):
        assert taken(part.inbox.put(parse(push_body("deviceAdded", deviceId="d1"), 1_770_000_000.0)))


def test_a_large_message_and_text_that_cannot_be_stored_come_through(make: Make) -> None:
    part = make().start()
    large = data_message("d\0", 1, extra="x" * 100_000)
    taken(part.inbox.put(large))
    ((message_id, device),) = part.wait_for(1)
    assert "\0" not in device
    assert part.inbox.get(message_id).text == large.text
    part.inbox.bury(message_id, 6, "Error: \0\ud800")
    assert "Error: " in part.inbox.dead_letters()[0].error


def test_limits_are_for_all_receivers_together(make: Make) -> None:
    first, second = make(), make(limits=InboxLimits(messages=3))
    first.inbox.start(None)
    for number in range(3):
        taken(first.inbox.put(data_message("d1", number)))
    second.inbox.start(None)
    with pytest.raises(InboxError, match="3 messages"):
        taken(second.inbox.put(data_message("d1", 9)))
    assert not taken(second.inbox.put(data_message("d1", 2)))


def test_the_oldest_waiting_message_of_each_shard_is_named(make: Make) -> None:
    part = make().start()
    for device, number, at in (("d1", 1, 1_000.0), ("d1", 2, 1_005.0), ("d2", 3, 1_010.0)):
        taken(part.inbox.put(data_message(device, number, at=at)))
    first, second = shard_of("d1", 64), shard_of("d2", 64)
    assert {shard: since.timestamp() for shard, since in part.inbox.oldest_by_shard().items()} == {
        first: 1_000.0,
        second: 1_010.0,
    }
    part.inbox.bury(part.wait_for(3)[0][0], 1, "")
    assert part.inbox.oldest_by_shard()[first].timestamp() == 1_005.0


def test_old_traces_are_forgotten(make: Make, server: PostgresServer) -> None:
    part = make().start()
    taken(part.inbox.put(data_message("d1", 1, at=1_000.0)))
    statement = sql.TIDY.format(s=SCHEMA)
    server.execute(statement % {"before": 1_000.5, "most": 100, "at_once": 10})
    assert server.execute(f"SELECT count(*) FROM {SCHEMA}.inbox_seen") == [(0,)]


def test_a_role_with_few_rights_works_on_tables_that_exist(make: Make, server: PostgresServer) -> None:
    server.execute("DROP ROLE IF EXISTS few")
    server.execute("CREATE ROLE few LOGIN PASSWORD 'few-rights'")
    dsn = server.url_of("few", "few-rights")
    with pytest.raises(InboxConfigError, match="inbox init"):
        PostgresInbox(dsn, schema=SCHEMA).start(None)
    server.execute(sql.script(SCHEMA))
    server.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO few")
    server.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO few")
    part = Part(dsn).start()
    try:
        assert part.shards == 64
        taken(part.inbox.put(data_message("d1", 1)))
        part.inbox.done(part.wait_for(1)[0][0])
        eventually(lambda: part.inbox.stats().waiting == 0)
    finally:
        part.inbox.stop()
        server.execute("DROP OWNED BY few")
        server.execute("DROP ROLE few")


@pytest.mark.parametrize(
    ("right", "table", "text"),
    [
        ("DELETE", "inbox", "no right to DELETE on inbox; it must read and write all tables"),
        ("UPDATE", "inbox_lease", "no right to UPDATE on inbox_lease"),
        ("SELECT", "inbox_meta", "permission denied for table inbox_meta"),
    ],
)
def test_a_role_with_too_few_rights_is_refused_at_the_start(
    make: Make, server: PostgresServer, right: str, table: str, text: str
) -> None:
    make().start()
    role = f"role_{uuid.uuid4().hex[:8]}"
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'of-it'")
    server.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {role}")
    server.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {role}")
    server.execute(f"REVOKE {right} ON {SCHEMA}.{table} FROM {role}")
    try:
        with pytest.raises(InboxConfigError, match=text):
            PostgresInbox(server.url_of(role, "of-it"), schema=SCHEMA).prepare()
    finally:
        server.execute(f"DROP OWNED BY {role}")
        server.execute(f"DROP ROLE {role}")


def test_another_number_of_shards_or_another_version_is_refused(make: Make, server: PostgresServer) -> None:
    make().start()
    with pytest.raises(InboxConfigError, match="shards=64"):
        make(shards=8).start()
    server.execute(f"UPDATE {SCHEMA}.inbox_meta SET version = 99")
    with pytest.raises(InboxConfigError, match="version 99"):
        make().start()


@pytest.mark.parametrize("setting", ["synchronous_commit = off", "default_transaction_isolation = 'serializable'"])
def test_settings_of_the_role_cannot_weaken_it(make: Make, server: PostgresServer, setting: str) -> None:
    name = setting.split()[0]
    server.execute(f"ALTER ROLE na SET {setting}")
    try:
        part = make().start()
        answers = [part.inbox.put(data_message(f"d{number}", number)) for number in range(20)]
        assert all(taken(each) for each in answers)
        for message_id, _ in list(part.wait_for(20)):
            part.inbox.done(message_id)
        eventually(lambda: part.inbox.stats().waiting == 0)
    finally:
        server.execute(f"ALTER ROLE na RESET {name}")


def test_processes_whose_role_has_a_strict_isolation_level_do_not_fail_at_each_other(
    make: Make, server: PostgresServer
) -> None:
    first, second = make().start(), make().start()
    strict = Part(f"{server.url}?options=-cdefault_transaction_isolation%3Dserializable").start()
    desk = strict.inbox._opened().desk
    beaten: list[int] = []

    def beat_meanwhile(link: Link) -> None:
        link.execute(f"SELECT count(*) FROM {SCHEMA}.inbox_lease")  # what it knows from here on is the past
        if not beaten:
            beaten.append(1)
            first.beat()
            second.beat()

    execute = Link.execute
    try:
        with pytest.MonkeyPatch.context() as patch:

            def between(link: Link, query: Any, *rest: Any, **named: Any) -> Any:
                if link is not desk._link or beaten:
                    return execute(link, query, *rest, **named)
                with link.transaction():
                    patch.undo()
                    beat_meanwhile(link)
                    return execute(link, query, *rest, **named)

            desk.rows("SELECT 1")
            patch.setattr(Link, "execute", between)
            assert desk.rows(f"UPDATE {SCHEMA}.inbox_lease SET owner = owner RETURNING 1")
        assert beaten
    finally:
        strict.inbox.stop()


def test_a_schema_that_the_shared_state_makes_in_this_very_moment_is_used(
    make: Make, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Link.execute

    def meanwhile(link: Link, query: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(query, bytes) and query.startswith(b"CREATE SCHEMA"):
            monkeypatch.undo()
            server.execute(f"CREATE SCHEMA {SCHEMA}")
        return execute(link, query, *rest, **named)

    monkeypatch.setattr(Link, "execute", meanwhile)
    assert taken(make().start().inbox.put(data_message("d1", 1)))


def test_a_worker_gets_its_message_though_the_inbox_is_still_starting(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, worker = make(), make()
    web.inbox.start(None)
    message = data_message("d1", 1)
    taken(web.inbox.put(message))
    got: list[str] = []
    asked = threading.Event()

    def deliver(message_id: int, _device: str) -> None:
        try:
            got.append(worker.inbox.get(message_id).text)
        except InboxError as error:
            got.append(str(error))
        asked.set()

    start = Putting.start
    monkeypatch.setattr(Putting, "start", lambda putting: (asked.wait(30), start(putting)))
    worker.inbox.start(deliver)
    assert got == [message.text]


def test_an_inbox_whose_start_failed_is_closed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    part = make()
    with monkeypatch.context() as patch:
        patch.setattr(Sharded, "start", Mock(side_effect=InboxError("away")))
        with pytest.raises(InboxError, match="away"):
            part.start()
    with pytest.raises(InboxError, match="closed"):
        part.inbox.put(data_message("d1", 1))
    assert taken(part.start().inbox.put(data_message("d1", 1)))


def test_a_password_is_never_shown(server: PostgresServer) -> None:
    wrong = PostgresInbox(server.url.replace("a-password-of-postgres", "wrong-secret"), schema=SCHEMA)
    with pytest.raises(InboxConfigError) as caught:
        wrong.start(None)
    assert "wrong-secret" not in str(caught.value) + repr(wrong)


def test_while_the_connection_is_cut_it_refuses_and_afterwards_it_goes_on(make: Make, server: PostgresServer) -> None:
    with Proxy(server.port) as proxy:
        part = Part(server.url.replace(str(server.port), str(proxy.port)))
        part.start()
        try:
            assert taken(part.inbox.put(data_message("d1", 1)))
            proxy.refusing = True
            proxy.cut()
            with pytest.raises(InboxError):
                taken(part.inbox.put(data_message("d1", 2)))
            proxy.refusing = False
            assert taken(part.inbox.put(data_message("d1", 2)))
            assert not taken(part.inbox.put(data_message("d1", 1)))
            for message_id, _ in list(part.wait_for(2)):
                part.inbox.done(message_id)
            eventually(lambda: part.inbox.stats().waiting == 0)
        finally:
            part.inbox.stop()


def test_a_forked_child_neither_uses_nor_closes_the_inbox_of_its_parent(make: Make) -> None:
    part = make().start()
    child = os.fork()
    if not child:
        try:
            part.inbox.put(data_message("d1", 1))
        except InboxError:
            part.inbox.stop()
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert taken(part.inbox.put(data_message("d1", 2)))


def test_a_stopped_inbox_can_start_again(make: Make) -> None:
    part = make().start()
    taken(part.inbox.put(data_message("d1", 1)))
    part.inbox.stop()
    part.inbox.stop()
    with pytest.raises(InboxError, match="closed"):
        part.inbox.put(data_message("d1", 2))
    part.start()
    taken(part.inbox.put(data_message("d1", 2)))
    eventually(lambda: len({message_id for message_id, _ in part.delivered}) == 2)
