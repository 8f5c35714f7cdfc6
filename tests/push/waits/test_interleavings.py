"""Whatever the order of calls, answers, pushes, looks and cancellations: each wait ends once, and with the truth."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from iot_northbound.errors import RequestTimeoutError, WaitTimeoutError
from iot_northbound.push import PushMessageReceiver
from iot_northbound.push.waits.commands import STEPS, Commands
from iot_northbound.push.waits.engine import GRACE
from iot_northbound.push.waits.wait import Wait
from tests.clock import FakeClock
from tests.push.waits.platform import ByHand, Platform, command_push, request

TIMEOUT = 100.0
ENDS = ("SUCCESSFUL", "FAILED", "TIMEOUT")


class Interleavings(RuleBasedStateMachine):
    """The platform moves commands and pushes each change; pushes arrive late, twice, in any order, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.waits = ByHand(self.clock)
        self.platform = Platform(during=lambda command_id: self.during[id(self.platform.sent[-1])](command_id))
        self.receiver = PushMessageReceiver(clock=self.clock)
        self.commands = Commands(self.receiver, self.waits)
        self.during: dict[int, Callable[[str], None]] = {}
        """What happens during the call that sends a request."""
        self.futures: list[Future[Any]] = []
        self.ends: list[int] = []
        self.waited_for: dict[str, Wait[Any]] = {}
        self.told: set[str] = set()
        """Commands whose end was pushed, and arrived."""
        self.on_the_way: list[tuple[str, str]] = []

    @rule(device=st.sampled_from(["d1", "d2", "d3"]), overtakes=st.booleans(), pushed=st.booleans())
    def submit(self, device: str, overtakes: bool, pushed: bool) -> None:
        def during(command_id: str) -> None:
            self.waited_for[command_id] = wait
            if overtakes:
                self.move(command_id, "SENT", arrive=True)
                self.move(command_id, "SUCCESSFUL", arrive=True)

        dto = request(device, callback_url="https://na.example/" if pushed else None)
        before = set(self.waits._open)
        future = self.commands.submit(self.platform, dto, timeout=TIMEOUT)
        (wait,) = self.waits._open - before
        future.add_done_callback(lambda future: self.ends.append(id(future)))
        self.futures.append(future)
        self.during[id(dto)] = during

    def move(self, command_id: str, status: str, *, arrive: bool = False) -> None:
        if self.platform.commands[command_id].status in ENDS:
            return
        self.platform.move(command_id, status)
        self.on_the_way.append((command_id, status))
        if arrive:
            self.arrives(command_id, status)

    def arrives(self, command_id: str, status: str) -> None:
        self.waits.heard(command_push(command_id, status))
        if status in ENDS:
            self.told.add(command_id)

    @rule()
    def begin(self) -> None:
        self.waits.begin()

    @precondition(lambda self: self.platform.commands)
    @rule(data=st.data(), status=st.sampled_from([*STEPS, *ENDS]))
    def the_platform_moves_a_command(self, data: st.DataObject, status: str) -> None:
        self.move(data.draw(st.sampled_from(sorted(self.platform.commands))), status)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), keep=st.booleans())
    def a_push_arrives(self, data: st.DataObject, keep: bool) -> None:
        push = data.draw(st.sampled_from(self.on_the_way))
        if not keep:
            self.on_the_way.remove(push)
        self.arrives(*push)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def a_push_is_lost(self, data: st.DataObject) -> None:
        self.on_the_way.remove(data.draw(st.sampled_from(self.on_the_way)))

    @rule()
    def settle(self) -> None:
        self.waits.settle()
        now = self.clock.monotonic()
        for command_id, wait in self.waited_for.items():
            is_late = wait.began is not None and now >= wait.began + TIMEOUT + GRACE
            assert wait.future.done() or not (is_late or command_id in self.told)

    @rule(fails=st.booleans())
    def look(self, fails: bool) -> None:
        self.platform.error = RequestTimeoutError("1003", "no answer") if fails else None
        self.waits.look()
        self.platform.error = None

    @rule(seconds=st.sampled_from([0.1, 3.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.futures)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.futures)).cancel()

    @invariant()
    def no_future_ends_twice_and_none_ends_wrongly(self) -> None:
        assert len(self.ends) == len(set(self.ends)) == sum(future.done() for future in self.futures)
        for future in self.futures:
            if future.done() and not future.cancelled() and future.exception() is None:
                state = future.result()
                assert state.status == self.platform.commands[state.command_id].status in ENDS

    def teardown(self) -> None:
        self.waits.all_steps()
        for number, command_id in enumerate(sorted(self.platform.commands)):
            if number % 2:
                self.move(command_id, "SUCCESSFUL")  # and no push tells
        for _ in range(100):
            self.clock.advance(20)
            self.waits.all_steps()
        for future in self.futures:
            assert future.done()
            if not future.cancelled() and (error := future.exception()) is not None:
                assert isinstance(error, WaitTimeoutError)
                assert error.last_state is not None
        assert self.waits.is_empty


Interleavings.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestInterleavings = Interleavings.TestCase
