"""One wait: what is waited for, what is known about it, and when to look at the platform."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

import attrs

from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.errors import NorthApiException, SdkCode, WaitStoppedError
from iot_northbound.push.waits.news import News, Topic
from iot_northbound.services import waiting
from iot_northbound.services.waiting import Polling

State = TypeVar("State")
Answers = dict["Subject[Any]", Any]
"""What a look brought, by subject: a state, None for "not there", or the exception of a look that failed."""


class Subject(Protocol[State]):
    """A command or a task on the platform."""

    @property
    def what(self) -> str:
        """It in words, without secrets."""
        ...

    @property
    def endpoint(self) -> str:
        """The route that a look calls."""
        ...

    @property
    def topic(self) -> Topic:
        """Which news are about it, once it has begun."""
        ...

    @property
    def company(self) -> Hashable:
        """Subjects of the same company are looked at together; None: it is looked at alone."""
        ...

    def is_given_up(self) -> bool:
        """Whether no call can be made any more, because its client is closed."""
        ...

    def begin(self) -> State | None:
        """Make the call that begins it, and return its first state; None if that needs a look."""
        ...

    def after(self, state: State, news: News) -> State | None:
        """Return the state that a push reports; None if it reports none, or one that was passed already."""
        ...

    def remaining(self, state: State | None) -> int:
        """Return of how many ends a push may still come; 0 if a push reports the state itself."""
        ...

    def has_ended(self, state: State) -> bool:
        """Return whether a state is final."""
        ...

    def look(self, company: Iterable[Subject[Any]], answers: Answers) -> None:
        """Read the states of all subjects of a company from the platform."""
        ...


class Pending(Future[State]):
    """The future of a wait."""

    def cancel(self) -> bool:
        """Cancel it, and tell whoever waits in `concurrent.futures.wait`: there is no executor that would do this."""
        is_cancelled = super().cancel()
        if is_cancelled:
            self.set_running_or_notify_cancel()
        return is_cancelled

    def set_running_or_notify_cancel(self) -> bool:
        """Return whether it can get a result, which it can if it was not cancelled; to ask again does no harm."""
        with self._condition:
            return self._state != "CANCELLED_AND_NOTIFIED" and super().set_running_or_notify_cancel()

    def renew(self) -> None:
        """Make it usable in a forked child: the locks, waiters and callbacks are the parent's."""
        self._condition = threading.Condition()
        self._done_callbacks: list[Callable[[Future[Any]], object]] = []
        self._waiters: list[Any] = []


@attrs.define(eq=False)
class Wait(Generic[State]):
    """A wait for one subject.

    Any thread may write `first`, `heard`, `passing`, `final` and `seen`, under the engine's lock. One thread reads them
    and does the rest.
    """

    subject: Subject[State]
    timeout: float
    polling: Polling
    on_progress: Callable[[State], object] | None
    future: Pending[State] = attrs.field(factory=Pending)
    is_over: bool = False

    began: float | None = None
    is_new: bool = False
    """Whether it has begun, and nothing is planned yet."""
    end: float = float("inf")
    interval: float = 0.0
    due: float = float("inf")
    """When the next look is planned."""
    is_looking: bool = False
    is_overtaken: bool = False
    """Whether a push has reported a state while a look was under way, which may have seen an earlier one."""
    is_hurried: bool = False
    """Whether pushes caused the last look."""
    was_in_vain: bool = False
    """Whether the last look was caused by pushes and showed nothing new."""
    looks: int = 0
    state: State | None = None
    failure: NorthApiException | None = None

    first: State | None = None
    """The state that the call brought, until it is taken."""
    heard: int = 0
    passing: News | None = None
    final: News | None = None
    seen: list[Any] = attrs.field(factory=list)

    def start(self, now: float, state: State | None) -> None:
        """Begin to wait. Without a first state the first look is made at once."""
        self.began, self.end, self.first, self.is_new = now, now + self.timeout, state, True
        self.interval = min(self.polling.start, self.polling.cap)
        self.due = now
        if state is not None:
            self._pause(now, None)

    def joins(self, company: Hashable, until: float) -> bool:
        """Return whether a look of a company reads this wait too, because it would soon need one itself."""
        return (
            self.began is not None
            and not self.is_looking
            and not self.is_over
            and self.due <= until
            and self.subject.company == company
        )

    def hear(self, news: News) -> None:
        """Take a push: the first end counts, and of the other states the last one."""
        self.heard += news.is_end
        if not news.is_end:
            self.passing = news
        elif self.final is None:
            self.final = news

    def told(self) -> list[News]:
        """Return the pushes since the last call, in the order in which they count."""
        found = [news for news in (self.passing, self.final) if news is not None]
        self.passing = self.final = None
        return found

    def should_hurry(self) -> bool:
        """Return whether so many pushes came that a look at the task is worth a call.

        They must be half of those that can still come: a task of 1,000 devices is then looked at about ten times.
        """
        remaining = self.subject.remaining(self.state)
        return remaining > 0 and not self.was_in_vain and self.heard >= (remaining + 1) // 2

    def looked(self, now: float, *, changed: bool) -> None:
        """Plan the look after the one that was made."""
        self.looks += 1
        self.was_in_vain = self.is_hurried and not changed
        if self.is_hurried and changed:
            self.interval = min(self.polling.start, self.polling.cap)
        self.is_looking = self.is_overtaken = self.is_hurried = False
        self._pause(now, self.failure.retry_after if self.failure is not None else None)

    def _pause(self, now: float, asked: float | None) -> None:
        self.due = min(now + (asked or self.interval), self.end)
        self.interval = self.polling.after(self.interval)


def stopped(wait: Wait[Any], why: str) -> WaitStoppedError:
    """Return the error of a wait that nobody can go on with."""
    text = f"{why}, and {wait.subject.what} had not ended as far as it was known"
    return WaitStoppedError(SdkCode.CLIENT_INTERNAL, text, endpoint=wait.subject.endpoint, last_state=wait.state)


def too_late(wait: Wait[Any], now: float) -> Exception:
    """Return the error of a wait whose time is over; its cause is the failure of the last look."""
    error = waiting.too_late(
        wait.subject.what,
        wait.state,
        endpoint=wait.subject.endpoint,
        timeout=wait.timeout,
        looks=wait.looks,
        elapsed=now - (wait.began or now),
    )
    error.__cause__ = wait.failure
    return error


def changed(dto: State, **changes: Any) -> State:
    """Return a DTO with other values."""
    instance: Any = dto
    evolved: State = attrs.evolve(instance, **changes)
    return evolved


def rank(status: OpenEnum | None, steps: tuple[str, ...]) -> int:
    """Return how far a status is on its way; unknown ones are last."""
    return steps.index(status) if status in steps else len(steps)
