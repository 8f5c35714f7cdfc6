"""A file whose owner changes: waiting for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iot_northbound import owned_sqlite
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.owned_sqlite_claim import Claim
from iot_northbound.push import InboxError, InboxInUseError, MemoryInbox, SqliteInbox
from iot_northbound.push.running import Running
from iot_northbound.push.sqlite_file import InboxFile
from tests.clock import FakeClock, eventually
from tests.push.helpers import Recorder, data_body, data_message, taken


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


def test_an_owner_that_closes_the_file_in_this_very_moment_did_not_end_uncleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = InboxFile(tmp_path / "i")
    assert (tmp_path / "i-wal").stat().st_size

    def claim(path: Path) -> Claim:
        first.close()
        return Claim(path)

    monkeypatch.setattr(owned_sqlite, "Claim", claim)
    second = InboxFile(tmp_path / "i")
    assert not second.suspect
    second.close()


class Steps:
    """An attribute that has another value at each look, as if another thread came between them."""

    def __init__(self, *looks: Any) -> None:
        self.looks = [look if callable(look) else lambda look=look: look for look in looks]

    def __get__(self, *_: object) -> Any:
        return (self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])()

    def __set__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("act", ["refused_another", "done", "bury"])
def test_a_worker_that_is_late_does_nothing_to_an_inbox_that_is_closed_meanwhile(tmp_path: Path, act: str) -> None:
    called: list[str] = []
    store = SimpleNamespace(**{act: lambda *_: called.append(act)})
    late = type("Late", (SqliteInbox,), {"_store": Steps(store, None)})(tmp_path / "i")
    getattr(late, act)(*{"refused_another": (), "done": (1,), "bury": (1, 1, "")}[act])
    assert called == [act]


def test_a_file_that_is_opened_in_this_very_moment_is_open(tmp_path: Path) -> None:
    inbox: Any = SqliteInbox(tmp_path / "i")
    store: Any = SimpleNamespace(inherited=False, put=lambda _: "put")

    def opens() -> None:
        inbox._store = store

    inbox._opening = type("Opens", (), {"problem": Steps(opens)})()
    assert inbox.put(data_message("d", 1)) == "put"


def test_a_problem_that_is_over_in_this_very_moment_is_told_as_it_was(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "i")
    inbox._opening = type("Opens", (), {"problem": Steps(InboxInUseError("in use"), None)})()
    with pytest.raises(InboxInUseError, match="in use"):
        inbox.put(data_message("d", 1))


def test_a_receiver_that_is_stopped_in_this_very_moment_says_that_it_does_not_run() -> None:
    between = type("Between", (Running,), {"_open": Steps(MemoryInbox(), None)})
    assert isinstance(between(None, lambda *_: None, 1, FakeClock())._opened(), MemoryInbox)
