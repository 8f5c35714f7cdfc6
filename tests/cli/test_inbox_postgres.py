"""The command about inboxes, on an inbox in PostgreSQL, beside a receiver that uses it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from iot_northbound.cli import main
from iot_northbound.push import HandlerRetry, PushMessageReceiver, open_inbox
from tests.clock import eventually
from tests.push.helpers import data_body
from tests.servers import PostgresServer

PASSWORD = "sesame-of-nobody"


class Failing(PushMessageReceiver):
    """Its handlers fail with every device but one."""

    def handle_body(self, body: str) -> None:
        if self.event.device != "good":
            raise RuntimeError("broken")


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    """An inbox that no other test uses."""
    beside = "&" if urlsplit(postgres_server.url).query else "?"
    return f"{postgres_server.url}{beside}schema=cli_{uuid.uuid4().hex}&lease=2&shards=4"


@pytest.fixture
def receiver(url: str) -> Iterator[PushMessageReceiver]:
    with Failing(open_inbox(url), retry=HandlerRetry(attempts=1)) as running:
        yield running


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main(["inbox", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_everything_works_beside_the_receiver(
    url: str, receiver: PushMessageReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(3):
        assert receiver.receive(data_body(f"d{n}", n)).status == 200
    eventually(lambda: told(capsys, "status", "--inbox", url)["dead"] == 3)
    letters = told(capsys, "list", "--inbox", url)
    assert sorted(each["device"] for each in letters) == ["d0", "d1", "d2"]
    assert told(capsys, "show", letters[0]["id"], "--inbox", url)[0]["text"].startswith("{")
    assert told(capsys, "discard", letters[0]["id"], "--inbox", url) == {"discarded": 1, "unknown": []}
    failures = receiver.metrics().failures
    assert told(capsys, "replay", "--all", "--inbox", url)["replayed"] == 2
    eventually(lambda: receiver.metrics().failures == failures + 2)  # the receiver got them again
    leases = receiver.metrics().leases
    assert leases is not None
    assert (leases.shards, leases.lost, leases.fenced) == (4, 0, 0)  # looking took none of them


def test_the_tables_can_be_made_before_anybody_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "init", "--inbox", url) == {"ready": True}
    assert told(capsys, "init", "--inbox", url) == {"ready": True}  # once more does no harm
    assert told(capsys, "status", "--inbox", url)["waiting"] == 0


def test_the_statements_can_be_run_by_somebody_else(
    url: str, postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inbox", "init", "--sql", "--inbox", url]) == 0
    statements = capsys.readouterr().out
    assert statements.startswith("CREATE SCHEMA IF NOT EXISTS")
    assert "4 - 1" in statements  # the number of shards is that of the URL
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(statements)
    assert told(capsys, "status", "--inbox", url)["dead"] == 0


@pytest.mark.parametrize("action", [["status"], ["list"], ["show", "1"], ["replay", "--all"], ["init"]])
def test_a_server_that_is_away_is_named_without_its_password(
    action: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inbox", *action, "--inbox", f"postgresql://na:{PASSWORD}@127.0.0.1:1/na"]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert "127.0.0.1" in found.err
    assert PASSWORD not in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize("number", ["shards=x", "shards=0"])
def test_a_number_in_the_url_that_cannot_be_used_is_named(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ([], ["--sql"]):
        assert main(["inbox", "init", *option, "--inbox", f"postgresql://na@127.0.0.1:1/na?{number}"]) == 3
        assert "shards" in capsys.readouterr().err
