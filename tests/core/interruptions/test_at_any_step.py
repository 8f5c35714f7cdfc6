"""A signal's exception, raised anywhere in a call, leaves a client that works and that can be closed."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.core.interruptions.rig import LIBRARIES, LIFE, Rig, Way, ended, in_another_thread
from tests.interrupting import Interrupter, SignalInterrupter, SoftTimeLimit

from iot_northbound import NorthApiException
from iot_northbound.core import budget, renewals, retry, signal_safe, slot_sources, tokens
from iot_northbound.core import pipeline as pipeline_module
from iot_northbound.core.answers import Answer
from iot_northbound.tokens import Grant

MODULES = [tokens, renewals, retry, budget, slot_sources, pipeline_module, signal_safe]


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


every_way = pytest.mark.parametrize(
    ("kind", "way"),
    [
        (KeyboardInterrupt, by_bytecode),
        (KeyboardInterrupt, by_line),
        (SoftTimeLimit, by_line),
        (KeyboardInterrupt, by_signal),
    ],
)


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
