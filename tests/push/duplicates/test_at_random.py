"""Repetitions at random: messages, refusals, restarts and clocks in any order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from iot_northbound.push import InboxError, InboxFullError, InboxLimits, MemoryInbox, SqliteInbox
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body
from tests.push.duplicates.parts import ALARM, PRECISE, WINDOW, Posted, state
from tests.push.helpers import ledger_of

# The rule as a property. What each body says is written down here a second time, by hand.
BODIES = {
    "named": [push_body("deviceDataChanged", deviceId=d, requestId=r) for d in ("d1", "d2") for r in ("r1", "r2")],
    "precise": [PRECISE.replace(b"device-1", device) for device in (b"d1", b"d2")],
    "second": [ALARM.replace(b"device-1", device) for device in (b"d1", b"d2")],
    "state": [
        *[state(status, device) for status in ("ONLINE", "OFFLINE") for device in ("d1", "d2")],
        *[push_body(kind, deviceId="d1") for kind in ("deviceAdded", "deviceDeleted")],
        b" " + push_body("deviceAdded", deviceId="d1"),
    ],
    "act": [
        push_body("deviceDesiredPropertiesModifyStatusChanged", deviceId="d1"),
        push_body("bindDevice", deviceId="d1"),
        b'{"deviceId":"d1"}',
        b'{"notifyType":"new","deviceId":"d1"}',
    ],
}
ALL = [(what, body) for what, bodies in BODIES.items() for body in bodies]


@attrs.frozen(eq=False)
class Came:
    moment: float
    era: int
    device: str | None
    body: bytes | None
    outcome: str

    def is_refused(self, body: bytes) -> bool:
        return self.outcome == "refused" and self.body == body


class Repetitions(RuleBasedStateMachine):
    """Messages of two devices in any order, with pauses, refusals, restarts, and a clock that somebody sets."""

    make: type[MemoryInbox | SqliteInbox] = MemoryInbox
    posted: Posted

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.moment = 0.0
        self.era = 0
        self.came: list[Came] = []

    @initialize()
    def begin(self) -> None:
        self.posted = Posted(type(self).make, **self.options())

    def options(self) -> dict[str, Any]:
        return {}

    @rule(message=st.sampled_from(ALL))
    def put(self, message: tuple[str, bytes]) -> None:
        self._put(*message)

    @rule(back=st.integers(1, 3))
    def put_again(self, back: int) -> None:
        known = [each.body for each in self.came if each.body is not None]
        if len(known) >= back:
            self._put(*next(each for each in ALL if each[1] == known[-back]))

    @rule(message=st.sampled_from(ALL))
    def put_into_a_full_inbox(self, message: tuple[str, bytes]) -> None:
        ledger = ledger_of(self.posted.inbox)
        ledger.limits = InboxLimits(messages=1, size=1)
        self._put(*message)
        ledger.limits = InboxLimits()

    @rule()
    def refuse_unread(self) -> None:
        self.posted.inbox.refused_another()
        self._note("unread")

    def _put(self, what: str, body: bytes) -> None:
        device = parse(body, 0.0).device
        try:
            outcome = "kept" if self.posted.put(body) else "dropped"
        except InboxFullError:
            outcome = "refused"
        else:
            self._check(what, body, device, outcome)
        self._note(outcome, device, body)

    def _note(self, outcome: str, device: str | None = None, body: bytes | None = None) -> None:
        self.came.append(Came(self.moment, self.era, device, body, outcome))

    def _check(self, what: str, body: bytes, device: str, outcome: str) -> None:
        kept = [each for each in self.came if each.body == body and each.outcome == "kept" and each.era == self.era]
        recent = [each for each in kept if self.moment - each.moment <= WINDOW]
        of_device = [each for each in self.came if each.device in (device, None)]
        if outcome == "dropped":
            assert recent, "dropped, and nothing of the window is the same"
            assert what != "act"
            if what == "state":
                assert of_device[-1].body == body
                assert of_device[-1].outcome != "refused"
            if what == "second":
                doubtful = [each for each in self.came if each.outcome == "unread" or each.is_refused(body)]
                assert not doubtful or self.came.index(doubtful[-1]) < self.came.index(recent[-1])
                assert self.moment - recent[-1].moment >= 1.0
        elif what in ("named", "precise"):
            assert not recent, "a repetition without any doubt was kept"
        elif what == "state":
            assert not (recent and of_device[-1] is recent[-1]), "a state was kept twice in a row"

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 100.0, WINDOW / 2, WINDOW]))
    def pause(self, seconds: float) -> None:
        self.moment += seconds
        self.posted.clock.advance(seconds)

    @rule(seconds=st.sampled_from([1.0, 100.0, 5_000.0]))
    def set_the_clock_back(self, seconds: float) -> None:
        # The messages before and after show that the clock was set back.
        self.posted.put(push_body("deviceInfoChanged", deviceId="another"))
        self.posted.clock.advance(-seconds)
        self.era += 1
        self.posted.put(push_body("deviceInfoChanged", deviceId="another"))

    @rule(seconds=st.sampled_from([-50.0, -1.0, 0.5, 3.0, 5_000.0]))
    def set_the_time_of_day(self, seconds: float) -> None:
        # A clock that is set ahead shows by the message after it; while nothing runs it could not.
        self.posted.clock.set_time_of_day(seconds)
        self.era += 1
        self.posted.put(push_body("deviceInfoChanged", deviceId="another"))

    @rule(message=st.sampled_from(ALL))
    def stop_refuse_and_start_again(self, message: tuple[str, bytes]) -> None:
        self.posted.inbox.stop()
        with pytest.raises(InboxError):
            self.posted.put(message[1])
        self._note("unread")
        if self.posted.inbox.durable:
            self.posted.start()
        else:
            self.posted.inbox.start(lambda _id, _device: None)

    def teardown(self) -> None:
        if hasattr(self, "posted"):
            self.posted.inbox.stop()
        self._folder.cleanup()


class RepetitionsOnDisk(Repetitions):
    make = SqliteInbox

    def options(self) -> dict[str, Any]:
        return {"path": Path(self._folder.name) / "inbox"}


for each, count in ((Repetitions, 150), (RepetitionsOnDisk, 25)):
    each.TestCase.settings = settings(max_examples=count, stateful_step_count=30, deadline=None)


TestRepetitions = Repetitions.TestCase
TestRepetitionsOnDisk = RepetitionsOnDisk.TestCase
