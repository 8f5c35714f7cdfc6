"""Receivers and workers are killed while messages come: none is lost, and each device's stay in order."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.push import PostgresInbox
from tests.clock import eventually
from tests.push.inboxes.fleet import Fleet
from tests.servers import PostgresServer, run_postgres


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    postgres_server.execute("DROP SCHEMA IF EXISTS chaos CASCADE")
    return f"{postgres_server.url}?schema=chaos&lease=1"


def test_what_was_answered_is_handled_in_order_after_a_receiver_and_a_worker_were_killed(
    url: str, tmp_path: Path
) -> None:
    with Fleet(url, tmp_path, receivers=2, workers=2) as fleet:
        outcome = fleet.run(messages=600, devices=40, senders=8, kill_each=200)
    assert outcome.kills >= 2
    assert (outcome.lost, outcome.out_of_order) == (0, 0)
    assert outcome.repeated <= 200 * outcome.kills


@pytest.fixture
def synced_server() -> Iterator[PostgresServer]:
    with run_postgres(settings=()) as server:
        yield server


@pytest.mark.chaos
def test_100_000_messages_while_a_receiver_and_a_worker_are_killed_each_3_s(
    synced_server: PostgresServer, tmp_path: Path
) -> None:
    messages = int(os.environ.get("CHAOS_MESSAGES", "100000"))
    with Fleet(f"{synced_server.url}?lease=3", tmp_path, receivers=2, workers=4) as fleet:
        outcome = fleet.run(messages=messages, devices=200, senders=24, kill_every=3.0)
    sys.stdout.write(f"\n{outcome}: {messages / outcome.seconds:.0f} per second\n")
    assert synced_server.execute("SELECT * FROM iot_northbound.inbox") == []
    assert (outcome.lost, outcome.out_of_order) == (0, 0)
    assert outcome.repeated <= 200 * outcome.kills


@pytest.mark.chaos
def test_a_worker_that_is_frozen_past_its_lease_breaks_no_order(synced_server: PostgresServer, tmp_path: Path) -> None:
    with Fleet(f"{synced_server.url}?lease=3", tmp_path, receivers=2, workers=3) as fleet:
        fleet.workers[0].send(signal.SIGSTOP)
        first = fleet.run(messages=6_000, devices=100)
        fleet.workers[0].send(signal.SIGCONT)
        again = fleet.outcome(6_000, 100, 0.0)
        sys.stdout.write(f"\n{first}\n{again}")
    assert (first.lost, again.out_of_order) == (0, 0)


@pytest.mark.chaos
def test_the_server_is_killed_while_messages_come(synced_server: PostgresServer, tmp_path: Path) -> None:
    with Fleet(f"{synced_server.url}?lease=3", tmp_path, receivers=2, workers=2) as fleet:
        ended = threading.Event()

        def kill() -> None:
            while not ended.wait(4.0):
                synced_server.kill()
                synced_server.start()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            outcome = fleet.run(messages=10_000, devices=100)
        finally:
            ended.set()
            killer.join()
        sys.stdout.write(f"\n{outcome}")
    assert (outcome.lost, outcome.out_of_order) == (0, 0)


@pytest.mark.chaos
def test_a_message_that_kills_its_worker_becomes_a_dead_letter(url: str, tmp_path: Path) -> None:
    with Fleet(url, tmp_path, receivers=1, workers=0) as fleet:
        fleet.post("poison", 1, {})
        fleet.post("good", 2, {})
        for _ in range(2):
            assert fleet.worker(attempts=2).wait() == -signal.SIGKILL
        last = fleet.worker(attempts=2)
        inbox = PostgresInbox(url.partition("?")[0], schema="chaos", lease=1.0)
        inbox.start(None)
        try:
            (letter,) = eventually(inbox.dead_letters)
            assert "2 processes ended" in letter.error
            assert letter.device == "poison"
            assert 2 in fleet.numbers()
        finally:
            inbox.stop()
            last.end(signal.SIGTERM)
