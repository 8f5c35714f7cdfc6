"""``iot-northbound worker``, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from iot_northbound.push import SqliteInbox
from tests.clock import eventually
from tests.push.helpers import PATIENCE, data_message, taken

PUSHES = """
import os, time
from iot_northbound.push import PushMessageReceiver, SqliteInbox

class Application(PushMessageReceiver):
    def handle_body(self, body):
        number = self.event.raw["n"]
        os.write(handled, b"begin %d\\n" % number)
        while os.path.exists("hold"):
            time.sleep(0.01)
        os.write(handled, b"end %d\\n" % number)

handled = os.open("handled", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
receiver = Application(SqliteInbox("inbox"))
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "iot_northbound", "worker", *arguments]


def fill(folder: Path, count: int) -> None:
    inbox = SqliteInbox(folder / "inbox")
    inbox.start(lambda _id, _device: None)
    for number in range(count):
        assert taken(inbox.put(data_message("d", number)))
    inbox.stop()


def lines(folder: Path) -> list[str]:
    return (folder / "handled").read_text().splitlines() if (folder / "handled").exists() else []


def test_it_handles_what_waits_and_ends_with_sigterm(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/pushes.py").write_text(PUSHES)
    (tmp_path / "hold").touch()
    fill(tmp_path, 2)
    worker = subprocess.Popen(
        command("app.pushes:receiver", "--threads", "2"), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    eventually(lambda: lines(tmp_path) == ["begin 0"])
    worker.send_signal(signal.SIGTERM)
    (tmp_path / "hold").unlink()
    _, told = worker.communicate(timeout=PATIENCE)
    assert (worker.returncode, "working on app.pushes:receiver with 2 threads" in told) == (0, True)
    assert lines(tmp_path) == ["begin 0", "end 0", "begin 1", "end 1"]


def test_a_handler_that_does_not_return_is_told(tmp_path: Path) -> None:
    (tmp_path / "pushes.py").write_text(PUSHES)
    (tmp_path / "hold").touch()
    fill(tmp_path, 1)
    worker = subprocess.Popen(
        command("pushes:receiver", "--drain", "0.01"), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    eventually(lambda: lines(tmp_path) == ["begin 0"])
    worker.send_signal(signal.SIGINT)
    _, told = worker.communicate(timeout=PATIENCE)
    assert (worker.returncode, "have not finished" in told) == (1, True)


@pytest.mark.parametrize(
    ("target", "program", "told"),
    [
        ("pushes", "", "must be MODULE:RECEIVER"),
        (":receiver", "", "must be MODULE:RECEIVER"),
        ("elsewhere:receiver", "", "elsewhere cannot be imported: ModuleNotFoundError: No module named 'elsewhere'"),
        ("pushes:receiver", "import nothing_there", "No module named 'nothing_there'"),
        ("pushes:receiver", "raise ValueError('invented-1')", "pushes cannot be imported: ValueError in "),
        ("pushes:receiver", "def broken(:", "pushes cannot be imported: SyntaxError"),
        ("pushes:receiver", "", "pushes has no receiver"),
        ("pushes:receiver.it", "receiver = 1", "pushes has no receiver.it"),
        ("pushes:receiver", "receiver = 1", "pushes:receiver is a int, and not a PushMessageReceiver"),
        (
            "pushes:receiver",
            "from iot_northbound.push import PushMessageReceiver as P; receiver = P()",
            "keeps its messages in memory",
        ),
        (
            "pushes:receiver",
            "from tests.push.test_answers_only import Topic\n"
            "from iot_northbound.push import PushMessageReceiver as P; receiver = P(Topic())",
            "hands its messages to a Topic",
        ),
        (
            "pushes:receiver",
            "from iot_northbound.push import PushMessageReceiver as P; receiver = P('sqlite:/no/folder/inbox')",
            "the inbox /no/folder/inbox cannot be opened",
        ),
    ],
)
def test_what_is_no_receiver_is_refused_in_words(tmp_path: Path, target: str, program: str, told: str) -> None:
    (tmp_path / "pushes.py").write_text(textwrap.dedent(program))
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        command(target),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr
    assert "invented-1" not in done.stderr
