"""A renewal or a timer that was left behind, hangs or needs itself keeps nobody from going on."""

import threading
from typing import Any

import pytest
from tests.clock import eventually
from tests.core.interruptions.rig import LIFE, LOGIN, Rig, ended, in_another_thread

from iot_northbound.core import tokens
from iot_northbound.core.answers import Answer
from iot_northbound.core.hooks import Hooks
from iot_northbound.core.renewals import Renewal


def test_a_leader_that_is_gone_without_a_trace_is_followed_by_whoever_waits() -> None:
    """Two signals in a row can keep a thread from ending its renewal."""
    rig = Rig()
    rig.tokens.start()
    old = rig.tokens.current()
    shared = rig.tokens._shared
    gone = threading.Thread(target=lambda: shared._line.append(Renewal()))
    gone.start()
    gone.join(60)
    waited = in_another_thread(lambda: rig.tokens.replace(old))
    assert waited == []
    shared._line.append(Renewal())  # this thread's own, left behind
    assert in_another_thread(lambda: rig.tokens.replace(rig.tokens.current())) == []
    shared._line.append(Renewal())
    rig.tokens.replace(rig.tokens.current())
    assert shared._line == []
    rig.pipeline.close()


def test_a_renewal_that_needs_itself_is_told_and_does_not_wait_for_ever() -> None:
    rig = Rig()
    rig.tokens.start()
    inner: list[object] = []

    def before(event: Any) -> None:
        if event.endpoint == LOGIN.name:
            inner.append(ended(lambda: rig.tokens.replace(f"token-{rig.wires.logins}")))

    rig.pipeline._hooks = Hooks(before_request=before)
    rig.wires.revoked = True
    assert in_another_thread(rig.call) == []
    assert "give the inner call an access_token" in str(inner[0])
    rig.pipeline.close()


def test_closing_does_not_wait_for_a_renewal_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "STOP_PATIENCE", 0.01)
    rig = Rig()
    rig.tokens.start()
    begun, go_on = threading.Event(), threading.Event()
    real = rig.wires.send

    def send(*args: Any) -> Answer:
        begun.set()
        go_on.wait(60)
        return real(*args)

    rig.wires.send = send  # type: ignore[method-assign]
    timer = rig.tokens._timer
    assert timer is not None
    eventually(lambda: rig.clock.waits)
    rig.clock.advance(LIFE)
    assert begun.wait(60)
    assert in_another_thread(rig.pipeline.close) == []
    go_on.set()
    timer.join(60)
    assert not timer.is_alive()
    assert rig.tokens.held == ()


def test_a_timer_whose_thread_was_ended_is_started_again_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    rig = Rig()
    rig.tokens.start()
    first = rig.tokens._timer
    assert first is not None
    rig.wires.send = interrupted  # type: ignore[method-assign]
    eventually(lambda: rig.clock.waits)
    rig.clock.advance(LIFE * 0.9)
    first.join(60)
    assert not first.is_alive()
    del rig.wires.send  # type: ignore[method-assign]
    rig.call()
    assert rig.tokens._timer not in (None, first)
    rig.pipeline.close()


def interrupted(*_: object) -> Answer:
    raise KeyboardInterrupt
