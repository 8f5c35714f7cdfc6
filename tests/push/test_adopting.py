"""Adopting the file that a lost process left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import InboxError, InboxInUseError, InboxLimits, MemoryInbox
from iot_northbound.push.adopt import Adopted, adopt_file
from tests.clock import FakeClock
from tests.push.helpers import PATIENCE, data_message, taken
from tests.push.leaving import Delivered, leave, left_by_others


def test_adopting_moves_everything_in_order_behind_what_waits(tmp_path: Path, start: Any) -> None:
    left_by_others(tmp_path / "left")
    delivered: Delivered = []
    inbox = start(tmp_path / "i", delivered, limits=InboxLimits(messages=1))
    taken(inbox.put(data_message("d9", 9)))
    assert adopt_file(tmp_path / "left", inbox) == Adopted(moved=5, kept=0)
    assert [inbox.get(message_id).raw["n"] for message_id, _ in delivered] == [9, 2, 3, 4, 5]
    assert (inbox.stats().waiting, inbox.stats().dead) == (5, 1)
    assert not list(tmp_path.glob("left*"))
    inbox.stop()
    again: Delivered = []
    start(tmp_path / "i", again)
    assert again == delivered


def test_a_repetition_of_what_was_adopted_or_handled_there_is_recognised(tmp_path: Path, start: Any) -> None:
    body = "taken(inbox.put(data_message('d', {0})))"
    leave(tmp_path / "left", f"{body.format(1)}; {body.format(2)}; inbox.done(ids[0]); inbox.dead_letters()")
    inbox = start(tmp_path / "i", clock=FakeClock())
    adopt_file(tmp_path / "left", inbox)
    for number in (1, 2):
        assert not taken(inbox.put(data_message("d", number)))
    inbox.stop()
    again = start(tmp_path / "i", clock=FakeClock())
    assert not taken(again.put(data_message("d", 1)))


def test_what_the_sender_has_repeated_here_meanwhile_is_not_handled_twice(tmp_path: Path, start: Any) -> None:
    leave(tmp_path / "left", "taken(inbox.put(data_message('d', 1)))")
    delivered: Delivered = []
    inbox = start(tmp_path / "i", delivered, clock=FakeClock())
    assert taken(inbox.put(data_message("d", 1)))
    adopt_file(tmp_path / "left", inbox)
    assert len(delivered) == inbox.stats().waiting == 1


def test_a_file_whose_process_lives_is_left_alone(tmp_path: Path, start: Any) -> None:
    owner, inbox = start(tmp_path / "owned"), start(tmp_path / "i")
    taken(owner.put(data_message("d", 1)))
    with pytest.raises(InboxInUseError):
        adopt_file(tmp_path / "owned", inbox)
    assert owner.stats().waiting == 1
    assert taken(owner.put(data_message("d", 2)))


@pytest.mark.parametrize(("name", "text"), [("missing", "there is no file"), ("i", "this process has it open")])
def test_what_cannot_be_adopted_is_refused(tmp_path: Path, start: Any, name: str, text: str) -> None:
    inbox = start(tmp_path / "i")
    with pytest.raises(InboxError, match=text):
        adopt_file(tmp_path / name, inbox)
    assert not (tmp_path / "missing").exists()


def test_an_inbox_that_takes_only_messages_leaves_the_dead_letters_in_the_file(tmp_path: Path) -> None:
    left_by_others(tmp_path / "left")
    inbox = MemoryInbox()
    delivered: list[int] = []
    inbox.start(lambda message_id, device: delivered.append(message_id))
    assert adopt_file(tmp_path / "left", inbox) == Adopted(moved=4, kept=1)
    assert [inbox.get(each).raw["n"] for each in delivered] == [2, 3, 4, 5]
    assert adopt_file(tmp_path / "left", inbox) == Adopted(moved=0, kept=1)


def test_a_full_inbox_takes_nothing_and_the_file_keeps_it(tmp_path: Path) -> None:
    left_by_others(tmp_path / "left")
    inbox = MemoryInbox(limits=InboxLimits(messages=1))
    inbox.start(lambda _id, _device: None)
    with pytest.raises(InboxError, match="which is its limit"):
        adopt_file(tmp_path / "left", inbox)
    other = MemoryInbox()
    other.start(lambda _id, _device: None)
    assert adopt_file(tmp_path / "left", other) == Adopted(moved=4, kept=1)


LINES = """
import os, sys
from iot_northbound.push import SqliteInbox, adopt
from iot_northbound.push.adopt import adopt_file
adopt._AT_ONCE = 2
left = int(sys.argv[3])
def count(frame, event, argument):
    global left
    if "iot_northbound" in frame.f_code.co_filename:
        left -= event == "line"
        if left <= 0: os._exit(9)
        return count
inbox = SqliteInbox(sys.argv[1])
inbox.start(lambda message_id, device: None)
sys.settrace(count)
adopt_file(sys.argv[2], inbox)
sys.settrace(None)
os._exit(0)
"""


def test_a_kill_at_any_line_loses_no_message_and_keeps_the_order(tmp_path: Path, start: Any) -> None:
    total = 0
    for line in range(5, 400, 43):
        folder = tmp_path / str(line)
        folder.mkdir()
        inbox = start(folder / "left")
        for number in range(5):
            taken(inbox.put(data_message("d", number)))
        inbox.stop()
        command = [sys.executable, "-c", LINES, str(folder / "i"), str(folder / "left"), str(line)]
        total += subprocess.run(command, timeout=PATIENCE, check=False).returncode == 9
        delivered: Delivered = []
        inbox = start(folder / "i", delivered)
        if (folder / "left").exists():
            adopt_file(folder / "left", inbox)
        numbers = [inbox.get(message_id).raw["n"] for message_id, _ in delivered]
        assert list(dict.fromkeys(numbers)) == list(range(5)), (line, numbers)
        assert len(numbers) <= 5 + 2
        inbox.stop()
    assert total >= 5
