import contextlib
import faulthandler
import queue
import random
import signal
import threading
import time
from typing import Any

import pytest
from tests.clock import eventually
from tests.core.faults import answering, ask, echo
from tests.interrupting import SoftTimeLimit

from iot_northbound.core.signal_safe import BriefLock, Counter, Flag, Stack
from iot_northbound.core.tls import PlatformConnection, PlatformPool


class TestFlag:
    def test_is_set_and_taken_back(self) -> None:
        flag = Flag()
        assert not flag.is_set()
        flag.set()
        flag.set()
        assert flag.is_set()
        assert flag.wait()
        assert flag.wait(-1)
        flag.clear()
        assert not flag.is_set()

    @pytest.mark.parametrize("seconds", [-1.0, 0, 0.001])
    def test_a_wait_ends_when_its_time_is_over(self, seconds: float) -> None:
        assert not Flag().wait(seconds)

    @pytest.mark.parametrize("seconds", [None, 1e300, float("inf")])
    def test_wakes_all_that_wait_however_long_they_would(self, seconds: float | None) -> None:
        flag, woken = Flag(), list[bool]()
        threads = [threading.Thread(target=lambda: woken.append(flag.wait(seconds)), daemon=True) for _ in range(20)]
        for each in threads:
            each.start()
        eventually(lambda: len(flag._waiting) == len(threads))
        flag.set()
        flag.clear()
        for each in threads:
            each.join(60)
        assert woken == [True] * len(threads)
        assert flag._waiting == []


class TestBriefLock:
    def test_is_free_again_after_a_thread_that_never_gave_it_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BriefLock, "PATIENCE", 0.01)
        lock = BriefLock()
        lock.__enter__()
        with lock:
            pass
        assert not lock._lock.locked()


def test_a_counter_misses_none_of_many_threads() -> None:
    counter = Counter()
    threads = [threading.Thread(target=lambda: [counter.add() for _ in range(500)]) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert counter.value == 4000


class TestStack:
    def test_gives_the_newest_item_first_and_says_when_it_is_full_or_empty(self) -> None:
        stack = Stack(2)
        stack.put("old")
        stack.put("new", block=False)
        with pytest.raises(queue.Full):
            stack.put("one too many")
        assert stack.qsize() == 2
        assert [stack.get(), stack.get(block=False, timeout=1)] == ["new", "old"]
        with pytest.raises(queue.Empty):
            stack.get()

    def test_keeps_no_places_for_connections_that_are_not_there(self) -> None:
        stack = Stack(1)
        for _ in range(3):
            stack.put(None)
        assert stack.qsize() == 0
        stack.put("a connection")
        assert stack.get() == "a connection"

    @pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:1"], ids=["direct", "through a proxy"])
    def test_is_what_every_pool_of_a_client_keeps_its_connections_in(self, connect: Any, proxy: str | None) -> None:
        class Nowhere:
            host, port = "127.0.0.1", 1

        adapter = connect(Nowhere, proxy=proxy)._pipeline.transport._adapter
        manager = adapter.poolmanager if proxy is None else adapter.proxy_manager_for(proxy)
        pool = manager.connection_from_url("https://127.0.0.1:1")
        assert isinstance(pool, PlatformPool)
        assert isinstance(pool.pool, Stack)
        assert isinstance(pool._get_conn(), PlatformConnection)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timer that sends signals")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # one that strikes in a finalizer
def test_signals_at_any_moment_leave_a_client_that_answers_and_closes(serve: Any, connect: Any) -> None:
    """A bounded number of calls, each with a real signal somewhere in it."""

    armed = False

    def strike(number: int, frame: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise SoftTimeLimit

    client = connect(serve(answering(echo)), max_attempts=1)
    chance = random.Random(7)
    started = time.monotonic()
    assert ask(client, "first") == "/first"
    typical = time.monotonic() - started
    before = signal.signal(signal.SIGALRM, strike)
    faulthandler.dump_traceback_later(500, exit=True)  # a hang shows where
    try:
        for number in range(300):
            with contextlib.suppress(SoftTimeLimit):
                armed = True
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, typical / 2))
                ask(client, number)
                armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        assert ask(client, "last") == "/last"
        client.close()
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
