"""Repetitions, with both inboxes: what is dropped, and what is not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from iot_northbound.push import DuplicateWindow, InboxFullError, InboxLimits, MemoryInbox, SqliteInbox
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body
from tests.push.helpers import ManualClock, taken

WINDOW = 600.0
RULE = DuplicateWindow(seconds=WINDOW)


class Posted:
    """An inbox that can be started again."""

    inbox: MemoryInbox | SqliteInbox

    def __init__(self, make: Callable[..., MemoryInbox | SqliteInbox], **options: Any) -> None:
        self._make, self._options = make, options
        self.clock = ManualClock()
        self.start()

    def start(self) -> None:
        self.inbox = self._make(duplicates=RULE, clock=self.clock, **self._options)
        self.inbox.start(lambda _id, _device: None)

    def put(self, body: bytes) -> bool:
        return taken(self.inbox.put(parse(body, self.clock.time)))

    def handled(self, *bodies: bytes, apart: float = 0.0) -> list[bool]:
        found = []
        for body in bodies:
            found.append(self.put(body))
            self.clock.time += apart
        return found


@pytest.fixture(params=["memory", "sqlite", "sqlite, started again"])
def posted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Posted]:
    made = Posted(
        MemoryInbox if request.param == "memory" else lambda **options: SqliteInbox(tmp_path / "i", **options)
    )
    if request.param.endswith("again"):
        put = made.put

        def put_and_start_again(body: bytes) -> bool:
            new = put(body)
            made.inbox.stop()
            made.start()
            return new

        made.put = put_and_start_again  # type: ignore[method-assign]
    yield made
    made.inbox.stop()


def state(status: str = "ONLINE", device: str = "d1") -> bytes:
    return push_body("deviceInfoChanged", deviceId=device, deviceInfo={"status": status})


ADDED, DELETED = push_body("deviceAdded"), push_body("deviceDeleted")
DESIRED = push_body("deviceDesiredPropertiesModifyStatusChanged")
ALARM = push_body("deviceEvent")
DATA = push_body("deviceDataChanged")
READING = push_body("deviceDataChanged", requestId=None, service={"serviceId": "Meter", "data": {"level": 7}})
PRECISE = push_body(
    "deviceDataChanged", requestId=None, service={"serviceId": "Meter", "eventTime": "20260301T101500123Z"}
)


def test_a_device_added_deleted_and_added_again_is_three_messages(posted: Posted) -> None:
    assert posted.handled(ADDED, DELETED, ADDED, DELETED, apart=1) == [True] * 4


def test_a_model_added_deleted_and_added_again_is_three_messages(posted: Posted) -> None:
    added, deleted = push_body("deviceModelAdded"), push_body("deviceModelDeleted")
    assert posted.handled(added, deleted, added, apart=1) == [True] * 3


@pytest.mark.parametrize("body", [DESIRED, READING, push_body("bindDevice"), push_body("deviceCapabilitiesChanged")])
def test_what_can_happen_again_in_the_same_way_is_never_dropped(posted: Posted, body: bytes) -> None:
    assert posted.handled(body, body, body, apart=5) == [True] * 3


def test_a_repeated_state_is_dropped_if_its_device_sent_nothing_else(posted: Posted) -> None:
    assert posted.handled(state(), state(), state(), apart=30) == [True, False, False]
    assert posted.handled(state(device="d2"), state(), DATA, state(), apart=30) == [True, False, True, False]


@pytest.mark.parametrize("between", [state("OFFLINE"), push_body("deviceDataChanged", deviceId="d1")])
def test_any_other_message_of_its_device_makes_a_state_new(posted: Posted, between: Any) -> None:
    assert posted.handled(state(), between, state(), apart=1) == [True] * 3


def test_a_repetition_between_makes_a_state_new_too(posted: Posted) -> None:
    data = push_body("deviceDataChanged", deviceId="d1")
    assert posted.handled(data, state(), data, state(), state(), apart=5) == [True, True, False, True, False]


def test_a_command_that_reaches_the_same_state_again_is_not_dropped(posted: Posted) -> None:
    sent, pending = (push_body("commandStatusChanged", result={"resultCode": code}) for code in ("SENT", "PENDING"))
    assert posted.handled(sent, sent, pending, sent, apart=1) == [True, False, True, True]


def test_equal_events_of_one_second_are_two(posted: Posted) -> None:
    assert posted.handled(ALARM, ALARM, ALARM, apart=0.5) == [True] * 3
    posted.clock.time += 10
    assert posted.handled(ALARM, state(), ALARM, apart=60) == [False, True, False]


@pytest.mark.parametrize("body", [DATA, PRECISE, push_body("messageConfirm")])
def test_a_certain_repetition_is_dropped_at_once_and_whatever_came_between(posted: Posted, body: bytes) -> None:
    assert posted.handled(body, body, state(), state("OFFLINE"), body, apart=1) == [True, False, True, True, False]


@pytest.mark.parametrize("body", [DATA, ALARM, ADDED])
def test_after_the_window_everything_is_new(posted: Posted, body: bytes) -> None:
    assert posted.handled(body, apart=WINDOW) == [True]
    assert posted.handled(body, apart=WINDOW + 1) == [False]
    assert posted.handled(body) == [True]


@pytest.mark.parametrize("body", [DATA, PRECISE, ALARM, ADDED])
@pytest.mark.parametrize("back", [1, 90, 1_000_000])
def test_nothing_is_recognised_across_a_clock_that_was_set_back(posted: Posted, body: bytes, back: float) -> None:
    posted.handled(body, apart=30)
    posted.clock.time -= 30 + back
    posted.handled(state(device="another"))
    posted.clock.time += back + 60
    assert posted.handled(body, body, apart=5) == [True, False]


def test_threads_that_overtake_each_other_do_not_count_as_a_clock_set_back(posted: Posted) -> None:
    posted.handled(DATA, apart=1)
    posted.handled(state(device="another"), apart=-0.1)
    assert posted.handled(state(device="a third"), DATA) == [True, False]


def test_a_clock_set_far_ahead_and_back_does_not_forget_for_ever(posted: Posted) -> None:
    posted.clock.time += 1e9
    posted.handled(DATA)
    posted.clock.time -= 1e9
    assert posted.handled(DATA, DATA, apart=1) == [True, False]


@pytest.mark.parametrize("make", ["memory", "sqlite"])
def test_a_refused_message_between_makes_a_state_new(tmp_path: Path, make: Any) -> None:
    options = {} if make == "memory" else {"path": tmp_path / "inbox"}
    posted = Posted(SqliteInbox if options else MemoryInbox, limits=InboxLimits(messages=1), **options)
    assert posted.put(state())
    with pytest.raises(InboxFullError):
        posted.put(state("OFFLINE"))
    posted.inbox._ledger.limits = InboxLimits()
    assert posted.put(state())
    posted.inbox.stop()


def test_each_device_has_its_states(posted: Posted) -> None:
    assert posted.handled(*[state(device=f"d{number}") for number in (1, 2, 1, 2)], apart=1) == [
        True,
        True,
        False,
        False,
    ]


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


class Repetitions(RuleBasedStateMachine):
    """Messages of two devices in any order, with pauses, restarts, and a clock that is set back."""

    make: type[MemoryInbox | SqliteInbox] = MemoryInbox
    posted: Posted

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.moment = 0.0
        self.era = 0
        self.came: list[tuple[float, int, str, bytes, bool]] = []  # moment, era, device, body, kept

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
        if len(self.came) >= back:
            body = self.came[-back][3]
            self._put(*next(each for each in ALL if each[1] == body))

    def _put(self, what: str, body: bytes) -> None:
        device = parse(body, 0.0).device
        kept = self.posted.put(body)
        same = [each for each in self.came if each[3] == body and each[4] and each[1] == self.era]
        recent = [each for each in same if self.moment - each[0] <= WINDOW]
        if not kept:
            assert recent, "dropped, and nothing of the window is the same"
            assert what != "act"
            if what == "state":
                assert [each for each in self.came if each[2] == device][-1][3] == body
            if what == "second":
                assert self.moment - recent[-1][0] >= 1.0
        elif what in ("named", "precise"):
            assert not recent, "a repetition without any doubt was kept"
        elif what == "state":
            before = [each for each in self.came if each[2] == device][-1:]
            assert not (recent and before[0] in recent), "a state was kept twice in a row"
        self.came.append((self.moment, self.era, device, body, kept))

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 100.0, WINDOW / 2, WINDOW]))
    def pause(self, seconds: float) -> None:
        self.moment += seconds
        self.posted.clock.time += seconds

    @rule(seconds=st.sampled_from([1.0, 100.0, 5_000.0]))
    def set_the_clock_back(self, seconds: float) -> None:
        # The messages before and after show that the clock was set back.
        self.posted.put(push_body("deviceInfoChanged", deviceId="another"))
        self.posted.clock.time -= seconds
        self.era += 1
        self.posted.put(push_body("deviceInfoChanged", deviceId="another"))

    @rule()
    def start_again(self) -> None:
        if self.posted.inbox.durable:
            self.posted.inbox.stop()
            self.posted.start()

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
