"""The rules of leases, tried at random against the simplest engine there can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.push.inbox import UNDELIVERED
from iot_northbound.push.inboxes.leases import Got, Leases
from tests.clock import FakeClock

steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "fetch", "get", "done", "late", "beat", "give", "resume", "restart"]), st.integers(0, 7)
    ),
    max_size=60,
)


@given(steps, st.integers(1, 3))
def test_nothing_is_deleted_that_was_not_begun_and_all_is_delivered_again(
    wanted: list[tuple[str, int]], count: int
) -> None:
    clock = FakeClock()
    leases = Leases(count, 10.0, clock.monotonic)
    stored: dict[int, int] = {}
    begun: set[int] = set()
    queue: list[int] = []
    last, epoch, server = 0, 0, 0

    def take() -> None:
        nonlocal epoch
        for shard in set(range(count)) - set(leases.held):
            epoch += 1
            leases.take(shard, epoch, 0)

    def beat() -> None:
        lost = leases.beaten(clock.monotonic(), list(leases.held), str(server))
        queue[:] = [each for each in queue if stored.get(each) not in lost]
        take()

    def fetch() -> None:
        for shard, (held, room) in leases.requests().items():
            rows = [each for each in sorted(stored) if stored[each] == shard and each > held.cursor][:room]
            queue.extend(each for each in rows if leases.deliver(held, Got(each, shard, "", held.epoch, 0.0, b"")))
            held.more = len(rows) == room

    beat()
    for step, number in wanted:
        if step == "put":
            last += 1
            stored[last] = number % count
        elif step == "fetch":
            fetch()
        elif step == "get" and queue:
            message_id = queue[0]
            if leases.begin(message_id) is None:
                queue.pop(0)  # what workers do with a message that is gone
                assert leases.finish(message_id) is None
            else:
                begun.add(message_id)
        elif step == "done" and queue and queue[0] in begun:
            got = leases.finish(queue.pop(0))
            if got is not None:
                del stored[got.id]
        elif step == "late":
            clock.advance(9.0)
        elif step == "beat":
            beat()
        elif step == "restart":
            server += 1
            beat()
            assert not leases.got.keys() & set(queue)
        elif step == "give":
            shard = number % count
            if leases.held[shard].giving_up is None:
                leases.held[shard].giving_up = clock.monotonic()
                queue[:] = [each for each in queue if stored.get(each) != shard]
        elif step == "resume" and leases.held[number % count].giving_up is not None:
            queue.extend(got.id for got in leases.resume(number % count))
        assert sum(held.undelivered for held in leases.held.values()) <= UNDELIVERED
    clock.advance(9.0)
    beat()
    fetch()
    assert sorted(set(queue)) == sorted(stored)
    for shard in range(count):
        ids = [each for each in queue if stored[each] == shard]
        assert ids == sorted(ids)


def test_each_shard_has_room_and_a_busy_one_has_more() -> None:
    leases = Leases(64, 10.0, FakeClock().monotonic)
    leases.beaten(0.0, [])
    for shard in range(64):
        leases.take(shard, 1, 0)
        leases.held[shard].more = False
    leases.held[63].more = True
    for _ in range(5):
        held, room = leases.requests()[63]
        for _ in range(room):
            held.cursor += 1
            leases.deliver(held, Got(held.cursor, 63, "", 1, 0.0, None))
    assert 400 < leases.held[63].undelivered < 510
    requests = leases.requests()
    assert all(requests[shard][1] >= 7 for shard in range(63))
    assert sum(room for _, room in requests.values()) + leases.held[63].undelivered <= UNDELIVERED


@given(st.integers(1, 64), st.integers(1, 600), st.lists(st.integers(1, 9), max_size=80))
def test_a_shard_is_looked_at_while_none_of_its_messages_is_done(count: int, total: int, parts: list[int]) -> None:
    leases = Leases(count, 10.0, FakeClock().monotonic)
    leases.beaten(0.0, [])
    for shard in range(count):
        leases.take(shard, 1, 0)
    stored = 0
    for part in [*parts, total]:  # they come a few at a time, all to the last shard, and a fetch follows each time
        stored = min(stored + part, 240)
        for _ in range(9):
            for shard, (held, room) in leases.requests().items():
                new = range(held.cursor + 1, stored + 1)[:room] if shard == count - 1 else ()
                for number in new:
                    leases.deliver(held, Got(number, shard, "", 1, 0.0, None))
                held.more = len(new) == room
        assert leases.held[count - 1].undelivered == stored


@pytest.mark.parametrize("ends", [True, False], ids=["its handler ends", "its handler fails"])
def test_what_a_worker_has_from_another_server_ends_no_message_of_this_one(ends: bool) -> None:
    clock = FakeClock()
    leases = Leases(1, 10.0, clock.monotonic)

    def delivered(server: str) -> None:
        leases.beaten(clock.monotonic(), list(leases.held), server)
        leases.take(0, 1, 0)
        assert leases.deliver(leases.held[0], Got(7, 0, "", 1, 0.0, b""))

    delivered("primary")
    assert leases.begin(7) is not None
    delivered("standby")  # that gave the same epoch and the same id
    if ends:
        assert leases.finish(7) is None
    assert leases.begin(7) is not None
    assert leases.finish(7) is not None
