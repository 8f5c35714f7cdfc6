"""Repetitions, with both inboxes: what is dropped, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iot_northbound.push import InboxFullError, InboxLimits, MemoryInbox, SqliteInbox
from iot_northbound.testing.messages import push_body
from tests.push.duplicates.parts import ADDED, ALARM, DATA, DELETED, DESIRED, PRECISE, READING, WINDOW, Posted, state
from tests.push.helpers import ledger_of


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
