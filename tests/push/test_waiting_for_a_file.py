"""A file whose owner changes: waiting for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import InboxError, InboxInUseError, SqliteInbox
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
