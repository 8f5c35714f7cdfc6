"""A signal's exception over real connections: every call gets its own answer."""

import itertools
import signal
import threading
from typing import Any

import pytest
from tests.core.faults import answering, ask, echo
from tests.core.interruptions.rig import LIBRARIES, READ, Way, in_another_thread
from tests.faulty_server import Desk
from tests.interrupting import Interrupter, SignalInterrupter, SoftTimeLimit

from iot_northbound.core import framing, signal_safe, sockets, tls, transport


def on_the_wire_by_line(at: int, error: BaseException) -> Interrupter:
    return Interrupter([transport, sockets, framing, tls], at, error)


def on_the_wire_by_signal(at: int, error: BaseException) -> Interrupter:
    return SignalInterrupter([tls, signal_safe, *LIBRARIES], at, error)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SoftTimeLimit])
@pytest.mark.parametrize(
    ("kept", "way"),
    [(True, on_the_wire_by_line), (False, on_the_wire_by_line), (True, on_the_wire_by_signal)],
    ids=["kept connection", "new connection", "kept connection, by signal"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a socket nobody could close is told
def test_after_an_interruption_on_the_wire_every_call_gets_its_own_answer(
    serve: Any, connect: Any, kept: bool, way: Way, kind: type[BaseException]
) -> None:
    client = connect(serve(answering(echo)))
    for at in itertools.count(1):
        if not kept:
            client._pipeline.transport.reset()
        interrupter = way(at, kind("interrupted"))
        ended_with = interrupter(lambda: ask(client, "interrupted", "POST", text="x"))
        if not interrupter.struck:
            return
        assert isinstance(ended_with, kind)
        assert in_another_thread(lambda: _gets_its_own_answer(client, at)) == []  # noqa: B023


def _gets_its_own_answer(client: Any, number: int) -> None:
    assert ask(client, number) == f"/{number}"


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="the system sends no signals to threads")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, SoftTimeLimit])
def test_a_signal_during_a_login_ends_that_call_alone(
    serve: Any, connect: Any, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def strike(number: int, frame: object) -> None:
        raise kind("time is up")

    def signal_and_stall(seen: Any, wire: Any) -> None:
        if desk.logins == 2:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            wire.hold()

    before = signal.signal(signal.SIGUSR1, strike)
    try:
        desk = Desk(lambda seen, wire: (200, {}))
        with connect(serve(desk)) as client:
            desk.before_login = signal_and_stall
            desk.revoke()
            with pytest.raises(kind):
                client.call(READ, {})
            assert in_another_thread(lambda: client.call(READ, {})) == []
            client.call(READ, {})
            assert desk.logins == 3
    finally:
        signal.signal(signal.SIGUSR1, before)
