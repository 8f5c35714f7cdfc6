"""Waits: the threads that begin, settle and look. Three kinds of threads, however many waits there are."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import logging
import math
import threading
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
from iot_northbound.push.waits.wait import Answers, Pending, State, Subject, Wait
from iot_northbound.services.waiting import PASSING, Polling, check_wait, too_late

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


def stopped(wait: Wait[Any], why: str) -> WaitStoppedError:
    """Return the error of a wait that nobody can go on with."""
    text = f"{why}, and {wait.subject.what} had not ended as far as it was known"
    return WaitStoppedError(SdkCode.CLIENT_INTERNAL, text, endpoint=wait.subject.endpoint, last_state=wait.state)


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
        self._wake = Flag()
        self._checked = 0.0
        self._without_threads()

    def _without_threads(self) -> None:
        self._threads: list[threading.Thread] = []
        self._starters = 0
        # New queues: a thread that is late takes nothing that is meant for the next one.
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
            self._without_threads()
        for wait in list(self._open):
            self._fail(wait, stopped(wait, "the receiver was stopped"))
        looks.put(None)
        for _ in range(starters):
            begins.put(None)
        self._wake.set()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(1.0)  # one that is in a call, or in a function of the application, ends later

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
        with self._lock:
            if self._starters < min(STARTERS, len(self._open)):
                self._starters += 1
                self._thread(f"start-{self._starters}", _begin_on, self._begins)
        self._begins.put(lambda: context.run(self._begin, wait))
        return wait.future

    def run(self, subject: Subject[State], timeout: float, polling: Polling, told: Told[State]) -> State:
        """Begin on this thread, and return the final state. If this is interrupted, the wait ends."""
        if threading.current_thread() in self._threads:
            raise RuntimeError("send() would wait for the thread that it is called on; use submit() in this function")
        wait = self._new(subject, timeout, polling, told)
        try:
            self._begin(wait)
            return wait.future.result()
        except BaseException:
            wait.future.cancel()
            raise

    def _new(self, subject: Subject[State], timeout: float, polling: Polling, told: Told[State]) -> Wait[State]:
        check_wait(timeout, polling)
        wait = Wait(subject, timeout, polling, told)
        with self._lock:
            if self._is_stopped:
                raise WaitStoppedError(SdkCode.CLIENT_INTERNAL, "the receiver was stopped; start it before you wait")
            self._open.add(wait)
            self._board.begin()
            if not self._threads:
                self._thread("settle", self._settle_on)
                self._thread("look", self._look_on, self._looks)
        # For `cancel`, which comes on any thread; whatever else ends a future has closed its wait before.
        wait.future.add_done_callback(lambda _: self._close(wait))
        return wait

    def _thread(self, name: str, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, name=f"iot-northbound-wait-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

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
        except Exception as error:  # noqa: BLE001  # whoever has the future gets it
            self._fail(wait, error)
        finally:
            with self._lock:
                self._board.begun()
            self._wake.set()

    # Ending: a wait ends once, whoever is first

    def _close(self, wait: Wait[Any]) -> bool:
        """Forget a wait; return whether it was open until now."""
        with self._lock:
            was_open, wait.is_over = not wait.is_over, True
            self._open.discard(wait)
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

    def _settle_on(self) -> None:
        me = threading.current_thread()
        while me in self._threads:
            self._wake.clear()
            pause = CHECK
            try:
                pause = self._settle()
            except Exception as error:  # noqa: BLE001  # every wait depends on this thread
                log.failure(logging.ERROR, error, "a wait could not be settled")
            if me not in self._threads:
                return
            if pause == math.inf:
                self._wake.wait()
            else:
                self._clock.wait(self._wake, pause)

    def _settle(self) -> float:
        """Do what there is to do now; return the seconds until there is more."""
        with self._lock:
            told, self._told = self._told, []
        for wait in dict.fromkeys(told):
            self._tell(wait)
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
        elif answer is not None:
            self._reach(wait, answer)
        now = self._clock.monotonic()
        wait.looked(now, changed=wait.state != before)
        if now >= wait.end:
            self._fail(wait, self._too_late(wait, now))
        self._plan_at(wait, wait.due)

    def _plan_at(self, wait: Wait[Any], when: float) -> None:
        if not wait.is_over and when < math.inf:
            heapq.heappush(self._plan, (when, next(self._order), wait))

    def _act(self, wait: Wait[Any], now: float) -> None:
        """Do what a wait has planned: a look, or its end."""
        if wait.is_over:
            return
        if now >= wait.end + GRACE:
            self._fail(wait, self._too_late(wait, now))
        elif now >= wait.due and not wait.is_looking:
            company = wait.subject.company
            waits = [wait]
            if company is not None:
                waits += [each for each in list(self._open) if each is not wait and each.joins(company, now + AHEAD)]
            for each in waits:
                each.is_looking, each.heard = True, 0
            self._looks.put(waits)

    def _too_late(self, wait: Wait[Any], now: float) -> Exception:
        error = too_late(
            wait.subject.what,
            wait.state,
            endpoint=wait.subject.endpoint,
            timeout=wait.timeout,
            looks=wait.looks,
            elapsed=now - (wait.began or now),
        )
        error.__cause__ = wait.failure
        return error

    # Looking: on one thread, as bulk calls, so that other calls do not wait for them

    def _look_on(self, looks: Looks) -> None:
        while (waits := looks.get()) is not None:
            answers: Answers = {}
            subjects = [wait.subject for wait in waits if not wait.is_over]
            try:
                if subjects:
                    with bulk():
                        subjects[0].look(subjects, answers)
            except Exception as error:  # noqa: BLE001  # whoever has the futures gets it
                answers = dict.fromkeys(subjects, error) | answers
            with self._lock:
                for wait in waits:
                    wait.seen.append(answers.get(wait.subject))
                    self._told.append(wait)
            self._wake.set()


def _begin_on(begins: Begins) -> None:
    while (begin := begins.get()) is not None:
        begin()
