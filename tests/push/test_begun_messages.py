"""Messages that end their process."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import HandlerRetry, SqliteInbox
from iot_northbound.push.adopt import adopt_file
from tests.clock import eventually
from tests.push.helpers import Recorder, data_message, taken
from tests.push.leaving import Delivered, leave


def begun(path: Path, times: int) -> list[int]:
    """Let processes end without a word while they have the first message; return how often each said it was begun."""
    for _ in range(times):
        leave(path, "open('seen', 'a').write(f'{inbox.get(ids[0]).begun} ') if ids else 0")
    return [int(each) for each in Path("seen").read_text().split()]


def test_a_message_that_ends_its_process_is_counted_and_becomes_a_dead_letter(
    tmp_path: Path, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inbox = start(tmp_path / "i")
    for number in range(2):
        taken(inbox.put(data_message("d", number)))
    inbox.stop()
    # The first process opens a file that was closed well, so it counts nothing: calm operation costs nothing.
    assert begun(tmp_path / "i", 4) == [0, 0, 1, 2]
    with Recorder(SqliteInbox(tmp_path / "i"), retry=HandlerRetry(attempts=3)) as receiver:
        assert [body[-2:] for body in receiver.log.wait_for(1)] != []
        eventually(lambda: receiver.metrics().depth == 0)
        (letter,) = receiver.dead_letters()
        assert (letter.attempts, letter.error) == (3, "3 processes ended while they had it")
        assert '"n": 1' in receiver.log.items[0] or '"n":1' in receiver.log.items[0]


def test_the_count_goes_with_a_message_into_another_file(
    tmp_path: Path, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    leave(tmp_path / "left", "taken(inbox.put(data_message('d', 1)))")
    assert begun(tmp_path / "left", 2) == [0, 1]
    delivered: Delivered = []
    inbox = start(tmp_path / "i", delivered)
    adopt_file(tmp_path / "left", inbox)
    assert inbox.get(delivered[0][0]).begun == 2
    inbox.stop()
    delivered.clear()
    assert start(tmp_path / "i", delivered).get(delivered[0][0]).begun == 3


def test_after_a_clean_end_no_message_is_suspect(tmp_path: Path, start: Any) -> None:
    for _ in range(2):
        delivered: Delivered = []
        inbox = start(tmp_path / "i", delivered)
        taken(inbox.put(data_message("d", 1, extra=os.urandom(4).hex())))
        assert all(inbox.get(message_id).begun == 0 for message_id, _ in delivered)
        inbox.stop()
        reader = sqlite3.connect(tmp_path / "i")
        assert reader.execute("SELECT count(*) FROM begun").fetchone() == (0,)
        reader.close()


def test_a_file_of_the_version_before_is_opened_and_can_be_opened_by_that_version(tmp_path: Path, start: Any) -> None:
    inbox = start(tmp_path / "i")
    taken(inbox.put(data_message("d", 1)))
    inbox.stop()
    old = sqlite3.connect(tmp_path / "i")
    old.execute("DROP TABLE begun")
    assert old.execute("PRAGMA user_version").fetchone() == (3,)
    old.close()
    delivered: Delivered = []
    start(tmp_path / "i", delivered)
    assert len(delivered) == 1
