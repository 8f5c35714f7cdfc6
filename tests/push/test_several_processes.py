"""A file whose owner changes: waiting for it, a file for each process, and what a lost process left."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import (
    HandlerRetry,
    InboxError,
    InboxInUseError,
    InboxLimits,
    MemoryInbox,
    PushMessageReceiver,
    SqliteInbox,
)
from iot_northbound.push.adopt import Adopted, adopt_file
from tests.clock import FakeClock, eventually
from tests.push.helpers import PATIENCE, Recorder, data_body, data_message, taken

Delivered = list[tuple[int, str]]


@pytest.fixture
def inboxes() -> Iterator[list[SqliteInbox]]:
    made: list[SqliteInbox] = []
    yield made
    for inbox in made:
        inbox.stop()


@pytest.fixture
def start(inboxes: list[SqliteInbox]) -> Any:
    def build(path: Path, delivered: Delivered | None = None, **options: Any) -> SqliteInbox:
        inbox = SqliteInbox(path, **options)
        inboxes.append(inbox)
        told = delivered if delivered is not None else []
        inbox.start(lambda message_id, device: told.append((message_id, device)))
        return inbox

    return build


def leave(path: Path, program: str) -> None:
    """Run a program with an open inbox and end it without a word, as kill -9 does."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from iot_northbound.push import SqliteInbox\n"
        "from tests.clock import FakeClock\n"
        "from tests.push.helpers import data_message, taken\n"
        "inbox = SqliteInbox(sys.argv[1], clock=FakeClock())\n"
        "ids = []\n"
        "inbox.start(lambda message_id, device: ids.append(message_id))\n"
        f"{program}\n"
        "os._exit(9)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 9, done.stderr


def left_by_others(path: Path) -> None:
    leave(
        path,
        "for number in range(6): taken(inbox.put(data_message(f'd{number % 2}', number)))\n"
        "inbox.done(ids[0]); inbox.bury(ids[1], 4, 'ValueError: no'); inbox.dead_letters()",
    )


# Waiting


def test_the_next_owner_waits_for_the_one_before_and_answers_503_meanwhile(tmp_path: Path) -> None:
    first = Recorder(SqliteInbox(tmp_path / "i")).start()
    second = Recorder(SqliteInbox(tmp_path / "i", wait=30)).start()
    answer = second.receive(data_body("d", 1))
    assert (answer.status, b"in use by another receiver" in answer.body) == (503, True)
    assert (second.metrics().depth, second.metrics().refused) == (0, {503: 1})
    with pytest.raises(InboxInUseError):
        second.dead_letters()
    assert first.receive(data_body("d", 0)).status == 200
    first.log.wait_for(1)
    first.stop()
    eventually(lambda: second.receive(data_body("d", 1)).status == 200)
    second.log.wait_for(1)
    second.stop()
    assert second.receive(data_body("d", 2)).status == 503


def test_what_the_owner_before_left_is_handled_first(tmp_path: Path, start: Any) -> None:
    first, delivered = start(tmp_path / "i"), []
    second = SqliteInbox(tmp_path / "i", wait=30)
    second.start(lambda message_id, device: delivered.append(device))
    for number in range(3):
        taken(first.put(data_message(f"d{number}", number)))
    first.stop()

    def put() -> bool:
        try:
            return taken(second.put(data_message("new", 9)))
        except InboxError:
            return False

    eventually(put)
    assert delivered == ["d0", "d1", "d2", "new"]
    second.stop()


def test_an_owner_that_stays_is_named_once_and_waited_for(
    tmp_path: Path, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first, clock = start(tmp_path / "i"), FakeClock()
    second = SqliteInbox(tmp_path / "i", wait=5, clock=clock)
    second.start(lambda _id, _device: None)
    for _ in range(3):
        eventually(lambda: clock.waits)
        clock.advance(4)
    eventually(lambda: [record for record in caplog.records if "still closed after" in record.message])
    first.stop()

    def put() -> bool:
        clock.advance(1)
        try:
            return taken(second.put(data_message("d", 1)))
        except InboxInUseError:
            return False

    eventually(put)
    second.stop()
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


def test_without_a_wait_the_start_is_refused_at_once(tmp_path: Path, start: Any) -> None:
    start(tmp_path / "i")
    with pytest.raises(InboxInUseError, match="in use by another receiver"):
        start(tmp_path / "i")
    for wrong, error in ((-1, InvalidArgumentError), ("5", TypeError), (float("nan"), InvalidArgumentError)):
        with pytest.raises(error, match="wait"):
            SqliteInbox(tmp_path / "i", wait=wrong)  # type: ignore[arg-type]


def test_a_stop_ends_the_wait(tmp_path: Path, start: Any) -> None:
    first = start(tmp_path / "i")
    second = SqliteInbox(tmp_path / "i", wait=30)
    second.start(lambda _id, _device: None)
    second.stop()
    first.stop()
    assert [thread.name for thread in threading.enumerate() if "inbox-wait" in thread.name] == []
    with pytest.raises(InboxError, match="closed"):
        second.put(data_message("d", 1))
    start(tmp_path / "i")


def test_a_file_that_becomes_unfit_meanwhile_is_told_and_looked_at_again(tmp_path: Path, start: Any) -> None:
    first = start(tmp_path / "i")
    second = SqliteInbox(tmp_path / "i", wait=30)
    second.start(lambda _id, _device: None)
    (tmp_path / "folder").mkdir()
    os.rename(tmp_path / "i", tmp_path / "kept")
    os.rename(tmp_path / "folder", tmp_path / "i")
    first.stop()

    def told() -> bool:
        with pytest.raises(InboxError) as caught:
            second.put(data_message("d", 1))
        return "is a folder" in str(caught.value)

    eventually(told)
    (tmp_path / "i").rmdir()
    (tmp_path / "i-wal").unlink(missing_ok=True)
    eventually(lambda: second._store is not None)
    second.stop()


def test_a_child_forked_while_its_parent_waits_opens_for_itself(tmp_path: Path, start: Any) -> None:
    first = start(tmp_path / "i")
    receiver = Recorder(SqliteInbox(tmp_path / "i", wait=30)).start()
    child = os.fork()
    if not child:  # pragma: no cover  # in the child
        try:
            refused = receiver.receive(data_body("d", 1)).status == 503
            receiver.start()
            waits = b"in use" in receiver.receive(data_body("d", 1)).body
            receiver.stop()
            os._exit(0 if refused and waits else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    first.stop()
    receiver.stop()


# A file for each process


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


# Adopting a file


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


# Messages that end their process


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


def test_nothing_is_opened_before_the_first_message_also_with_a_wait(tmp_path: Path) -> None:
    receiver = PushMessageReceiver(SqliteInbox(tmp_path / "p-{n}", wait=5))
    assert list(tmp_path.iterdir()) == []
    assert receiver.receive(data_body("d", 1)).status == 200
    assert (tmp_path / "p-1").exists()
    receiver.stop()
