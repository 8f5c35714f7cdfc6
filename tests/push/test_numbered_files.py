"""A file for each process, and taking over those of lost processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import PushMessageReceiver, SqliteInbox
from tests.clock import FakeClock, eventually
from tests.push.helpers import data_body, data_message, taken
from tests.push.leaving import Delivered, left_by_others


def test_each_takes_the_first_number_that_no_other_has(tmp_path: Path, start: Any) -> None:
    path = tmp_path / "p-{n}.db"
    first, second = start(path), start(path)
    assert sorted(each.name for each in tmp_path.glob("*.db")) == ["p-1.db", "p-2.db"]
    assert taken(first.put(data_message("d", 1)))
    first.stop()
    delivered: Delivered = []
    start(path, delivered)
    assert [device for _, device in delivered] == ["d"]
    assert taken(second.put(data_message("d", 2)))
    assert sorted(each.name for each in tmp_path.glob("*.db")) == ["p-1.db", "p-2.db"]


def test_what_a_lost_process_left_is_taken_over_and_its_file_deleted(tmp_path: Path, start: Any) -> None:
    clock = FakeClock()
    delivered: Delivered = []
    inbox = start(tmp_path / "p-{n}.db", delivered, clock=clock)
    other = start(tmp_path / "p-{n}.db", clock=FakeClock())
    for name in ("p-7.db", "p-x.db", "p-0.db", "p-.db", "q-3.db", "p-7.db.copy"):
        left_by_others(tmp_path / name)

    def taken_over() -> bool:
        clock.advance(5)
        return not (tmp_path / "p-7.db").exists()

    eventually(taken_over)
    eventually(lambda: inbox.stats().waiting == 4)
    assert [inbox.get(message_id).raw["n"] for message_id, _ in delivered] == [2, 3, 4, 5]
    (letter,) = inbox.dead_letters()
    assert (letter.attempts, letter.error, letter.device) == (4, "ValueError: no", "d1")
    assert other.stats().waiting == 0
    left = {each.name for each in tmp_path.iterdir() if not each.name.endswith(("-wal", "-shm", "-owner"))}
    assert left == {"p-1.db", "p-2.db", "p-x.db", "p-0.db", "p-.db", "q-3.db", "p-7.db.copy"}
    eventually(lambda: list(tmp_path.glob("p-7.db-*")) == [])  # the file with the lock is deleted last


def test_a_damaged_file_of_a_lost_process_keeps_no_other_from_being_taken_over(
    tmp_path: Path, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    delivered: Delivered = []
    start(tmp_path / "p-{n}.db", delivered, clock=clock)
    (tmp_path / "p-2.db").write_bytes(b"no database" * 500)
    left_by_others(tmp_path / "p-3.db")

    def taken_over() -> bool:
        clock.advance(5)
        return not (tmp_path / "p-3.db").exists()

    eventually(taken_over)
    assert (tmp_path / "p-2.db").read_bytes() == b"no database" * 500
    assert "p-2.db cannot be taken over" in caplog.text


def test_nothing_is_opened_before_the_first_message_also_with_a_wait(tmp_path: Path) -> None:
    receiver = PushMessageReceiver(SqliteInbox(tmp_path / "p-{n}", wait=5))
    assert list(tmp_path.iterdir()) == []
    assert receiver.receive(data_body("d", 1)).status == 200
    assert (tmp_path / "p-1").exists()
    receiver.stop()
