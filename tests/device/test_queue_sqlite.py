import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from iot_northbound.device import DeviceClient, DeviceCredentials, QueueError, QueueInUseError, SqliteQueue
from iot_northbound.device.queue import Message
from iot_northbound.device.session import Outbox
from iot_northbound.errors import InvalidArgumentError
from tests.clock import eventually
from tests.device.conftest import CREDENTIALS, DATA, MakeDevice
from tests.device.peer import Peer


def message(number: int) -> Message:
    return Message("t", b"%d" % number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


def test_what_was_added_is_there_again_in_its_order(path: Path) -> None:
    queue = SqliteQueue(path)
    assert queue.open("pump") == []
    numbers = [queue.add(message(each)) for each in range(5)]
    queue.remove([numbers[1]])
    queue.add(Message("other", b"\x00\xff", 0), [numbers[0]])
    queue.close()
    again = SqliteQueue(path)
    assert [each for _, each in again.open("pump")] == [message(2), message(3), message(4), Message("other", b"\0\xff", 0)]  # fmt: skip  # noqa: E501
    again.close()


def test_a_number_is_never_given_twice(path: Path) -> None:
    queue = SqliteQueue(path)
    queue.open("pump")
    first = queue.add(message(0))
    queue.remove([first])
    assert queue.add(message(1)) > first
    queue.close()


def test_only_its_owner_can_read_the_file(path: Path) -> None:
    queue = SqliteQueue(path)
    queue.open("pump")
    queue.add(message(0))
    for each in path.parent.glob("queue.sqlite*"):
        assert stat.S_IMODE(each.stat().st_mode) & 0o077 == 0, each
    queue.close()


def test_a_second_client_is_refused(path: Path) -> None:
    queue = SqliteQueue(path)
    queue.open("pump")
    for other in (SqliteQueue(path), queue):
        with pytest.raises(QueueInUseError, match=r"in use.*a file of its own"):
            other.open("pump")
    queue.close()


def test_the_queue_of_another_device_is_refused_and_left_alone(path: Path) -> None:
    queue = SqliteQueue(path)
    queue.open("pump")
    queue.add(message(0))
    queue.close()
    with pytest.raises(QueueError, match="belongs to the device pump, not to valve"):
        SqliteQueue(path).open("valve")
    again = SqliteQueue(path)
    assert len(again.open("pump")) == 1
    again.close()


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\0" + b"\xff" * 2_000])
def test_a_damaged_file_is_named_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(QueueError, match=r"queue\.sqlite cannot be opened.*move it away"):
        SqliteQueue(path).open("pump")
    assert path.read_bytes() == content


def test_a_row_with_values_of_a_wrong_type_is_damage(path: Path) -> None:
    queue = SqliteQueue(path)
    queue.open("pump")
    queue.close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO messages (topic, payload, qos) VALUES ('t', 'text', 1)")
    connection.close()
    with pytest.raises(QueueError, match="message 1 has values of a wrong type"):
        SqliteQueue(path).open("pump")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="cannot be opened"):
        SqliteQueue(tmp_path / "missing" / "queue").open("pump")


def test_a_full_disk_is_an_error_of_the_report_and_changes_nothing(path: Path) -> None:
    queue = SqliteQueue(path, limit=1)
    box = Outbox(queue, "pump")
    box.add(message(0))
    assert queue._file is not None
    writer = queue._file.writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "database or disk is full"
    with pytest.raises(QueueError, match=r"cannot be written.*full"):
        box.add(Message("t", b"x" * 1_000_000))
    assert (len(box), box.dropped) == (1, 0)
    writer.execute("PRAGMA max_page_count = 1000000")
    box.add(message(1))
    assert box.dropped == 1
    box.close()
    assert [each for _, each in SqliteQueue(path).open("pump")] == [message(1)]


@pytest.mark.parametrize(("value", "part"), [(7, "path"), (None, "path")])
def test_a_path_that_is_none_is_refused(value: object, part: str) -> None:
    with pytest.raises(InvalidArgumentError, match=part):
        SqliteQueue(value)  # type: ignore[arg-type]


def test_a_confirmed_report_leaves_the_file_and_the_others_stay(
    peer: Peer, make_device: MakeDevice, path: Path
) -> None:
    with make_device(queue=SqliteQueue(path)) as device:
        device.report("A", {"n": 0}).result(30)
        peer.rules.acknowledges = False
        device.report("A", {"n": 1})
        eventually(lambda: len(peer.published) == 2)
        device.close(0)
    again = SqliteQueue(path)
    (left,) = [each for _, each in again.open(CREDENTIALS.id)]
    assert json.loads(left.payload)["data"][0]["serviceData"] == {"n": 1}
    again.close()


PROGRAM = """
import sys
from iot_northbound.device import Backoff, DeviceClient, DeviceCredentials, SqliteQueue
port, ca, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
device = DeviceClient(DeviceCredentials("pump-02", "0123456789abcdef0123"), "localhost", port, ca_path=ca,
                      queue=SqliteQueue(path), backoff=Backoff(first=0, longest=0))
device.start(wait=False)
number = 0
while True:
    device.report("A", {"n": number})
    print(number, flush=True)  # taken: from here on it must arrive
    number += 1
"""


def test_every_report_that_a_killed_device_took_is_sent(peer: Peer, path: Path) -> None:
    for acknowledges in (True, False):
        peer.rules.acknowledges = acknowledges
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(peer.port), str(peer.ca_path), str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(60)]
            eventually(lambda: len(peer.published) > 10)
            os.kill(process.pid, signal.SIGKILL)
            lines += process.stdout.read().splitlines(keepends=True)
        taken = [int(line) for line in lines if line.endswith(b"\n")]
        assert len(taken) >= 60
        peer.rules.acknowledges = True
        credentials = DeviceCredentials("pump-02", "0123456789abcdef0123")
        with DeviceClient(credentials, "localhost", peer.port, ca_path=peer.ca_path, queue=SqliteQueue(path)) as device:
            eventually(partial(lambda device: device.pending == 0, device))
        sent = [json.loads(each.payload)["data"][0]["serviceData"]["n"] for each in peer.published]
        assert set(taken) <= set(sent)
        assert [*dict.fromkeys(sent)] == sorted(set(sent))  # in order, apart from what was sent again
        assert all(each.topic == DATA for each in peer.published)
        peer.published.clear()
