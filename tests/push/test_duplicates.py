"""Repetitions, with both inboxes: what is dropped, and what is not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from iot_northbound.push import DuplicateWindow, InboxError, InboxFullError, InboxLimits, MemoryInbox, SqliteInbox
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body
from tests.clock import FakeClock
from tests.push.helpers import ledger_of, taken

WINDOW = 600.0
RULE = DuplicateWindow(seconds=WINDOW)


class Posted:
    """An inbox that can be started again."""

    inbox: MemoryInbox | SqliteInbox

    def __init__(self, make: Callable[..., MemoryInbox | SqliteInbox], **options: Any) -> None:
        self._make, self._options = make, options
        self.clock = FakeClock()
        self.start()

    def start(self) -> None:
        self.inbox = self._make(duplicates=RULE, clock=self.clock, **self._options)
        self.inbox.start(lambda _id, _device: None)

    def put(self, body: bytes) -> bool:
        return taken(self.inbox.put(parse(body, self.clock.now())))

    def handled(self, *bodies: bytes, apart: float = 0.0) -> list[bool]:
        found = []
        for body in bodies:
            found.append(self.put(body))
            self.clock.advance(apart)
        return found


@pytest.fixture(params=["memory", "sqlite"])
def posted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Posted]:
    made = Posted(
        MemoryInbox if request.param == "memory" else lambda **options: SqliteInbox(tmp_path / "i", **options)
    )
    yield made
    made.inbox.stop()


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Posted]:
    """An inbox that is started again after each message."""
    made = Posted(lambda **options: SqliteInbox(tmp_path / "i", **options))
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
    posted.clock.advance(10)
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
    posted.clock.advance(-(30 + back))
    posted.handled(state(device="another"))
    posted.clock.advance(back + 60)
    assert posted.handled(body, body, apart=5) == [True, False]


def test_threads_that_overtake_each_other_do_not_count_as_a_clock_set_back(posted: Posted) -> None:
    posted.handled(DATA, apart=1)
    posted.handled(state(device="another"), apart=-0.1)
    assert posted.handled(state(device="a third"), DATA) == [True, False]


@pytest.mark.parametrize("body", [DATA, PRECISE])
def test_what_is_certain_stays_so_across_a_restart(restarted: Posted, body: bytes) -> None:
    assert restarted.handled(body, state(), body, apart=1) == [True, True, False]
    restarted.clock.advance(WINDOW)
    assert restarted.handled(body) == [True]


@pytest.mark.parametrize("body", [ADDED, state(), ALARM, READING, push_body("commandStatusChanged")])
def test_what_is_not_certain_is_new_after_a_restart_as_a_closed_port_refuses_unseen(
    restarted: Posted, body: bytes
) -> None:
    assert restarted.handled(body, body, body, apart=10) == [True] * 3


@pytest.mark.parametrize("back", [1, 90, 1_000_000])
def test_a_clock_that_was_set_back_is_noticed_across_a_restart(restarted: Posted, back: float) -> None:
    restarted.handled(DATA, apart=30)
    restarted.clock.advance(-(30 + back))
    restarted.handled(state(device="another"))
    restarted.clock.advance(back + 60)
    assert restarted.handled(DATA, DATA, apart=5) == [True, False]


def test_an_inbox_in_memory_that_was_stopped_meanwhile_knows_what_is_certain(posted: Posted) -> None:
    posted.handled(DATA, ALARM, ADDED, apart=5)
    posted.inbox.stop()
    posted.inbox.start(lambda _id, _device: None)
    assert posted.handled(DATA, ALARM, ADDED) == [False, True, True]


@pytest.mark.parametrize("by", [3_000.0, 2.5, 0.3, -0.3, -90.0])
@pytest.mark.parametrize("body", [DATA, ALARM, ADDED])
def test_a_clock_that_somebody_sets_makes_everything_new(posted: Posted, body: bytes, by: float) -> None:
    posted.handled(body, apart=0.5)
    posted.clock.set_time_of_day(by)
    assert posted.put(body)
    posted.clock.advance(5)
    assert not posted.put(body)


def test_a_clock_that_somebody_sets_in_small_steps_makes_everything_new_too(posted: Posted) -> None:
    posted.handled(ALARM)
    for _ in range(9):
        posted.clock.advance(0.1)
        posted.clock.set_time_of_day(0.2)
        posted.put(state())
    assert posted.put(ALARM)  # 0.9 s later, 2.7 s by the time of day


def test_a_clock_that_is_only_read_late_was_not_set(posted: Posted) -> None:
    posted.handled(DATA)
    monotonic, late = posted.clock.monotonic, [0.0, 5.0]  # this thread was held up between the two
    posted.clock.monotonic = lambda: monotonic() + late.pop(0)  # type: ignore[method-assign]
    assert not posted.put(DATA)


def test_a_clock_set_far_ahead_and_back_does_not_forget_for_ever(posted: Posted) -> None:
    posted.clock.advance(1e9)
    posted.handled(DATA)
    posted.clock.advance(-1e9)
    assert posted.handled(DATA, DATA, apart=1) == [True, False]


@pytest.mark.parametrize("make", ["memory", "sqlite"])
def test_a_refused_message_between_makes_a_state_new(tmp_path: Path, make: Any) -> None:
    options = {} if make == "memory" else {"path": tmp_path / "inbox"}
    posted = Posted(SqliteInbox if options else MemoryInbox, limits=InboxLimits(messages=1), **options)
    assert posted.put(state())
    with pytest.raises(InboxFullError):
        posted.put(state("OFFLINE"))
    ledger_of(posted.inbox).limits = InboxLimits()
    assert posted.put(state())
    posted.inbox.stop()


@pytest.mark.parametrize("make", ["memory", "sqlite"])
def test_a_second_event_that_was_refused_is_new_when_it_comes_again(tmp_path: Path, make: str) -> None:
    options: dict[str, Any] = {} if make == "memory" else {"path": tmp_path / "inbox"}
    posted = Posted(SqliteInbox if options else MemoryInbox, limits=InboxLimits(messages=1), **options)
    assert posted.handled(ALARM, apart=0.5) == [True]
    with pytest.raises(InboxFullError):
        posted.put(ALARM)
    ledger_of(posted.inbox).limits = InboxLimits()
    posted.clock.advance(30)
    assert posted.handled(ALARM, apart=30) == [True]
    assert posted.handled(ALARM) == [False]
    posted.inbox.stop()


@pytest.mark.parametrize("body", [ALARM, ADDED])
def test_a_message_that_was_refused_unread_may_have_been_any(posted: Posted, body: bytes) -> None:
    posted.handled(DATA, body, apart=5)
    posted.inbox.refused_another()
    assert posted.handled(body, DATA, body, apart=5) == [True, False, body is not ALARM]


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
