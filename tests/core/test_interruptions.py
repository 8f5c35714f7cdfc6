"""A signal's exception, raised anywhere in a call, leaves a client that works and that can be closed."""

import itertools
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3.connection
from tests.clock import FakeClock, eventually
from tests.core.faults import answering, ask, echo
from tests.faulty_server import Desk
from tests.interrupting import Interrupter, SignalInterrupter, SoftTimeLimit
from urllib3 import _collections, connectionpool

from iot_northbound import ConnectionFailedError, NorthApiException
from iot_northbound.core import (
    budget,
    framing,
    renewals,
    retry,
    signal_safe,
    slot_sources,
    sockets,
    tls,
    tokens,
    transport,
)
from iot_northbound.core import pipeline as pipeline_module
from iot_northbound.core.answers import Answer
from iot_northbound.core.budget import RateLimit
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.hooks import Hooks
from iot_northbound.core.keeping import OwnToken
from iot_northbound.core.pipeline import CallOptions, Pipeline
from iot_northbound.core.renewals import Renewal
from iot_northbound.core.retry import AttemptFailed, Backoff, Outcome
from iot_northbound.core.tokens import Tokens
from iot_northbound.core.transport import Timeouts
from iot_northbound.tokens import Grant, MemoryTokenStore

READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="test")
LOGIN: Endpoint[None] = Endpoint("POST", "/login", type(None), section="test", authorized=False)
OPTIONS = CallOptions(Timeouts(5, 5), 60.0, 3)
MODULES = [tokens, renewals, retry, budget, slot_sources, pipeline_module, signal_safe]
LIBRARIES = [threading, queue, connectionpool, urllib3.connection, _collections]
LIFE = 1000.0


class Wires:
    """Stands for the transport: logs in, refuses any token but the newest, and breaks as often as it is told to."""

    def __init__(self) -> None:
        self.logins = 0
        self.breaks = 0
        self.revoked = False

    def send(self, method: str, target: str, headers: dict[str, str], *rest: Any) -> Answer:
        if target == "/login":
            self.logins += 1
            self.revoked = False
            return Answer(200, "OK", {}, b"{}")
        if self.breaks:
            self.breaks -= 1
            raise AttemptFailed(ConnectionFailedError("1003", "no connection"), Outcome.NOT_SENT)
        if self.revoked or headers["Authorization"] != f"Bearer token-{self.logins}":
            return Answer(403, "Forbidden", {}, b'{"resultcode":"1010005","resultmsg":"bad token"}')
        return Answer(200, "OK", {}, b"{}")

    def close(self) -> None:
        pass


class Rig:
    """A client's inside without a network."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.wires = Wires()
        self.tokens = Tokens(self.login, self.refresh, OwnToken(MemoryTokenStore(), self.clock), self.clock)
        self.pipeline = Pipeline(
            self.wires,  # type: ignore[arg-type]
            self.tokens,
            self.clock,
            headers={},
            app_id="app",
            own_secrets=(),
            hooks=Hooks(),
            rate_limit=RateLimit(1000, self.clock),
            backoff=Backoff(0.0, 0.0),
        )

    def login(self, until: float | None) -> Grant:
        self.pipeline.call(LOGIN, {}, options=OPTIONS, until=until)
        return Grant(f"token-{self.wires.logins}", None, self.clock.now(), LIFE)

    def refresh(self, refresh_token: str, until: float | None) -> Grant:
        raise AssertionError("no refresh token was given out")

    def call(self) -> None:
        self.pipeline.call(READ, {}, options=OPTIONS)


def first_login(rig: Rig) -> Callable[[], None]:
    return rig.tokens.start


def expired_token(rig: Rig) -> Callable[[], None]:
    rig.tokens.start()
    rig.tokens._keeper.adopt(Grant("token-0", None, rig.clock.now() - LIFE - 1, LIFE))
    return rig.call


def refused_token(rig: Rig) -> Callable[[], None]:
    rig.tokens.start()
    rig.wires.revoked = True
    return rig.call


def repeated_call(rig: Rig) -> Callable[[], None]:
    rig.tokens.start()
    rig.wires.breaks = 2
    return rig.call


def own_login(rig: Rig) -> Callable[[], None]:
    rig.tokens.start()
    rig.wires.logins += 1
    grant = Grant(f"token-{rig.wires.logins}", None, rig.clock.now(), LIFE)
    return lambda: rig.tokens.adopt(grant)


def closing(rig: Rig) -> Callable[[], None]:
    rig.tokens.start()
    return rig.pipeline.close


def by_line(at: int, error: BaseException) -> Interrupter:
    return Interrupter(MODULES, at, error)


def by_bytecode(at: int, error: BaseException) -> Interrupter:
    return Interrupter(MODULES[:2], at, error, finely=True)


def by_signal(at: int, error: BaseException) -> Interrupter:
    return SignalInterrupter([*MODULES, *LIBRARIES], at, error)


Way = Callable[[int, BaseException], Interrupter]
every_way = pytest.mark.parametrize(
    ("kind", "way"),
    [
        (KeyboardInterrupt, by_bytecode),
        (KeyboardInterrupt, by_line),
        (SoftTimeLimit, by_line),
        (KeyboardInterrupt, by_signal),
    ],
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_safe.BriefLock, "PATIENCE", 0.01)
    monkeypatch.setattr(renewals, "LOOK", 0.01)


def in_another_thread(work: Callable[[], Any]) -> list[BaseException]:
    """Do it within the seconds a hang is told from; return what it failed with."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # it is what the test looks at
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it hangs"
    return failures


def steps(scene: Callable[[Rig], Callable[[], None]], kind: type[BaseException], way: Way) -> Iterator[tuple[int, Rig]]:
    """Yield a rig for each step of the scene, interrupted there."""
    for at in itertools.count(1):
        rig = Rig()
        work = scene(rig)
        interrupter = way(at, kind("interrupted"))
        ended = interrupter(work)
        if not interrupter.struck:
            rig.pipeline.close()
            return
        assert kind is SoftTimeLimit or isinstance(ended, kind), f"step {at} swallowed it: {ended!r}"
        yield at, rig


@every_way
@pytest.mark.parametrize("scene", [first_login, expired_token, refused_token, repeated_call, own_login])
def test_after_an_interruption_at_any_step_other_threads_and_this_one_go_on_and_close_ends(
    scene: Any, kind: type[BaseException], way: Way
) -> None:
    for at, rig in steps(scene, kind, way):
        rig.wires.breaks = 0
        rig.clock.advance(2)  # beyond the second for which a failure is shared
        rig.tokens.start()
        works = in_another_thread(lambda: [rig.tokens.replace(rig.tokens.current()), rig.call()])  # noqa: B023
        assert works == [], f"interrupted at step {at}"
        rig.call()
        timer = rig.tokens._timer
        assert timer is not None
        rig.pipeline.close()
        assert not timer.is_alive()
        assert rig.tokens.held == ()


@every_way
def test_a_close_interrupted_at_any_step_can_be_repeated(kind: type[BaseException], way: Way) -> None:
    for _, rig in steps(closing, kind, way):
        assert in_another_thread(rig.pipeline.close) == []
        assert rig.tokens.held == ()
        assert not rig.tokens.status().timer_running


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, SoftTimeLimit])
def test_those_who_wait_take_over_from_a_leader_interrupted_at_any_step(kind: type[BaseException]) -> None:
    for at in itertools.count(1):
        rig = Rig()
        rig.tokens.start()
        old = rig.tokens.current()
        found: list[object] = []
        follower = threading.Thread(target=lambda: found.append(ended(lambda: rig.tokens.replace(old))))  # noqa: B023
        real, begun = rig.wires.send, threading.Event()

        def send(method: str, target: str, *rest: Any) -> Answer:
            if not begun.is_set():  # noqa: B023  # the first login, which the follower meets under way
                begun.set()  # noqa: B023
                follower.start()  # noqa: B023
            return real(method, target, *rest)  # noqa: B023

        rig.wires.send = send  # type: ignore[method-assign]
        interrupter = Interrupter([tokens, renewals], at, kind("interrupted"))
        interrupter(lambda: rig.tokens.replace(old))  # noqa: B023
        if begun.is_set():
            follower.join(60)
            assert not follower.is_alive(), f"interrupted at step {at}"
            if kind is SoftTimeLimit and isinstance(found[0], NorthApiException):
                # Raised while the store was at work, it is taken for the store's failure, which all share.
                assert "the token store failed" in found[0].error_desc
            else:
                assert found == [rig.tokens.current()]
        rig.pipeline.close()
        if not interrupter.struck:
            return


def ended(work: Callable[[], object]) -> object:
    try:
        return work()
    except NorthApiException as error:
        return error


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


# -- over real connections ---------------------------------------------------------------------------------------------


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
