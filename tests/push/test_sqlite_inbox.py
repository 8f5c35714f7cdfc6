from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import DuplicateWindow, InboxError, InboxInUseError, SqliteInbox
from iot_northbound.push.sqlite_file import InboxFile
from iot_northbound.push.sqlite_store import Store
from tests.clock import FakeClock
from tests.push.helpers import PATIENCE, Recorder, data_body, data_message, taken


def nothing(_id: int, _device: str) -> None:
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite3"


def opened(path: Path, tell: Any = nothing, **options: Any) -> SqliteInbox:
    inbox = SqliteInbox(path, **options)
    inbox.start(tell)
    return inbox


def test_a_second_receiver_on_the_same_file_is_refused(path: Path) -> None:
    inbox = opened(path)
    with pytest.raises(InboxInUseError, match="in use by another receiver"):
        opened(path)
    inbox.stop()
    opened(path).stop()


def test_nothing_is_opened_before_the_start(path: Path) -> None:
    SqliteInbox(path)
    assert not path.exists()


def test_the_file_is_its_owners_alone(path: Path) -> None:
    inbox = opened(path)
    taken(inbox.put(data_message()))
    assert {stat.S_IMODE(each.stat().st_mode) & 0o077 for each in path.parent.glob("inbox.sqlite3*")} == {0}
    inbox.stop()


def test_every_commit_is_synced(path: Path) -> None:
    file = InboxFile(path)
    assert file._write.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file._write.execute("PRAGMA synchronous").fetchone() == (2,)
    file.close()


def test_what_was_answered_is_committed(path: Path) -> None:
    inbox = opened(path)
    assert taken(inbox.put(data_message("d1", 1)))
    other = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert other.execute("SELECT device, dead FROM messages").fetchall() == [("d1", 0)]
    other.close()
    inbox.stop()


def test_something_else_than_an_inbox_is_left_alone(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(InboxError, match="cannot be opened"):
        opened(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE customers (name)")
    other.close()
    with pytest.raises(InboxError, match="not an inbox"):
        opened(path)


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InboxError, match="cannot be opened"):
        opened(tmp_path / "nowhere" / "inbox.sqlite3")


def test_repetitions_are_recognised_across_a_restart(path: Path) -> None:
    clock = FakeClock()
    inbox = opened(path, clock=clock)
    taken(inbox.put(data_message("d1", 1)))
    inbox.stop()
    inbox = opened(path, clock=clock)
    assert not taken(inbox.put(data_message("d1", 1)))
    inbox.stop()


def test_what_is_remembered_does_not_grow_without_end(path: Path) -> None:
    clock = FakeClock(1_000.0)
    inbox = opened(path, clock=clock, duplicates=DuplicateWindow(seconds=60, messages=5))
    for number in range(20):
        taken(inbox.put(data_message("d1", number, at=clock.now())))
    count = "SELECT count(*) FROM seen"
    other = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert other.execute(count).fetchone() == (5,)
    clock.advance(61)
    taken(inbox.put(data_message("d1", 99, at=clock.now())))
    taken(inbox.put(data_message("d1", 98, at=clock.now())))
    assert other.execute(count).fetchone() == (2,)
    other.close()
    inbox.stop()


def test_ids_are_not_used_twice(path: Path) -> None:
    delivered = []
    for _ in range(2):
        inbox = opened(path, lambda message_id, _device: delivered.append(message_id), duplicates=None)
        taken(inbox.put(data_message("d1", 1)))
        inbox.done(delivered[-1])
        inbox.stop()
    assert delivered[1] > delivered[0]


def test_the_id_of_a_replayed_letter_is_not_used_again(path: Path) -> None:
    delivered = []
    inbox = opened(path, lambda message_id, _device: delivered.append(message_id), duplicates=None)
    taken(inbox.put(data_message("d1", 1)))
    inbox.bury(delivered[-1], 1, "")
    assert inbox.replay() == 1
    inbox.stop()
    again = opened(path, duplicates=None)
    assert taken(again.put(data_message("d1", 2)))
    assert [again.get(number).raw["n"] for number in (2, 3)] == [1, 2]
    again.stop()


def test_a_link_to_the_file_has_the_same_owner(path: Path) -> None:
    inbox = opened(path)
    path.with_name("link").symlink_to(path)
    with pytest.raises(InboxInUseError):
        opened(path.with_name("link"))
    inbox.stop()


def test_what_a_crowd_of_messages_took_is_given_back_to_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_northbound.push.sqlite_file._SPARE_PAGES", 16)
    monkeypatch.setattr("iot_northbound.push.sqlite_file._SHRINK_PAGES", 64)
    delivered = []
    inbox = opened(path, lambda message_id, _device: delivered.append(message_id))
    for each in [inbox.put(data_message("d1", number, extra="x" * 40_000)) for number in range(50)]:
        taken(each)
    for message_id in delivered:
        inbox.done(message_id)
    pages = sqlite3.connect(path)
    for number in range(50, 75):  # with each of these it returns some space
        taken(inbox.put(data_message("d1", number)))
    assert pages.execute("PRAGMA page_count").fetchone()[0] < 60
    pages.close()
    inbox.stop()


def test_messages_beyond_the_cache_are_read_from_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot_northbound.push.sqlite_work._FRESH_MESSAGES", 1)
    delivered = []
    inbox = opened(path, lambda message_id, _device: delivered.append(message_id))
    for number in range(3):
        taken(inbox.put(data_message("d1", number)))
    assert [inbox.get(message_id).raw["n"] for message_id in delivered] == [0, 1, 2]
    inbox.stop()


def test_concurrent_messages_share_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = opened(path)
    commits: list[int] = []
    original = Store._commit
    held, go = threading.Event(), threading.Event()

    def slow(self: Store, batch: list[Any]) -> None:
        commits.append(len(batch))
        held.set()
        assert go.wait(PATIENCE)
        original(self, batch)

    monkeypatch.setattr(Store, "_commit", slow)
    first = inbox.put(data_message("d1", 0))
    assert held.wait(PATIENCE)
    rest = [inbox.put(data_message("d1", number)) for number in range(1, 100)]
    assert not any(future.done() for future in (first, *rest))
    go.set()
    assert all(taken(future) for future in (first, *rest))
    assert commits == [1, 99]
    inbox.stop()


class Broken:
    def __init__(self, file: Any) -> None:
        self._file = file
        self.broken = True

    def transaction(self) -> Any:
        if self.broken:
            raise sqlite3.OperationalError("database or disk is full")
        return self._file.transaction()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_full_disk_refuses_and_loses_nothing(path: Path) -> None:
    delivered = []
    inbox = opened(path, lambda message_id, _device: delivered.append(message_id))
    taken(inbox.put(data_message("d1", 1)))
    assert inbox._store is not None
    disk = Broken(inbox._store._file)
    inbox._store._file = disk  # type: ignore[assignment]
    with pytest.raises(InboxError, match="disk is full"):
        taken(inbox.put(data_message("d1", 2)))
    inbox.done(delivered[0])
    disk.broken = False
    assert taken(inbox.put(data_message("d1", 2)))  # a refused message is not remembered
    assert inbox.stats().waiting == 1
    inbox.stop()
    again = []
    inbox = opened(path, lambda message_id, _device: again.append(message_id))
    assert again == delivered[1:]
    inbox.stop()


def test_a_repetition_of_a_message_that_could_not_be_stored_is_refused_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = opened(path)
    original = Store._commit
    entered, go = threading.Event(), threading.Event()

    def failing(self: Store, batch: list[Any]) -> None:
        if entered.is_set():
            return original(self, batch)
        entered.set()
        assert go.wait(PATIENCE)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "_commit", failing)
    first = inbox.put(data_message("d1", 1))
    assert entered.wait(PATIENCE)
    repetition, other = inbox.put(data_message("d1", 1)), inbox.put(data_message("d1", 2))
    go.set()
    for future in (first, repetition):
        with pytest.raises(InboxError, match="disk I/O error"):
            taken(future)
    assert taken(other)
    assert taken(inbox.put(data_message("d1", 1)))
    inbox.stop()


def test_an_inbox_of_an_earlier_version_is_refused_and_not_changed(path: Path) -> None:
    with sqlite3.connect(path) as earlier:
        earlier.executescript(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, device TEXT NOT NULL,"
            " received_at REAL NOT NULL, body BLOB NOT NULL);"
            "CREATE TABLE seen (slot BLOB NOT NULL, identity BLOB NOT NULL, at REAL NOT NULL);"
            "PRAGMA user_version = 1;"
        )
    earlier.close()
    before = path.read_bytes()
    with pytest.raises(InboxError, match=r"another version .* says version 1, and this program reads 3"):
        opened(path)
    assert path.read_bytes() == before


def test_an_inbox_that_another_process_may_have_taken_accepts_no_more_messages(tmp_path: Path) -> None:
    path = tmp_path / "inbox"
    owner = tmp_path / "inbox-owner"
    receiver = Recorder(SqliteInbox(path))
    with receiver:
        owner.unlink()
        assert receiver.receive(data_body("d1", 1)).status == 200
        assert owner.exists()
        another = tmp_path / "another"
        another.touch()
        another.replace(owner)  # in one step: the inbox also writes when a handler has ended
        for number in (2, 3):
            answer = receiver.receive(data_body("d1", number))
            assert answer.status == 503
            assert "another process may work on the file" in answer.text
    with Recorder(SqliteInbox(path)) as again:
        assert again.receive(data_body("d1", 2)).status == 200
        again.log.wait_for(1)
