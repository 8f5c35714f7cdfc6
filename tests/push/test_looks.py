"""Other programs look at the files of a running receiver: answered messages survive a kill."""

from __future__ import annotations

import http.client
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iot_northbound.push import InboxError, SqliteInbox
from tests.locks import LOOKS, locks, look, needs_proc_locks
from tests.push.helpers import data_body

RECEIVER = """
import sys, threading
from iot_northbound.push import PushMessageReceiver, SqliteInbox

receiver = PushMessageReceiver(SqliteInbox(sys.argv[1]))
receiver.on_body(lambda body: threading.Event().wait())
server = receiver.server(port=0)
server.serve_forever(lambda: print(server.address[1], flush=True))
"""


class Process:
    """A receiver whose handler never returns, so that all messages stay in the inbox."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", RECEIVER, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.port = self._process.stdout.readline()

    def post(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=60)
        connection.request("POST", "/v1.0.0/messageReceiver", data_body("d1", number))
        assert connection.getresponse().status == 200
        connection.close()

    def kill(self) -> str:
        self._process.send_signal(signal.SIGKILL)
        return self._process.communicate(timeout=60)[1]


Run = Callable[[], Process]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite3"


@pytest.fixture
def run(path: Path) -> Iterator[Run]:
    running: list[Process] = []

    def build() -> Process:
        running.append(Process(path))
        return running[-1]

    yield build
    for each in running:
        each.kill()


def kept(path: Path) -> list[int]:
    delivered: list[int] = []
    inbox = SqliteInbox(path)
    inbox.start(lambda message_id, _: delivered.append(message_id))
    numbers = [inbox.get(each).raw["n"] for each in delivered]
    inbox.stop()
    return numbers


@needs_proc_locks
@pytest.mark.parametrize("how", LOOKS)
def test_no_message_is_lost_by_a_look_at_the_inbox(path: Path, run: Run, how: str) -> None:
    process = run()
    process.post(0)
    look(path, how)
    assert "POSIX READ" in locks(path, process.pid)
    for number in range(1, 6):
        process.post(number)
    process.kill()
    assert kept(path) == list(range(6))


@needs_proc_locks
def test_no_message_is_lost_by_a_reader_that_stays_open(path: Path, run: Run) -> None:
    process = run()
    process.post(0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    for number in range(1, 4):
        process.post(number)
    reader.close()
    assert "POSIX READ" in locks(path, process.pid)
    for number in range(4, 6):
        process.post(number)
    process.kill()
    assert kept(path) == list(range(6))


@needs_proc_locks
def test_a_refused_second_receiver_leaves_the_first_its_locks(path: Path, run: Run) -> None:
    process = run()
    process.post(0)
    before = locks(path, process.pid), locks(path.with_name("inbox.sqlite3-owner"), process.pid)
    assert all(before)
    for _ in range(2):
        assert "in use by another receiver" in run().kill()
    assert (locks(path, process.pid), locks(path.with_name("inbox.sqlite3-owner"), process.pid)) == before
    process.post(1)
    process.kill()
    assert kept(path) == [0, 1]


FORKS = """
import os, sys
from iot_northbound.push import InboxError, SqliteInbox
from iot_northbound.push.parse import parse

def say(text):
    os.write(1, f"{text}\\n".encode())  # whole lines: the parent and the child write to one pipe

def put(number):
    body = b'{"notifyType":"deviceDataChanged","deviceId":"d","requestId":"%d","n":%d}' % (number, number)
    return inbox.put(parse(body, 1e9)).result(60)

inbox = SqliteInbox(sys.argv[1])
inbox.start(lambda message_id, device: None)
put(0)
child = os.fork()
if not child:
    try:
        put(99)
    except InboxError as error:
        say(error)
    try:
        SqliteInbox(sys.argv[1]).start(lambda message_id, device: None)
    except InboxError as error:
        say(error)
    exec(sys.argv[2])
os.waitpid(child, 0)
put(1)
say("ready")
sys.stdin.read()
"""
ENDS = {
    "stops it": "inbox.stop(); os._exit(0)",
    "closes the connections": "inbox._file.close(); os._exit(0)",
    "starts it again": "\ntry: inbox.start(print)\nexcept InboxError as error: os._exit(0)",
    "ends as programs do": "sys.exit()",
    "is killed": "os.kill(os.getpid(), 9)",
}


@needs_proc_locks
@pytest.mark.parametrize("end", ENDS)
def test_a_forked_child_leaves_the_inbox_to_its_parent(path: Path, end: str) -> None:
    command = [sys.executable, "-c", FORKS, str(path), ENDS[end]]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert "before this process was forked" in lines[0]
    assert "in use by another receiver" in lines[1]
    assert lines[2] == "ready\n"
    assert "POSIX READ" in locks(path, process.pid)
    with pytest.raises(InboxError, match="in use"):
        SqliteInbox(path).start(lambda _id, _device: None)
    look(path, "a query")
    process.kill()
    process.communicate(timeout=60)
    assert kept(path) == [0, 1]


def test_the_lock_ends_with_the_parent_not_with_its_last_child(path: Path) -> None:
    orphan = "sys.stdin.read(); os._exit(0)"
    code = FORKS.replace("os.waitpid(child, 0)\n", "")
    command = [sys.executable, "-c", code, str(path), orphan]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert "ready\n" in [process.stdout.readline() for _ in range(3)]
    process.kill()
    process.wait(60)
    assert kept(path) == [0, 1]
    process.stdin.close()
    process.stdout.close()
