"""One run of a bulk job: rows in, calls side by side, outcomes into the journal.

The calling thread reads the rows, writes the journal and calls `progress`; worker threads make the calls. The calling
thread keeps a few rows ahead of the workers, and all rows and outcomes of a moment go into the journal together.
"""

import contextlib
import hashlib
import json
import logging
import operator
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, Generic, TypeVar

import attrs

from iot_northbound.bulk.jobs import Job, Read
from iot_northbound.bulk.journal import Journal, State, lost
from iot_northbound.bulk.results import BulkInterrupted, BulkProgress, BulkReport, BulkStoppedError
from iot_northbound.bulk.rows import plain
from iot_northbound.core.budget import bulk
from iot_northbound.core.signal_safe import Flag
from iot_northbound.errors import InvalidArgumentError, NorthApiException, ThrottledError

T = TypeVar("T")
log = logging.getLogger("iot_northbound")
UNSETTLED = 10_000
"""How many rows of unknown outcome are kept until they are settled together; a registration reads all devices then."""
PAUSE_FIRST, PAUSE_CAP = 5.0, 60.0
"""Seconds until a row is sent again that the limit refused; doubled each time up to the cap."""


@attrs.define
class Task:
    """A row whose call is to be made.

    Attributes:
        number: the row's number.
        read: the row.
        doubt: why its outcome was unknown before; None if it was not.
        again: whether it was sent again after that.
    """

    number: int
    read: Read
    doubt: NorthApiException | None = None
    again: bool = False


@attrs.frozen
class Outcome:
    """What became of a call: with neither `error` nor `sent`, nothing was sent."""

    task: Task
    value: Any = None
    error: BaseException | None = None
    sent: bool = True
    seconds: float = 0.0


class Run(Generic[T]):
    """One run of a job. Its arguments are those of the methods of `Bulk`."""

    def __init__(
        self,
        job: Job[T],
        rows: Iterable[Any],
        journal: Journal,
        *,
        threads: int,
        dry_run: bool,
        progress: Callable[[BulkProgress], object] | None,
        max_failures: int | None,
    ) -> None:
        self._job = job
        self._rows = iter(rows)
        self._total = operator.length_hint(rows, 0) or None
        self._journal = journal
        self._threads = threads
        self._dry_run = dry_run
        self._progress = progress
        self._max_failures = max_failures
        self._clock = job.client.clock
        self._began = self._clock.monotonic()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._outcomes: deque[Outcome] = deque()
        self._arrived = Flag()
        self._stop = Flag()
        self._interrupted = False
        self._number = self._in_hand = 0
        self._exhausted = False
        self._doubtful: list[Task] = []
        self._again: deque[Task] = deque()
        self._done = self._failed = self._resumed = 0
        self._told = 0, 0
        self._halt: BaseException | None = None

    def run(self) -> BulkReport[T]:
        """Return the report when all rows have an outcome.

        Raises:
            BulkStoppedError: an error concerns every row.
            BulkInterrupted: Ctrl-C.
        """
        workers = [
            threading.Thread(target=self._work, name=f"iot-bulk-{number}", daemon=True)
            for number in range(self._threads)
        ]
        for worker in workers:
            worker.start()
        with self._ctrl_c():
            try:
                self._go_on()
            except BaseException as error:  # whatever rows, progress or journal raise
                self._halt = self._halt or error
                if isinstance(error, KeyboardInterrupt) and self._interrupted:
                    raise
            finally:
                self._stop.set()
                for _ in workers:
                    self._tasks.put(None)
            self._drain()
            for worker in workers:
                worker.join()
        if self._halt is not None and not isinstance(self._halt, Exception):
            raise self._halt
        report = self._journal.report(self._job.value, self._resumed)
        if self._interrupted:
            raise BulkInterrupted(report)
        if self._halt is not None:
            raise BulkStoppedError.of(self._halt, report) from self._halt
        return report

    def _drain(self) -> None:
        """Note what becomes of the calls in hand."""
        self._progress = None
        while self._in_hand:
            self._arrived.clear()
            try:
                self._record()
            except Exception as error:  # noqa: BLE001 - the disk is full, for example
                self._halt = self._halt or error
                return
            if self._in_hand and not self._outcomes:
                self._arrived.wait(1.0)

    @contextlib.contextmanager
    def _ctrl_c(self) -> Iterator[None]:
        """Make the first Ctrl-C end the job after the calls in hand, and the second one at once."""
        mine = threading.current_thread() is threading.main_thread()
        if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
            self._stop.set()
            self._arrived.set()

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    # -- the calling thread ------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        while True:
            self._arrived.clear()
            self._record()
            if self._halt is not None or self._stop.is_set():
                return
            if len(self._doubtful) >= UNSETTLED or (self._exhausted and not self._in_hand and self._doubtful):
                self._settle()
            ahead = 2 * self._threads
            if not self._exhausted or self._again:
                if self._in_hand < ahead:
                    self._send(self._take(ahead - self._in_hand))
                    if self._in_hand < ahead:
                        continue
            elif not self._in_hand and not self._doubtful:
                return
            # A few outcomes together cost one commit; the workers have tasks meanwhile.
            enough = ahead if self._exhausted else self._threads
            while self._in_hand and not self._stop.is_set():
                if self._outcomes and self._in_hand - len(self._outcomes) <= enough:
                    break
                self._arrived.wait(1.0)
                self._arrived.clear()

    def _take(self, room: int) -> list[Task]:
        """Return tasks for the workers: those that are sent again, and new rows."""
        tasks = [self._again.popleft() for _ in range(min(room, len(self._again)))]
        fresh: list[tuple[int, Read | NorthApiException]] = []
        try:
            for row in self._rows if len(tasks) < room else ():
                self._number += 1
                try:
                    fresh.append((self._number, self._job.read(row)))
                except InvalidArgumentError as error:
                    fresh.append((self._number, error))
                if len(tasks) + len(fresh) == room or self._stop.is_set():
                    break
            else:
                self._exhausted = self._exhausted or len(tasks) < room
        except Exception as error:  # noqa: BLE001 - whatever rows raise; those before it count
            self._halt = self._halt or error
        if fresh:
            with self._journal.writing():
                if self._job.one_per_key:
                    self._journal.expect([read.key for _, read in fresh if isinstance(read, Read)], fresh[0][0])
                admitted = [self._admitted(number, read) for number, read in fresh]
            tasks += [task for task in admitted if task is not None]
            self._tell()
        return tasks

    def _admitted(self, number: int, read: Read | NorthApiException) -> Task | None:
        """Return the task for a row, or None if there is nothing to send."""
        body = read.body if isinstance(read, Read) else b""
        digest = hashlib.sha256(body).digest()
        twin = self._journal.twin(number, read.key) if self._job.one_per_key and isinstance(read, Read) else None
        noted = self._journal.noted(number)
        if noted is not None and noted.state is not State.FAILED and noted.digest != digest:
            raise InvalidArgumentError.of(
                f"row {number}", "other values", "the journal has another row there: give the same rows in the same "
                "order, or another journal"
            )  # fmt: skip
        if noted is not None and noted.state is State.DONE:
            self._done += 1
            self._resumed += 1
            return None
        if isinstance(read, NorthApiException):
            self._journal.begin(number, None, digest, "{}")
            self._end(number, None, read)
            return None
        task = Task(number, read)
        if noted is not None and noted.state in (State.BEGUN, State.UNKNOWN):
            task.doubt = lost()
            if self._job.settles:
                self._journal.end(number, None, task.doubt, 0.0, State.UNKNOWN)
                self._doubtful.append(task)
            else:
                self._end(number, None, task.doubt)
            return None
        self._journal.begin(number, read.key, digest, json.dumps(read.shown))
        if twin is not None:
            why = InvalidArgumentError.of("the key of the row", read.key, f"it is in row {twin} already")
            self._end(number, None, why)
            return None
        if self._dry_run:
            self._end(number, None, None)
            return None
        return task

    def _send(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._in_hand += 1
            self._tasks.put(task)

    def _record(self) -> None:
        """Note all outcomes that are there."""
        ready = list(self._outcomes)
        if not ready:
            return
        doubtful: list[Task] = []
        with self._journal.writing():
            for outcome in ready:
                if (task := self._note(outcome)) is not None:
                    doubtful.append(task)
        self._doubtful += doubtful
        self._in_hand -= len(ready)
        for _ in ready:
            self._outcomes.popleft()
        self._tell()

    def _note(self, outcome: Outcome) -> Task | None:
        """Note an outcome in the journal; return the task if it has yet to be settled."""
        task, error, job = outcome.task, outcome.error, self._job
        doubtful = task.doubt is not None
        if error is None and outcome.sent:
            self._end(task.number, outcome.value, None, outcome.seconds)
        elif error is None:
            if not doubtful:
                self._journal.forget(task.number)
        elif not isinstance(error, NorthApiException):
            self._halt = self._halt or error
            self._journal.end(task.number, None, lost(f"the call ended with {type(error).__name__}"), outcome.seconds)
        elif doubtful and job.has_happened(error):
            self._end(task.number, None, None, outcome.seconds)
        elif job.settles and (error.outcome_unknown or job.exists(error, doubtful=doubtful)):
            task.doubt = error
            self._journal.end(task.number, None, error, outcome.seconds, State.UNKNOWN)
            return task
        elif not error.outcome_unknown and job.concerns_every_row(error):
            self._halt = self._halt or error
            if not doubtful:
                self._journal.forget(task.number)
        else:
            self._end(task.number, None, error, outcome.seconds)
        return None

    def _settle(self) -> None:
        """Find out what became of the rows in doubt; those that did not happen are sent again, once."""
        tasks, self._doubtful = self._doubtful, []
        found: dict[str, Any] | None = None
        pause = PAUSE_FIRST
        while found is None and not self._stop.is_set():
            try:
                found = dict(self._job.look_up([task.read.key for task in tasks], lambda: not self._stop.is_set()))
            except ThrottledError as error:
                pause = self._wait("looking up", error, pause)
        if found is None or self._stop.is_set():
            return
        with self._journal.writing():
            for task in tasks:
                if task.read.key in found:
                    self._end(task.number, found[task.read.key], None)
                elif task.again or self._job.exists(task.doubt or lost(), doubtful=True):
                    self._end(task.number, None, task.doubt)
                else:
                    task.again = True
                    self._again.append(task)
        self._tell()

    def _end(self, number: int, value: Any, error: NorthApiException | None, seconds: float = 0.0) -> None:
        self._journal.end(number, plain(value), error, seconds)
        if error is None:
            self._done += 1
            return
        self._failed += 1
        if self._max_failures is not None and self._failed > self._max_failures:
            self._halt = self._halt or NorthApiException(
                error.error_code, f"more than {self._max_failures} rows failed, the last one with: {error.error_desc}"
            )

    def _tell(self) -> None:
        if self._progress is None or (self._done, self._failed) == self._told:
            return
        self._told = self._done, self._failed
        seconds, here = self._clock.monotonic() - self._began, self._done + self._failed - self._resumed
        rate = here / seconds if seconds > 0 else 0.0
        left = None if self._total is None else max(self._total - self._done - self._failed, 0)
        self._progress(
            BulkProgress(
                done=self._done,
                failed=self._failed,
                total=self._total,
                rate=rate,
                remaining=None if left is None or not rate else left / rate,
            )
        )

    # -- the workers -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        with bulk():
            while (task := self._tasks.get()) is not None:
                self._outcomes.append(self._outcome(task))
                self._arrived.set()

    def _outcome(self, task: Task) -> Outcome:
        began, pause = self._clock.monotonic(), PAUSE_FIRST
        while not self._stop.is_set():
            try:
                value = self._job.send(task.read.request)
                return Outcome(task, value=value, seconds=self._clock.monotonic() - began)
            except BaseException as error:  # noqa: BLE001 - a hook may raise anything; the calling thread tells it
                if not isinstance(error, ThrottledError) or error.outcome_unknown:
                    return Outcome(task, error=error, seconds=self._clock.monotonic() - began)
                throttled = error
            pause = self._wait(f"row {task.number}", throttled, pause)
        return Outcome(task, sent=False)

    def _wait(self, what: str, error: ThrottledError, pause: float) -> float:
        """Wait until the limit may allow a call again; return the next pause."""
        wait = error.retry_after or pause
        log.warning("%s: the limit of calls allows no more now; again in %.0f s", what, wait)
        self._clock.sleep(wait, self._stop)
        return min(2 * pause, PAUSE_CAP)
