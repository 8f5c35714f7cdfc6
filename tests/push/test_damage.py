"""Damaged inbox files: refused at the start with advice, and while running the damage stays with its own message."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.push import HandlerRetry, InboxError, SqliteInbox
from iot_northbound.push.inbox import Deliver
from tests.clock import FakeClock, eventually
from tests.push.helpers import Recorder, data_body, data_message, taken

BIG = "x" * 20_000


def filled(path: Path, count: int = 6, extra: Any = BIG) -> None:
    inbox, delivered = SqliteInbox(path, clock=FakeClock()), []
    inbox.start(lambda message_id, _: delivered.append(message_id))
    for number in range(count):
        taken(inbox.put(data_message(f"d{number}", number, extra=extra)))
    inbox.bury(delivered[0], 1, "failed")
    inbox.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite3"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE messages SET device = x'ff'",
        "UPDATE messages SET device = CAST(x'6b6579ff' AS TEXT)",
        "UPDATE messages SET kind = CAST(x'ff' AS TEXT)",
        "UPDATE messages SET error = CAST(x'ff' AS TEXT)",
        "UPDATE messages SET received_at = 'noon'",
        "UPDATE messages SET received_at = 9e999",
        "UPDATE messages SET received_at = -9e999",
        "UPDATE messages SET received_at = 1e300",
        "UPDATE messages SET body = 'a text'",
        "UPDATE messages SET body = 5",
        "UPDATE messages SET dead = 'yes'",
        "UPDATE messages SET dead = 2",
        "UPDATE messages SET attempts = 'many'",
        "UPDATE seen SET at = 'noon'",
        "UPDATE seen SET identity = 'text'",
        "UPDATE seen SET era = 'x'",
        "UPDATE seen SET certain = 7",
        "UPDATE sqlite_sequence SET seq = 'x'",
        "UPDATE sqlite_sequence SET seq = 1",
        "DELETE FROM sqlite_sequence",
        "DROP TABLE seen",
        "ALTER TABLE messages ADD COLUMN more",
        "PRAGMA user_version = 99",
    ],
)
def test_wrong_values_are_an_inbox_error_with_advice_and_the_bytes_stay(path: Path, change: str) -> None:
    filled(path)
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute(change)
    db.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(InboxError, match="move it away") as refused:
            SqliteInbox(path).start(lambda _id, _device: None)
        assert str(path) in str(refused.value)
        assert "key" not in str(refused.value)
    assert path.read_bytes() == before


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("healthy") / "inbox"
    filled(path, count=3, extra=BIG[:6_000])
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(
    offset=st.integers(0, 1 << 20),
    size=st.sampled_from([1, 4, 100, 4_096, 8_192]),
    kind=st.sampled_from(["random", "zero", "ones", "cut"]),
    seed=st.integers(0, 1 << 32),
)
def test_any_damage_is_refused_or_its_messages_are_delivered_and_can_be_deleted(
    healthy: bytes, tmp_path_factory: pytest.TempPathFactory, offset: int, size: int, kind: str, seed: int
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "inbox"
    data = bytearray(healthy)
    offset %= len(data)
    if kind == "cut":
        del data[offset:]
    else:
        size = min(size, len(data) - offset)
        filling = {"random": random.Random(seed).randbytes(size), "zero": bytes(size), "ones": b"\xff" * size}[kind]
        data[offset : offset + size] = filling
    path.write_bytes(data)
    receiver, refusal = Recorder(SqliteInbox(path), retry=HandlerRetry(attempts=1)), ""
    try:
        receiver.start()
    except InboxError as error:
        refusal = str(error)
    if refusal:
        assert "move it away" in refusal
        assert path.read_bytes() == data
    else:
        assert receiver.receive(data_body("another", 99)).status == 200
        eventually(lambda: receiver.metrics().depth == 0)
        receiver.dead_letters()
        receiver.stop()


class DamagedLater(SqliteInbox):
    """An inbox on a disk that fails between the start and the first reading: under the body of letters."""

    letter = b"b"

    def start(self, deliver: Deliver) -> None:
        super().start(deliver)
        data, size, damaged = self.path.read_bytes(), 4_096, 0
        with self.path.open("r+b") as file:
            for start in range(0, len(data), size):
                if set(data[start + 4 : start + size]) == set(self.letter):  # a page with a link to the next one
                    file.seek(start)
                    file.write(b"\x7f\xff\xff\xff")
                    damaged += 1
        assert damaged


@pytest.fixture
def lettered(path: Path) -> Path:
    inbox = SqliteInbox(path)
    inbox.start(lambda _id, _device: None)
    for number, letter in enumerate("abcd"):
        taken(inbox.put(data_message(f"d{number}", number, extra=letter * 20_000)))
    inbox.stop()
    return path


def test_damage_that_shows_later_stays_with_its_own_message(lettered: Path) -> None:
    receiver = Recorder(DamagedLater(lettered), retry=HandlerRetry(attempts=1))
    with receiver:
        handled = receiver.log.wait_for(3)
        assert sorted(body[-5:-2] for body in handled) == ["aaa", "ccc", "ddd"]
        for number in (10, 11, 12):
            assert receiver.receive(data_body("d1", number)).status == 200
        receiver.log.wait_for(6)
        eventually(lambda: receiver.metrics().depth == 0)
    with pytest.raises(InboxError, match="damaged"):
        receiver.start()


def test_the_deletion_of_a_damaged_message_blocks_no_other(lettered: Path) -> None:
    delivered = []
    inbox = DamagedLater(lettered)
    inbox.start(lambda message_id, device: delivered.append((message_id, device)))
    damaged = next(message_id for message_id, device in delivered if device == "d1")
    store = inbox._store
    assert store is not None
    with store._changed:  # all in one transaction
        store._work.clear()
        store._changed.release()
        inbox.done(damaged)
        waiting = [inbox.put(data_message(f"new{number}", number)) for number in range(5)]
        store._changed.acquire()
    assert all(taken(each) for each in waiting)
    inbox.done(delivered[0][0])
    assert taken(inbox.put(data_message("new", 99)))
    inbox.stop()


def test_dead_letters_are_listed_whatever_is_in_them(path: Path) -> None:
    filled(path, extra="")
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("UPDATE messages SET body = x'ff00' WHERE dead")
        db.execute("UPDATE messages SET body = x'7b' WHERE id = 2")
    db.close()
    receiver = Recorder(SqliteInbox(path))
    with receiver:
        receiver.log.wait_for(4)
        eventually(lambda: receiver.metrics().dead == 2)
        assert [letter.text for letter in receiver.dead_letters()] == ["\ufffd\0", "{"]
        assert receiver.discard([letter.id for letter in receiver.dead_letters()]) == 2


def test_a_value_that_another_program_spoils_meanwhile_stays_with_its_own_message(path: Path) -> None:
    filled(path, extra="")

    class Spoilt(SqliteInbox):
        def start(self, deliver: Deliver) -> None:
            super().start(deliver)
            with sqlite3.connect(self.path, isolation_level=None) as db:
                db.execute("UPDATE messages SET body = 'text' WHERE id = 2")
                db.execute("UPDATE messages SET received_at = 9e999 WHERE id = 3")
                db.execute("DELETE FROM messages WHERE id = 4")
            db.close()

    receiver = Recorder(Spoilt(path))
    with receiver:
        receiver.log.wait_for(2)
        eventually(lambda: receiver.metrics().depth == 0)
        assert len(receiver.log.items) == 2
        eventually(lambda: receiver.metrics().dead == 3)
        assert {letter.id for letter in receiver.dead_letters()} >= {2, 3}
