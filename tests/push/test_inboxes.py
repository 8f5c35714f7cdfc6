"""What every inbox does; all are held to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import (
    DuplicateWindow,
    InboxError,
    InboxFullError,
    InboxLimits,
    MemoryInbox,
    MessageGoneError,
    PostgresInbox,
    SqliteInbox,
)
from tests.clock import FakeClock, eventually
from tests.push.helpers import data_message, taken
from tests.servers import PostgresServer

AnyInbox = MemoryInbox | SqliteInbox | PostgresInbox
Make = Callable[..., AnyInbox]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    opened: list[AnyInbox] = []

    def build(**options: Any) -> AnyInbox:
        options = {"clock": FakeClock(), **options}  # the messages of the tests came at its time
        inbox: AnyInbox
        if request.param == "memory":
            inbox = MemoryInbox(**options)
        elif request.param == "sqlite":
            inbox = SqliteInbox(tmp_path / f"{len(opened)}.sqlite3", **options)
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            schema = f"inbox {request.node.name}"[:60]
            server.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
            inbox = PostgresInbox(server.url, schema=schema, **options)
        opened.append(inbox)
        return inbox

    yield build
    for inbox in opened:
        inbox.stop()


class Delivered(list[tuple[int, str]]):
    """What was delivered. A shared inbox delivers a moment after it answers."""

    def __getitem__(self, index: Any) -> Any:
        last = (index.stop or index.start or 0) if isinstance(index, slice) else index + 1
        eventually(lambda: len(self) >= last)
        return super().__getitem__(index)

    def wait_for(self, count: int) -> Delivered:
        eventually(lambda: len(self) >= count)
        assert len(self) == count
        return self


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


@pytest.fixture
def start(make: Make, delivered: Delivered) -> Make:
    def build(**options: Any) -> AnyInbox:
        inbox = make(**options)
        inbox.start(lambda message_id, device: delivered.append((message_id, device)))
        return inbox

    return build


def test_messages_are_delivered_in_order_of_arrival(start: Make, delivered: Delivered) -> None:
    inbox = start()
    answers = [inbox.put(data_message(f"d{number % 3}", number)) for number in range(50)]
    assert all(taken(answer) for answer in answers)
    delivered.wait_for(50)
    for device in ("d0", "d1", "d2"):
        ids = [message_id for message_id, its_device in delivered if its_device == device]
        numbers = [inbox.get(message_id).raw["n"] for message_id in ids]
        assert ids == sorted(set(ids))
        assert numbers == [number for number in range(50) if f"d{number % 3}" == device]


def test_a_message_is_returned_as_it_came(start: Make, delivered: Delivered) -> None:
    inbox = start()
    message = data_message("d1", 1, extra="ü\x00")
    taken(inbox.put(message))
    found = inbox.get(delivered[0][0])
    assert (found.text, found.raw, found.received_at) == (message.text, message.raw, message.received_at)


def test_a_repetition_is_accepted_and_dropped(start: Make, delivered: Delivered) -> None:
    inbox = start()
    assert taken(inbox.put(data_message("d1", 1)))
    assert not taken(inbox.put(data_message("d1", 1)))
    delivered.wait_for(1)


def test_a_repetition_is_recognised_after_the_first_was_handled(start: Make, delivered: Delivered) -> None:
    inbox = start()
    taken(inbox.put(data_message("d1", 1)))
    inbox.done(delivered[0][0])
    assert not taken(inbox.put(data_message("d1", 1)))


def test_a_repetition_after_the_window_is_new(start: Make) -> None:
    inbox = start(duplicates=DuplicateWindow(seconds=60), clock=FakeClock(1_000.0))
    assert taken(inbox.put(data_message("d1", 1, at=1_000.0)))
    assert not taken(inbox.put(data_message("d1", 1, at=1_060.0)))
    assert taken(inbox.put(data_message("d1", 1, at=1_060.5)))


def test_recognition_can_be_switched_off(start: Make, delivered: Delivered) -> None:
    inbox = start(duplicates=None)
    assert taken(inbox.put(data_message("d1", 1)))
    assert taken(inbox.put(data_message("d1", 1)))
    delivered.wait_for(2)


def test_only_so_many_are_remembered(start: Make) -> None:
    inbox = start(duplicates=DuplicateWindow(messages=3))
    for number in range(4):
        taken(inbox.put(data_message("d1", number)))
    assert taken(inbox.put(data_message("d1", 0)))
    assert not taken(inbox.put(data_message("d1", 3)))


def test_it_is_full_at_its_limit_and_accepts_again_when_there_is_room(start: Make, delivered: Delivered) -> None:
    inbox = start(limits=InboxLimits(messages=2))
    for number in range(2):
        taken(inbox.put(data_message("d1", number)))
    with pytest.raises(InboxFullError, match="has 2 messages"):
        taken(inbox.put(data_message("d1", 2)))
    inbox.done(delivered[0][0])
    assert taken(inbox.put(data_message("d1", 2)))


def test_a_refused_message_does_not_count_as_a_repetition_later(start: Make, delivered: Delivered) -> None:
    inbox = start(limits=InboxLimits(messages=1))
    taken(inbox.put(data_message("d1", 1)))
    with pytest.raises(InboxFullError):
        taken(inbox.put(data_message("d1", 2)))
    inbox.done(delivered[0][0])
    assert taken(inbox.put(data_message("d1", 2)))


def test_a_repetition_is_answered_even_when_it_is_full(start: Make) -> None:
    inbox = start(limits=InboxLimits(messages=1))
    taken(inbox.put(data_message("d1", 1)))
    assert not taken(inbox.put(data_message("d1", 1)))


def test_it_is_full_at_its_size(start: Make) -> None:
    size = len(data_message("d1", 1).text)
    inbox = start(limits=InboxLimits(size=2 * size + 1))
    for number in range(2):
        taken(inbox.put(data_message("d1", number)))
    with pytest.raises(InboxFullError, match="bytes"):
        taken(inbox.put(data_message("d1", 2)))


def test_it_is_full_when_the_oldest_has_waited_too_long(start: Make, delivered: Delivered) -> None:
    inbox = start(limits=InboxLimits(age=60))
    taken(inbox.put(data_message("d1", 1, at=1_000.0)))
    taken(inbox.put(data_message("d2", 2, at=1_060.0)))
    with pytest.raises(InboxFullError, match="waited 61 s"):
        taken(inbox.put(data_message("d2", 3, at=1_061.0)))
    inbox.done(delivered[0][0])
    assert taken(inbox.put(data_message("d2", 3, at=1_061.0)))


def test_figures_follow_what_happens(start: Make, delivered: Delivered) -> None:
    inbox = start()
    size = len(data_message("d1", 1).text)
    for number in range(3):
        taken(inbox.put(data_message("d1", number, at=100.0 + number)))
    inbox.done(delivered[0][0])
    inbox.bury(delivered[1][0], 3, "ValueError: no")
    stats = inbox.stats()
    assert (stats.waiting, stats.dead, stats.size, stats.oldest) == (1, 1, 2 * size, 102.0)


def test_dead_letters_tell_what_and_why(start: Make, delivered: Delivered) -> None:
    inbox = start()
    message = data_message("d1", 1)
    taken(inbox.put(message))
    inbox.bury(delivered[0][0], 6, "ValueError: \ud800")
    (letter,) = inbox.dead_letters()
    assert (letter.kind, letter.device, letter.attempts, letter.text) == ("deviceDataChanged", "d1", 6, message.text)
    assert letter.received_at.timestamp() == message.received_at
    assert letter.error.startswith("ValueError")
    assert message.text not in repr(letter)


def test_dead_letters_wait_again_behind_the_others(start: Make, delivered: Delivered) -> None:
    inbox = start(clock=FakeClock())
    for number in range(3):
        taken(inbox.put(data_message("d1", number)))
    inbox.bury(delivered[0][0], 1, "e")
    inbox.bury(delivered[1][0], 1, "e")
    assert inbox.replay([delivered[1][0], delivered[1][0], 999, 1 << 70]) == 1
    assert inbox.replay() == 1
    assert inbox.dead_letters() == []
    assert [inbox.get(message_id).raw["n"] for message_id, _ in delivered.wait_for(5)[3:]] == [1, 0]
    assert delivered[3][0] > delivered[2][0]
    assert inbox.stats().waiting == 3


def test_dead_letters_can_be_thrown_away(start: Make, delivered: Delivered) -> None:
    inbox = start()
    for number in range(2):
        taken(inbox.put(data_message("d1", number)))
        inbox.bury(delivered[number][0], 1, "e")
    assert inbox.discard([delivered[0][0], delivered[0][0], 999, 1 << 70]) == 1
    assert [letter.id for letter in inbox.dead_letters()] == [delivered[1][0]]
    assert inbox.stats().size == len(data_message("d1", 1).text)


def test_a_stopped_inbox_accepts_nothing(start: Make) -> None:
    inbox = start()
    inbox.stop()
    with pytest.raises(InboxError, match="closed"):
        inbox.put(data_message("d1", 1))
    inbox.stop()


def test_waiting_messages_are_delivered_again_at_the_next_start(start: Make, delivered: Delivered) -> None:
    inbox = start()
    for number in range(3):
        taken(inbox.put(data_message(f"d{number}", number)))
    inbox.done(delivered[1][0])
    inbox.bury(delivered[2][0], 1, "e")
    eventually(lambda: inbox.stats().waiting == 1)
    inbox.stop()
    again = Delivered()
    inbox.start(lambda message_id, device: again.append((message_id, device)))
    assert again.wait_for(1) == [delivered[0]]
    assert inbox.stats().dead == 1


def test_a_message_that_is_not_there_cannot_be_read_or_set_aside(start: Make) -> None:
    inbox = start()
    with pytest.raises(MessageGoneError):
        inbox.get(999)
    inbox.done(999)
    inbox.bury(999, 1, "e")
    assert (inbox.stats().waiting, inbox.dead_letters()) == (0, [])
