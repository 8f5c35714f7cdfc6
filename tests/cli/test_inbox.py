"""The command about inboxes, beside the receiver that owns one."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.cli import main
from iot_northbound.push import HandlerRetry, PushMessageReceiver, SqliteInbox
from tests.clock import eventually
from tests.push.helpers import data_body

OWNER = """
import sys
from iot_northbound.push import HandlerRetry, PushMessageReceiver, SqliteInbox
from tests.push.helpers import data_body
receiver = PushMessageReceiver(SqliteInbox(sys.argv[1]), retry=HandlerRetry(attempts=1)).start()
print(receiver.receive(data_body()).status, flush=True)
sys.stdin.read()
receiver.stop()
"""


class Failing(PushMessageReceiver):
    """Its handlers fail with an error that would control a terminal."""

    def handle_body(self, body: str) -> None:
        raise RuntimeError("broken \x1b[31m\nsecond line")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An inbox whose owner has ended, with three dead letters."""
    path = tmp_path / "pushes.sqlite3"
    with Failing(SqliteInbox(path), retry=HandlerRetry(attempts=1)) as receiver:
        for n in range(3):
            assert receiver.receive(data_body(f"d{n}", n)).status == 200
        eventually(lambda: receiver.metrics().dead == 3)
    return path


Inbox = Callable[..., tuple[int, str, str]]


@pytest.fixture
def inbox(capsys: pytest.CaptureFixture[str], file: Path) -> Inbox:
    """Run the command on the file; return status, output and errors."""

    def run(*arguments: object, at: object = file) -> tuple[int, str, str]:
        status = main(["inbox", *map(str, arguments), "--inbox", str(at)])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run


@pytest.fixture
def owner(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the file and has put one message into it."""
    command = [sys.executable, "-c", OWNER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "200\n"
        yield process
        process.kill()


def test_an_inbox_is_shown(inbox: Inbox, file: Path) -> None:
    status, output, _ = inbox("status")
    assert status == 0
    assert "dead letters  3" in output
    for at in (file, f"sqlite:{file}", f"sqlite:{file}?wait=3"):
        found = json.loads(inbox("status", "--json", at=at)[1])
        assert (found["waiting"], found["dead"], found["oldest_age"], found["owner"]) == (0, 3, None, None)
        assert found["size"] == sum(len(data_body(f"d{n}", n)) for n in range(3))


def test_the_inbox_can_come_from_the_environment(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "url").write_text(f"sqlite:{file}\n")
    for name, value in (("INBOX", str(file)), ("INBOX_FILE", str(tmp_path / "url"))):
        with monkeypatch.context() as patch:
            patch.setenv(f"IOT_NORTHBOUND_{name}", value)
            assert main(["inbox", "status"]) == 0
    assert main(["inbox", "status", "--inbox-file", str(tmp_path / "url")]) == 0
    assert capsys.readouterr().out.count("dead letters  3") == 3


def test_dead_letters_are_listed_on_one_line_each(inbox: Inbox) -> None:
    _, output, _ = inbox("list")
    assert [line.split()[0] for line in output.splitlines()] == ["id", "1", "2", "3"]
    assert "d1      1      RuntimeError: broken \\x1b[31m\n" in output
    assert len(inbox("list", "--limit", 2)[1].splitlines()) == 1 + 2
    found = json.loads(inbox("list", "--json")[1])
    assert [each["device"] for each in found] == ["d0", "d1", "d2"]
    assert "text" not in found[0]


def test_a_dead_letter_is_shown_with_its_body(inbox: Inbox) -> None:
    status, output, _ = inbox("show", 2, 3, "--json")
    assert status == 0
    assert [each["text"] for each in json.loads(output)] == [data_body(f"d{n}", n).decode() for n in (1, 2)]
    status, output, errors = inbox("show", 2, 77)
    assert status == 1
    assert data_body("d1", 1).decode() in output
    assert "\x1b" not in output
    assert "no dead letter has the id 77" in errors


def test_a_replayed_letter_waits_again_and_a_discarded_one_is_gone(inbox: Inbox) -> None:
    assert inbox("replay", 1)[0] == 0
    assert json.loads(inbox("status", "--json")[1])["waiting"] == 1
    status, output, _ = inbox("discard", 2, 77, "--json")
    assert (status, json.loads(output)) == (1, {"discarded": 1, "unknown": [77]})
    assert json.loads(inbox("status", "--json")[1])["dead"] == 1
    assert "replayed  1 dead letters" in inbox("replay", "--all")[1]
    found = json.loads(inbox("status", "--json")[1])
    assert (found["waiting"], found["dead"]) == (2, 0)
    assert found["oldest_age"] >= 0


def test_it_looks_at_an_inbox_beside_its_owner(inbox: Inbox, owner: subprocess.Popen[str]) -> None:
    found = json.loads(inbox("status", "--json")[1])
    assert found["dead"] == 3
    if sys.platform == "linux":
        assert found["owner"] == owner.pid
    assert len(inbox("list")[1].splitlines()) == 1 + 3
    for arguments in (("replay", "--all"), ("discard", 1)):
        status, _, errors = inbox(*arguments)
        assert status == 1
        assert "belongs to" in errors
        assert sys.platform != "linux" or f"process {owner.pid}" in errors
    owner.communicate("")
    assert owner.returncode == 0
    assert inbox("replay", "--all")[0] == 0


def test_looking_does_not_change_the_file_of_a_killed_owner(
    inbox: Inbox, owner: subprocess.Popen[str], file: Path
) -> None:
    owner.kill()
    owner.wait()
    kept = [file, file.with_name(f"{file.name}-wal")]
    before = [each.read_bytes() for each in kept]
    assert before[1]
    assert inbox("status")[0] == 0
    assert [each.read_bytes() for each in kept] == before


def test_a_file_that_another_process_left_is_taken_over(inbox: Inbox, file: Path, tmp_path: Path) -> None:
    left = tmp_path / "left.sqlite3"
    with Failing(SqliteInbox(left), retry=HandlerRetry(attempts=1)) as receiver:
        receiver.receive(data_body("left", 9))
        eventually(lambda: receiver.metrics().dead)
    status, output, _ = inbox("adopt", left)
    assert status == 0
    assert "1 messages moved" in output
    assert not left.exists()
    assert json.loads(inbox("status", "--json")[1])["dead"] == 4


def make_other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")


@pytest.mark.parametrize("action", ["status", "list", "show", "replay", "discard"])
@pytest.mark.parametrize("content", [None, b"no database at all, but long enough to be read", make_other])
def test_what_is_no_inbox_is_named(inbox: Inbox, tmp_path: Path, action: str, content: Any) -> None:
    path = tmp_path / "other.sqlite3"
    if callable(content):
        content(path)
    elif content is not None:
        path.write_bytes(content)
    before = path.read_bytes() if path.exists() else None
    status, output, errors = inbox(action, *["1"] * (action not in ("status", "list")), at=path)
    assert (status, output) == (1, "")
    assert errors.startswith("iot-northbound: ")
    assert "other.sqlite3" in errors
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.parametrize(
    ("url", "ends", "told"),
    [
        ("memory:", 1, "keeps nothing that another process could see"),
        ("nonsense://sesame@host", 3, "a URL of an inbox begins with"),
        ("kafka://na.example:9092/pushes", 1, "keeps nothing that another process could see"),
    ],
)
def test_an_inbox_without_anything_to_see_is_named(inbox: Inbox, url: str, ends: int, told: str) -> None:
    status, _, errors = inbox("status", at=url)
    assert status == ends
    assert told in errors
    assert "sesame" not in errors


class TestOfAProfile:
    @pytest.fixture
    def profile(self, tmp_path: Path, file: Path) -> Path:
        """The default profile; its file is in the folder of the user's settings."""
        path = tmp_path / "config" / "iot-northbound" / "profile.toml"
        path.parent.mkdir(parents=True)
        path.write_text(f'[default]\ninbox = "sqlite:../../{file.name}"\n[other]\napp_id = "a"\n')
        path.chmod(0o600)
        return path

    def test_the_default_profile_names_the_inbox(self, profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["inbox", "status", "-o", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["dead"] == 3

    def test_a_profile_of_an_option_is_used_before_a_variable(
        self, profile: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("IOT_NORTHBOUND_INBOX", str(tmp_path / "missing"))
        assert main(["inbox", "status", "--profile", str(profile), "-o", "json"]) == 0
        assert main(["inbox", "status"]) == 1
        assert "there is no file" in capsys.readouterr().err

    def test_a_variable_names_the_profile(
        self, profile: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IOT_NORTHBOUND_PROFILE", "other")
        assert main(["inbox", "status"]) != 0
        assert "[other]: inbox: it is missing (or inbox_file)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["status"], "no inbox: give --inbox, set IOT_NORTHBOUND_INBOX, or give a profile"),
        (["status", "--inbox", "f", "--profile", "p"], "--inbox and --profile are given: give only one of the two"),
        (["sttus", "--inbox", "f"], "has no command 'sttus'; did you mean status?"),
        (["status", "7", "--inbox", "f"], "unexpected extra argument (7)"),
        (["replay", "--inbox", "f"], "replay needs the ids of dead letters, or --all"),
        (["replay", "7", "--all", "--inbox", "f"], "replay needs the ids of dead letters, or --all"),
        (["discard", "--inbox", "f"], "discard needs the ids of dead letters"),
        (["discard", "--all", "--inbox", "f"], "there is no --all"),
        (["show", "x", "--inbox", "f"], "'x' is not an id"),
        (["show", "-1", "--inbox", "f"], "there is no -1"),
        (["adopt", "--inbox", "f"], "adopt needs the files"),
        (["status", "--sql", "--inbox", "f"], "there is no --sql"),
        (["replay", "--limit", "3", "--inbox", "f"], "there is no --limit"),
        (["init", "--inbox", "f"], "init is for a PostgreSQL inbox"),
    ],
)
def test_a_wrong_call_is_named_with_status_2(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inbox", *arguments]) == 2
    assert named in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "change",
    [
        "received_at = 1e300",
        "received_at = 9e999",
        "received_at = 4611686018427387904",
        "received_at = 'text'",
        "received_at = x'ff'",
        "body = x'ff00'",
        "body = 'text'",
        "body = 7",
        "kind = x'ff'",
        "error = x'ff'",
    ],
)
def test_dead_letters_are_listed_whatever_another_program_wrote_there(inbox: Inbox, file: Path, change: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute(f"UPDATE messages SET {change} WHERE device = 'd1'")
    for output in ("table", "json"):
        status, out, err = inbox("list", "--output", output)
        assert (status, err) == (0, "")
        assert all(device in out for device in ("d0", "d1", "d2"))


@pytest.mark.parametrize("value", ["9e999", "'text'", "x'ff'"])
def test_a_waiting_message_without_a_time_is_damage_in_a_sentence(inbox: Inbox, file: Path, value: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute(f"UPDATE messages SET dead = 0, received_at = {value}")
    status, out, err = inbox("status")
    assert (status, out) == (1, "")
    assert "is damaged" in err
    assert "Traceback" not in err
