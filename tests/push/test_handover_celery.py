"""The example that hands over to Celery, on a Redis of its own, with a worker."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.testing.messages import push_body
from tests.clock import eventually
from tests.push.helpers import data_body
from tests.servers.redis import run_redis

pytest.importorskip("redis")
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with run_redis(tmp_path_factory.mktemp("redis"), ["appendonly yes", "appendfsync always"]) as server:
        yield server


@pytest.fixture(scope="module")
def example(redis: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUSH_INBOX", str(tmp_path_factory.mktemp("inbox") / "pushes.sqlite3"))
        patch.setenv("CELERY_BROKER", redis.url)
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("handover_celery")
    del sys.modules["handover_celery"]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Keep Celery's worker from setting the level of the root logger, which all other tests use too."""
    from celery.signals import setup_logging

    def keep(**_: object) -> None:
        pass

    setup_logging.connect(keep)
    yield
    setup_logging.disconnect(keep)


@pytest.fixture
def tasks(example: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the worker does: the id of each task and its device."""
    done: list[tuple[str, Any]] = []

    def run(body: str, kind: str, device: str) -> None:
        done.append((example.store.request.id, device))

    monkeypatch.setattr(example.store, "run", run)
    return done


def test_every_message_becomes_a_task(example: Any, tasks: list[tuple[str, Any]]) -> None:
    from celery.contrib.testing.worker import start_worker

    with example.receiver as receiver:
        for n in range(5):
            assert receiver.receive(data_body(f"d{n}", n)).status == 200
        assert receiver.receive(b"push success.").status == 200
        with start_worker(example.celery, pool="solo", perform_ping_check=False, shutdown_timeout=30):
            eventually(lambda: len(tasks) == 5)
        eventually(lambda: receiver.metrics().depth == 0)
    assert sorted(tasks) == [(f"iot-{n + 1}", f"d{n}") for n in range(5)]


def test_a_broker_that_is_away_costs_no_message(example: Any, tasks: list[tuple[str, Any]], redis: Any) -> None:
    from celery.contrib.testing.worker import start_worker

    redis.kill()
    with example.receiver as receiver:
        assert receiver.receive(push_body("deviceAdded", deviceId="meter-7")).status == 200
        eventually(lambda: receiver.metrics().failures >= 1)
        redis.start()
        eventually(lambda: receiver.metrics().depth == 0)
    with start_worker(example.celery, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        eventually(lambda: [device for _, device in tasks] == ["meter-7"])
