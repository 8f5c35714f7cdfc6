"""At most N calls in any minute, wherever the platform stamps a call between its sending and its answer."""

import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from iot_northbound.shared import State, open_state
from tests.clock import FakeClock
from tests.servers import PostgresServer, RedisServer
from tests.shared.engines import TimedPostgres, TimedRedis
from tests.shared.limit_rules import LimitMachine, MemoryMachine, SettingBackMachine


class FileMachine(LimitMachine):
    def make(self, clock: FakeClock) -> State:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "shared.sqlite3"
        return open_state(f"file:{path}", "na.example/app", clock=clock)

    def teardown(self) -> None:
        super().teardown()
        self.state.close()
        self.folder.cleanup()


MemoryMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=30)
SettingBackMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=30)
FileMachine.TestCase.settings = settings(max_examples=6, stateful_step_count=20)
TestMemory = MemoryMachine.TestCase
TestSettingBack = SettingBackMachine.TestCase
TestFile = FileMachine.TestCase

a_few_or_many = pytest.mark.parametrize("examples", [2, pytest.param(100, marks=pytest.mark.chaos)])


@a_few_or_many
def test_redis_does_what_the_rule_says(redis_server: RedisServer, examples: int) -> None:
    class RedisMachine(LimitMachine):
        def make(self, clock: FakeClock) -> State:
            return TimedRedis(redis_server.url, uuid.uuid4().hex, clock)

        def teardown(self) -> None:
            super().teardown()
            self.state.close()

    run_state_machine_as_test(RedisMachine, settings=settings(max_examples=examples, stateful_step_count=20))


@a_few_or_many
def test_postgres_does_what_the_rule_says(postgres_server: PostgresServer, examples: int) -> None:
    class PostgresMachine(LimitMachine):
        def make(self, clock: FakeClock) -> State:
            return TimedPostgres(postgres_server.url, uuid.uuid4().hex, clock)

        def teardown(self) -> None:
            super().teardown()
            self.state.close()

    run_state_machine_as_test(PostgresMachine, settings=settings(max_examples=examples, stateful_step_count=20))
