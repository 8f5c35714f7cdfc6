"""What the platform refuses although the token is new, as all processes know it."""

from typing import Any

import pytest
from tests.clock import FakeClock
from tests.core.tokens.rig import Platform
from tests.core.tokens.shared.rig import Process, started

from iot_northbound.core.refusals import Refusals


def test_an_endpoint_that_no_token_opens_costs_one_login_a_pause_for_all(
    new: Any, platform: Platform, clock: FakeClock
) -> None:
    crew = [started(new) for _ in range(8)]
    notes = [Refusals(each.tokens.notes) for each in crew]

    def call(process: Process, refusals: Refusals) -> None:
        token = process.tokens.current()
        if not refusals.is_forbidden("GET /x", token):
            refusals.note("GET /x", process.tokens.replace(token))

    for _ in range(240):
        for process, refusals in zip(crew, notes, strict=True):
            call(process, refusals)
        clock.advance(0.5)
    assert len(platform.logins) <= 1 + 7  # after 0, 1, 3, 7, 15, 31 and 63 s


def test_an_endpoint_that_accepts_a_token_is_forbidden_no_more(new: Any, platform: Platform) -> None:
    one, other = started(new), started(new)
    mine, others = Refusals(one.tokens.notes), Refusals(other.tokens.notes)
    mine.note("GET /x", one.tokens.current())
    token = other.tokens.current()
    assert others.is_forbidden("GET /x", token)
    others.accepted("GET /x", token)
    assert not mine.is_forbidden("GET /x", token)


def test_while_the_state_is_away_nothing_is_noted(new: Any, platform: Platform) -> None:
    one = started(new)
    token = one.tokens.current()
    refusals = Refusals(one.tokens.notes)
    one.is_away = True
    refusals.note("GET /x", token)
    assert not refusals.is_forbidden("GET /x", token)
    refusals.accepted("GET /x", token)


def test_a_program_that_does_not_share_is_named_after_some_tokens(
    new: Any, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    one = started(new)
    token = one.tokens.current()
    for count in range(1, 6):
        refused_one, token = token, one.tokens.replace(token)
        one.tokens.was_replaced(refused_one)
        one.tokens.was_replaced(refused_one)
        assert len(caplog.records) == (count >= 3)
    assert "another program probably logs in with the application id app and does not use shared='file:" in caplog.text
