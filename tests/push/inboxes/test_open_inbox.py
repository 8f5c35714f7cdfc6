from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import InboxLimits, MemoryInbox, PushMessageReceiver, SqliteInbox, open_inbox
from tests.push.helpers import data_body


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:/var/lib/na/pushes.sqlite3", "/var/lib/na/pushes.sqlite3"),
        ("sqlite:///var/lib/na/pushes.sqlite3", "/var/lib/na/pushes.sqlite3"),
        ("sqlite:pushes.sqlite3", "pushes.sqlite3"),
        ("sqlite:/with%20space/a%3Fb", "/with space/a?b"),
    ],
)
def test_a_file_is_named_by_its_path(url: str, path: str) -> None:
    inbox = open_inbox(url)
    assert isinstance(inbox, SqliteInbox)
    assert inbox.path == Path(path)


def test_memory_needs_only_its_name() -> None:
    assert isinstance(open_inbox("memory:"), MemoryInbox)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("pushes.sqlite3", "sqlite:path"),
        ("/var/lib/pushes.sqlite3", "sqlite:path"),
        ("sqlit:/a", "did you mean sqlite"),
        ("mysql://admin:invented-1@db/na", "begins with sqlite:, memory:"),
        ("http://[", "begins with"),
        ("sqlite:", "sqlite:/folder/file"),
        ("sqlite://host/file", "sqlite:/folder/file"),
        ("sqlite:/a?waits=3", "wait=SECONDS"),
        ("sqlite:/a?wait=long", "wait=long is not a number"),
        ("sqlite:/a?wait=-1", "wait = -1.0"),
        ("memory:/a", "it must be memory: and nothing else"),
        ("kafka://", "kafka://host:port/topic"),
        ("kafka://admin:invented-1@host/a/b", "kafka://host:port/topic"),
    ],
)
def test_a_url_that_names_no_inbox_is_refused_without_its_password(url: str, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text) as caught:
        open_inbox(url)
    assert "invented-1" not in str(caught.value)


def test_a_topic_takes_no_limits() -> None:
    with pytest.raises(InvalidArgumentError, match="no InboxLimits"):
        open_inbox("kafka://host:9092/topic", limits=InboxLimits())


def test_a_receiver_takes_a_url_and_opens_it_at_its_start(tmp_path: Path) -> None:
    receiver = PushMessageReceiver(f"sqlite:{tmp_path / 'inbox'}")
    assert not (tmp_path / "inbox").exists()
    with receiver:
        assert receiver.receive(data_body("d", 0)).status == 200
    assert (tmp_path / "inbox").exists()


def test_no_engine_is_imported_before_its_url_is_used() -> None:
    program = (
        "import sys, iot_northbound.push as p; p.open_inbox('memory:'); p.PushMessageReceiver;"
        "print([each for each in ('psycopg', 'redis', 'confluent_kafka') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
