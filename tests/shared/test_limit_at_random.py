"""At most N calls in any minute, wherever the platform stamps a call between its sending and its answer."""

import tempfile
from pathlib import Path

from hypothesis import settings

from iot_northbound.shared import State, open_state
from tests.clock import FakeClock
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
