"""What an inbox of several processes does besides: devices belong to one process at a time, and change hands."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from iot_northbound.core.signal_safe import Flag
from iot_northbound.push import (
    HandlerRetry,
    InboxConfigError,
    InboxError,
    InboxLimits,
    Leased,
    MessageGoneError,
    PostgresInbox,
)
from iot_northbound.push.inboxes import postgres_schema as sql
from iot_northbound.push.inboxes.putting import shard_of
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body
from tests.clock import FakeClock, eventually
from tests.push.helpers import Recorder, data_body, data_message, taken
from tests.servers import PostgresServer, Proxy

SCHEMA = "leased"


class Quiet(FakeClock):
    """A clock whose time never wakes a heart: a test beats itself."""

    def wait(self, wake: Flag, seconds: float) -> bool:
        while not wake.wait(seconds):
            pass
        return True


class Part:
    """An inbox in the place of a process, with what it delivered and what its workers have."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.delivered: list[tuple[int, str]] = []
        self.in_hand = 0
        self.withdrawn: list[Callable[[str], bool]] = []
        self.inbox = PostgresInbox(dsn, schema=SCHEMA, **options)
        self.inbox.on_withdraw(self._withdraw)

    def _withdraw(self, belongs: Callable[[str], bool]) -> int:
        self.withdrawn.append(belongs)
        return self.in_hand

    def start(self) -> Part:
        self.inbox.start(lambda message_id, device: self.delivered.append((message_id, device)))
        return self

    def wait_for(self, count: int) -> list[tuple[int, str]]:
        eventually(lambda: len(self.delivered) >= count)
        return self.delivered

    def beat(self) -> None:
        assert self.inbox._open is not None
        assert self.inbox._open.beating is not None
        self.inbox._open.beating.beat()

    @property
    def shards(self) -> int:
        return self.inbox.leases().shards


@pytest.fixture
def server(postgres_server: PostgresServer) -> PostgresServer:
    postgres_server.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return postgres_server


Make = Callable[..., Part]


@pytest.fixture
def make(server: PostgresServer) -> Iterator[Make]:
    """Make a part whose own heart does not beat: a test says when."""
    parts: list[Part] = []

    def build(**options: Any) -> Part:
        parts.append(Part(server.url, **{"clock": Quiet(), **options}))
        return parts[-1]

    yield build
    for part in parts:
        part.inbox.stop()


def end_leases(server: PostgresServer) -> None:
    """Let the time of all leases run out."""
    server.execute(f"UPDATE {SCHEMA}.inbox_lease SET until = now() - interval '1 second'")
    server.execute(f"DELETE FROM {SCHEMA}.inbox_member")


def test_it_says_that_it_is_leased() -> None:
    assert isinstance(PostgresInbox("postgresql://db.example/na"), Leased)


def test_one_process_has_all_devices_and_gives_a_share_to_each_that_comes(make: Make) -> None:
    first, second, third = make().start(), make(), make()
    assert first.shards == 64
    second.start()
    assert second.shards == 0
    first.beat()
    second.beat()
    assert (first.shards, second.shards) == (32, 32)
    third.start()
    for part in (first, second, third):
        part.beat()
    assert (first.shards, second.shards, third.shards) == (22, 22, 20)


def test_a_process_that_stops_leaves_its_devices_at_once(make: Make) -> None:
    first, second = make().start(), make().start()
    first.beat()
    second.beat()
    first.inbox.stop()
    second.beat()
    assert second.shards == 64
    assert second.inbox.leases().takeovers == 0


def test_what_a_stopped_process_left_is_delivered_to_the_next_with_a_higher_fence(make: Make) -> None:
    first = make().start()
    taken(first.inbox.put(data_message("d1", 1)))
    (message_id, _), *_ = first.wait_for(1)
    fence = first.inbox.get(message_id).fence
    first.inbox.stop()
    second = make().start()
    assert second.wait_for(1) == [(message_id, "d1")]
    message = second.inbox.get(message_id)
    assert message.fence > fence
    assert message.shard == shard_of("d1", 64)
    assert message.begun == 0


def test_a_process_without_handlers_only_stores(make: Make) -> None:
    web, worker = make(), make()
    web.inbox.start(None)
    assert taken(web.inbox.put(data_message("d1", 1)))
    worker.start()
    assert worker.shards == 64
    assert [device for _, device in worker.wait_for(1)] == ["d1"]
    assert web.shards == 0


def test_a_repetition_at_another_receiver_at_the_same_moment_is_stored_once(make: Make) -> None:
    receivers = [make(), make()]
    for each in receivers:
        each.inbox.start(None)
    with ThreadPoolExecutor(8) as pool:
        answers = [
            [pool.submit(each.inbox.put, data_message(f"d{number % 7}", number)) for each in receivers]
            for number in range(300)
        ]
    news = [[taken(each.result()) for each in pair] for pair in answers]
    assert [sorted(pair) for pair in news] == [[False, True]] * 300
    assert receivers[0].inbox.stats().waiting == 300


def test_a_state_without_a_time_is_handled_twice_rather_than_lost(make: Make) -> None:
    part = make().start()
    for _ in range(2):
        assert taken(part.inbox.put(parse(push_body("deviceAdded", deviceId="d1"), 1_770_000_000.0)))


def test_after_a_takeover_what_the_old_owner_finishes_is_not_written(make: Make, server: PostgresServer) -> None:
    first = make().start()
    taken(first.inbox.put(data_message("d1", 1)))
    taken(first.inbox.put(data_message("d1", 2)))
    (one, _), (two, _) = first.wait_for(2)
    first.inbox.get(one)
    first.inbox.get(two)
    end_leases(server)
    second = make().start()
    assert second.inbox.leases().takeovers == 64
    first.inbox.bury(one, 6, "ValueError")
    first.inbox.done(two)
    eventually(lambda: first.inbox.leases().fenced == 2)
    assert [each for each, _ in second.wait_for(2)] == [one, two]
    assert second.inbox.dead_letters() == []
    assert second.inbox.stats().waiting == 2


def test_a_process_that_was_late_begins_nothing_and_gives_all_up(make: Make) -> None:
    clock = Quiet()
    part = make(clock=clock, lease=10.0).start()
    taken(part.inbox.put(data_message("d1", 1)))
    taken(part.inbox.put(data_message("d2", 2)))
    (one, _), (two, _) = part.wait_for(2)
    fence = part.inbox.get(one).fence
    clock.advance(8.1)
    with pytest.raises(MessageGoneError):
        part.inbox.get(two)
    part.inbox.done(two)  # as workers do; it means nothing
    part.beat()
    assert part.inbox.leases().lost == 64
    assert part.withdrawn[0]("d1")
    again = [each for each, _ in part.wait_for(4)[2:]]
    assert sorted(again) == [one, two]
    assert part.inbox.get(two).fence > fence


def test_a_device_is_given_up_only_when_its_handler_has_finished(make: Make) -> None:
    first, second = make().start(), make().start()
    first.in_hand = 1
    first.beat()
    second.beat()
    assert (first.shards, second.shards) == (64, 0)
    first.in_hand = 0
    first.beat()
    second.beat()
    assert (first.shards, second.shards) == (32, 32)


def test_while_a_device_is_given_up_nothing_of_it_begins_but_what_is_in_hand_is_written(make: Make) -> None:
    first, second = make(shards=1).start(), make(shards=1)
    for number in range(2):
        taken(first.inbox.put(data_message("d1", number)))
    (one, _), (two, _) = first.wait_for(2)
    first.inbox.get(one)
    opened = first.inbox._open
    assert opened is not None
    with opened.leases.changed:
        opened.leases.held[0].giving_up = opened.leases.now()
    with pytest.raises(MessageGoneError):
        first.inbox.get(two)
    first.inbox.done(two)  # as workers do; it means nothing
    first.inbox.done(one)
    first.inbox.stop()
    assert second.start().wait_for(1) == [(two, "d1")]
    assert first.inbox.leases().fenced == 0


def test_a_slow_handler_keeps_its_shard_and_the_others_of_it_go_on(make: Make) -> None:
    clock = Quiet()
    first, second = make(shards=2, clock=clock).start(), make(shards=2).start()
    for number in range(10):
        taken(first.inbox.put(data_message(f"d{number}", number)))
    first.wait_for(10)
    first.in_hand = 1
    first.beat()
    opened = first.inbox._open
    assert opened is not None
    ((shard, held),) = [each for each in opened.leases.held.items() if each[1].giving_up is not None]
    held.giving_up = opened.leases.now() - 16
    first.beat()
    again = [message_id for message_id, _ in first.delivered[10:]]
    assert again == [message_id for message_id, device in first.delivered[:10] if shard_of(device, 2) == shard]
    assert first.inbox.get(again[0]).shard == shard
    second.beat()
    assert second.shards == 0


def test_a_message_that_ends_its_process_is_counted_before_it_begins(make: Make, server: PostgresServer) -> None:
    first = make().start()
    taken(first.inbox.put(data_message("d1", 1)))
    ((message_id, _),) = first.wait_for(1)
    assert first.inbox.get(message_id).begun == 0
    for count in (1, 2):
        end_leases(server)
        part = make().start()
        taken(part.inbox.put(data_message("d1", 10 + count)))
        delivered = part.wait_for(1 + count)
        assert part.inbox.get(message_id).begun == count
        assert part.inbox.get(delivered[-1][0]).begun == 0  # it came after the takeover


def test_one_busy_device_leaves_room_for_the_others(make: Make) -> None:
    part = make()
    part.inbox.start(None)
    answers = [part.inbox.put(data_message("busy", number)) for number in range(1_500)]
    assert all(taken(each) for each in answers)
    part.inbox.stop()
    worker = make().start()
    taken(worker.inbox.put(data_message("other", 9_999)))
    eventually(lambda: any(device == "other" for _, device in worker.delivered))
    assert sum(device == "busy" for _, device in worker.delivered) < 1_000
    for position in range(1_501):
        worker.wait_for(position + 1)
        worker.inbox.done(worker.delivered[position][0])
    busy = [message_id for message_id, device in worker.delivered if device == "busy"]
    assert busy == sorted(set(busy))
    eventually(lambda: worker.inbox.stats().waiting == 0)


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


def test_two_receivers_with_handlers_keep_the_order_of_each_device(server: PostgresServer) -> None:
    receivers = [Recorder(PostgresInbox(server.url, schema=SCHEMA, lease=1.0)) for _ in range(2)]
    for receiver in receivers:
        receiver.start()
    try:
        for number in range(200):
            answer = receivers[number % 2].receive(data_body(f"d{number % 5}", number))
            assert answer.status == 200
        eventually(lambda: sum(len(each.log.items) for each in receivers) >= 200)
        handled = [text for each in receivers for text in each.log.items]
        assert len(set(handled)) == 200
    finally:
        for receiver in receivers:
            receiver.stop()


def test_a_handler_that_fails_too_often_leaves_a_dead_letter_that_any_process_replays(server: PostgresServer) -> None:
    fail = threading.Event()
    fail.set()

    class Failing(Recorder):
        def handle_body(self, body: str) -> None:
            if fail.is_set():
                raise ValueError("no")
            super().handle_body(body)

    receiver = Failing(PostgresInbox(server.url, schema=SCHEMA), retry=HandlerRetry(attempts=2, first=0)).start()
    other = PostgresInbox(server.url, schema=SCHEMA)
    other.start(None)
    try:
        assert receiver.receive(data_body("d1", 1)).status == 200
        (letter,) = eventually(other.dead_letters)
        assert (letter.attempts, letter.error) == (2, "ValueError: no")
        fail.clear()
        assert other.replay([letter.id]) == 1
        assert len(receiver.log.wait_for(1)) == 1
        assert other.dead_letters() == []
    finally:
        receiver.stop()
        other.stop()


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
