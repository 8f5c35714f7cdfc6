"""What an inbox of several processes does besides: devices belong to one process at a time, and change hands."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from iot_northbound.push import (
    HandlerRetry,
    Leased,
    MessageGoneError,
    PostgresInbox,
)
from iot_northbound.push.inboxes.putting import shard_of
from tests.clock import eventually
from tests.push.helpers import Recorder, data_body, data_message, taken
from tests.push.inboxes.parts import SCHEMA, Make, Quiet, end_leases
from tests.servers import PostgresServer


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
