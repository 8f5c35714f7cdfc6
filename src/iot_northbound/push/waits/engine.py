"""Waits: the threads that begin, settle and look. Three kinds of threads, however many waits there are."""

from __future__ import annotations

import contextlib
import contextvars
import heapq
import itertools
import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from iot_northbound.core import forks
from iot_northbound.core.budget import bulk
from iot_northbound.core.clock import Clock
from iot_northbound.core.signal_safe import BriefLock, Flag
from iot_northbound.errors import ClientClosedError, SdkCode, WaitStoppedError
from iot_northbound.push.failures import log
from iot_northbound.push.parse import Message
from iot_northbound.push.waits.board import Board
from iot_northbound.push.waits.wait import Answers, Pending, State, Subject, Wait, stopped, too_late
from iot_northbound.services.waiting import PASSING, Polling, check_wait

STARTERS = 8
"""Threads that make the calls of `submit`."""
AHEAD = 5.0
"""Seconds: whoever is due so soon joins a look that reads the states of many."""
GRACE = 10.0
"""Seconds after the end of a wait in which its last look must be made."""
CHECK = 1.0
"""Seconds between two questions whether a client was closed."""

Told = Callable[[State], object] | None
Looks = SimpleQueue[list[Wait[Any]] | None]
Begins = SimpleQueue[Callable[[], None] | None]


class Waits:
    """All waits of a receiver.

    One thread settles: it ends futures, calls `on_progress` and watches the time. One thread looks at the platform.
    A few threads make the calls of `submit`. They start when they are needed, and end with `stop`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._is_stopped = False
        self._renew()
        forks.tell(self)

    def _renew(self) -> None:
        self._lock = BriefLock()
        self._board = Board()
        self._open: set[Wait[Any]] = set()
        self._told: list[Wait[Any]] = []
        self._plan: list[tuple[float, int, Wait[Any]]] = []
        self._order = itertools.count()
        self._checked = 0.0
        self._without_threads()

    def _without_threads(self) -> None:
        self._threads: list[threading.Thread] = []
        self._starters = 0
        # New ones: a thread that is late takes nothing that is meant for the next one.
        self._wake = Flag()
        self._looks: Looks = SimpleQueue()
        self._begins: Begins = SimpleQueue()

    # What the receiver calls

    def heard(self, message: Message) -> None:
        """Take a push. This is quick, and never fails because of what the push contains."""
        if not self._board.listens:
            return
        from iot_northbound.push.waits.reading import news_of

        news = news_of(message)
        if news is not None:
            with self._lock:
                self._told += self._board.hear(news)
            self._wake.set()

    def start(self) -> None:
        """Accept waits again after a stop."""
        self._is_stopped = False

    def stop(self) -> None:
        """End all waits with an error, and the threads."""
        with self._lock:
            self._is_stopped = True
            threads, looks, begins, starters = self._threads, self._looks, self._begins, self._starters
            wake = self._wake
            self._without_threads()
        try:
            self._fail_all("the receiver was stopped")
        finally:
            looks.put(None)
            for _ in range(starters):
                begins.put(None)
            wake.set()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(1.0)  # one that is in a call, or in a function of the application, ends later

    def _fail_all(self, why: str) -> None:
        with contextlib.ExitStack() as each_one:  # though a callback raises
            for wait in list(self._open):
                each_one.callback(self._fail, wait, stopped(wait, why))

    def after_fork(self) -> None:
        """End the waits in a forked child: they, and their threads, belong to the parent."""
        waits = list(self._open)
        self._renew()
        for wait in waits:
            if not wait.is_over:
                wait.is_over = True
                wait.future.renew()
                wait.future.set_exception(stopped(wait, "this process was forked from the one that waits"))

    # What the application calls

    @property
    def count(self) -> int:
        """How many waits there are."""
        return len(self._open)

    def submit(self, subject: Subject[State], timeout: float, polling: Polling, told: Told[State]) -> Pending[State]:
        """Return the future of a wait. A thread of its own makes the call that begins it."""
        wait = self._new(subject, timeout, polling, told)
        context = contextvars.copy_context()
        try:
            self._enter(wait)
            with self._lock:
                if not wait.is_over:
                    self._add_starter()
                    self._begins.put(lambda: context.run(self._begin, wait))
        except BaseException:
            wait.future.cancel()
            raise
        return wait.future

    def run(self, subject: Subject[State], timeout: float, polling: Polling, told: Told[State]) -> State:
        """Begin on this thread, and return the final state. If this is interrupted, the wait ends."""
        if threading.current_thread() in self._threads:
            raise RuntimeError("send() would wait for the thread that it is called on; use submit() in this function")
        wait = self._new(subject, timeout, polling, told)
        try:
            self._enter(wait)
            self._begin(wait)
            return wait.future.result()
        except BaseException:
            wait.future.cancel()
            raise

    def _new(self, subject: Subject[State], timeout: float, polling: Polling, told: Told[State]) -> Wait[State]:
        check_wait(timeout, polling)
        wait = Wait(subject, timeout, polling, told)
        # For `cancel`, which comes on any thread; whatever else ends a future has closed its wait before.
        wait.future.add_done_callback(lambda _: self._close(wait))
        return wait

    def _enter(self, wait: Wait[Any]) -> None:
        with self._lock:
            if self._is_stopped:
                raise WaitStoppedError(SdkCode.CLIENT_INTERNAL, "the receiver was stopped; start it before you wait")
            if not self._threads:
                self._start_threads()
            self._open.add(wait)
            self._board.begin(wait)

    def _start_threads(self) -> None:
        try:
            self._thread("settle", self._settle_on, self._wake)
            self._thread("look", self._look_on, self._looks)
        except BaseException:  # the system may have no more threads: the next wait tries again
            self._wake.set()
            self._without_threads()
            raise

    def _add_starter(self) -> None:
        if self._starters < min(STARTERS, len(self._open)):
            try:
                self._thread(f"start-{self._starters + 1}", _begin_on, self._begins)
            except RuntimeError:  # the system has no more threads
                if not self._starters:
                    raise
            else:
                self._starters += 1

    def _thread(self, name: str, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, name=f"iot-northbound-wait-{name}", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except BaseException:
            self._threads.remove(thread)
            raise

    # Beginning

    def _begin(self, wait: Wait[State]) -> None:
        """Make the call that begins a wait, unless the wait is over before."""
        try:
            if wait.is_over:
                return
            state = wait.subject.begin()
            with self._lock:
                wait.start(self._clock.monotonic(), state)
                if not wait.is_over:
                    self._board.add(wait)
                    self._told.append(wait)
        except BaseException as error:  # noqa: BLE001  # whoever has the future gets it
            self._fail(wait, error)
        finally:
            with self._lock:
                self._board.begun(wait)
            self._wake.set()

    # Ending: a wait ends once, whoever is first

    def _close(self, wait: Wait[Any]) -> bool:
        """Forget a wait; return whether it was open until now."""
        with self._lock:
            was_open, wait.is_over = not wait.is_over, True
            self._open.discard(wait)
            self._board.begun(wait)
            if wait.began is not None:
                self._board.remove(wait, wait.subject.topic)
        return was_open

    def _fail(self, wait: Wait[Any], error: BaseException) -> None:
        if self._close(wait) and wait.future.set_running_or_notify_cancel():
            wait.future.set_exception(error)

    def _succeed(self, wait: Wait[State], state: State) -> None:
        if self._close(wait) and wait.future.set_running_or_notify_cancel():
            wait.future.set_result(state)

    # Settling: on one thread, which calls the functions of the application

    def _settle_on(self, wake: Flag) -> None:
        me = threading.current_thread()
        while me in self._threads:
            wake.clear()
            pause = CHECK
            try:
                pause = self._settle()
            except BaseException as error:  # noqa: BLE001  # every wait depends on this thread
                log.failure(logging.ERROR, error, "a wait could not be settled")
            if me not in self._threads:
                return
            if pause == math.inf:
                wake.wait()
            else:
                self._clock.wait(wake, pause)

    def _settle(self) -> float:
        """Do what there is to do now; return the seconds until there is more."""
        with self._lock:
            told, self._told = deque(dict.fromkeys(self._told)), []
        try:
            while told:
                self._tell_or_fail(told.popleft())
        finally:
            if told:  # a callback of a future raised: the other waits are told in the next turn
                with self._lock:
                    self._told += told
                self._wake.set()
        now = self._clock.monotonic()
        while self._plan and self._plan[0][0] <= now:
            self._act(heapq.heappop(self._plan)[2], now)
        if now >= self._checked + CHECK:
            self._check(now)
        if not self._open:
            return math.inf
        return min(CHECK, self._plan[0][0] - now) if self._plan else CHECK

    def _check(self, now: float) -> None:
        self._checked = now
        for wait in list(self._open):
            if wait.began is not None and wait.subject.is_given_up():
                self._fail(wait, stopped(wait, "the client was closed"))
        if len(self._plan) > 100 + 4 * len(self._open):  # waits that are over leave their entries
            self._plan = [entry for entry in self._plan if not entry[2].is_over]
            heapq.heapify(self._plan)

    def _tell_or_fail(self, wait: Wait[Any]) -> None:
        try:
            self._tell(wait)
        except BaseException as error:
            self._fail(wait, error)
            raise

    def _tell(self, wait: Wait[Any]) -> None:
        """Use what the beginning, looks and pushes said about a wait."""
        with self._lock:
            first, wait.first = wait.first, None
            seen, wait.seen = wait.seen, []
            pushes = wait.told()
            is_new, wait.is_new = wait.is_new, False
        if first is not None:
            self._reach(wait, first)
        if is_new:
            self._plan_at(wait, wait.due)
            self._plan_at(wait, wait.end + GRACE)
        for answer in seen:
            self._answered(wait, answer)
        for news in pushes:
            state = wait.subject.after(wait.state, news)
            if state is not None:
                wait.is_overtaken = wait.is_looking
                self._reach(wait, state)
        if not wait.is_over and not wait.is_looking and wait.should_hurry():
            wait.is_hurried, wait.due = True, self._clock.monotonic()
            self._plan_at(wait, wait.due)

    def _reach(self, wait: Wait[State], state: State) -> None:
        """Take a state."""
        if wait.is_over:
            return
        if state != wait.state:
            wait.state = state
            try:
                if wait.on_progress is not None:
                    wait.on_progress(state)
            except BaseException as error:  # noqa: BLE001  # it ends this wait, and not the thread of all waits
                self._fail(wait, error)
                return
        if wait.subject.has_ended(state):
            self._succeed(wait, state)

    def _answered(self, wait: Wait[Any], answer: Any) -> None:
        """Take what a look brought."""
        before = wait.state
        wait.failure = answer if isinstance(answer, PASSING) else None
        if isinstance(answer, ClientClosedError):
            self._fail(wait, stopped(wait, "the client was closed"))
        elif isinstance(answer, BaseException):
            if wait.failure is None:
                self._fail(wait, answer)
        elif answer is not None and (not wait.is_overtaken or wait.subject.has_ended(answer)):
            self._reach(wait, answer)
        now = self._clock.monotonic()
        wait.looked(now, changed=wait.state != before)
        if now >= wait.end:
            self._fail(wait, too_late(wait, now))
        self._plan_at(wait, wait.due)

    def _plan_at(self, wait: Wait[Any], when: float) -> None:
        if not wait.is_over and when < math.inf:
            heapq.heappush(self._plan, (when, next(self._order), wait))

    def _act(self, wait: Wait[Any], now: float) -> None:
        """Do what a wait has planned: a look, or its end."""
        if wait.is_over:
            return
        if now >= wait.end + GRACE:
            self._fail(wait, too_late(wait, now))
        elif now >= wait.due and not wait.is_looking:
            company = wait.subject.company
            waits = [wait]
            if company is not None:
                waits += [each for each in list(self._open) if each is not wait and each.joins(company, now + AHEAD)]
            for each in waits:
                each.is_looking, each.heard = True, 0
            self._looks.put(waits)

    # Looking: on one thread, as bulk calls, so that other calls do not wait for them

    def _look_on(self, looks: Looks) -> None:
        while (waits := looks.get()) is not None:
            answers: Answers = {}
            subjects = [wait.subject for wait in waits if not wait.is_over]
            try:
                if subjects:
                    with bulk():
                        subjects[0].look(subjects, answers)
            except BaseException as error:  # noqa: BLE001  # whoever has the futures gets it
                answers = dict.fromkeys(subjects, error) | answers
            with self._lock:
                for wait in waits:
                    wait.seen.append(answers.get(wait.subject))
                    self._told.append(wait)
            self._wake.set()


def _begin_on(begins: Begins) -> None:
    while (begin := begins.get()) is not None:
        try:
            begin()
        except BaseException as error:  # noqa: BLE001  # of a callback: other waits depend on this thread
            log.failure(logging.ERROR, error, "a callback of a wait failed")
