"""Starts batch tasks and upgrade tasks, and waits for their ends."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal

import attrs

from iot_northbound.core.fields import check_id, shown
from iot_northbound.dto.batch_process import BatchTaskCreateInDTO2, DeviceCmdParam, QueryOneTaskOutDTO
from iot_northbound.dto.device_upgrade import CreateUpgradeTaskInDTO, QueryUpgradeTaskOutDTO
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.waits.client import Client
from iot_northbound.push.waits.news import ANY_COMMAND, News, Topic, about_upgrade
from iot_northbound.push.waits.wait import Answers, State, Subject, changed
from iot_northbound.services import batch_process, device_upgrade
from iot_northbound.services.waiting import SLOW, Polling, has_ended

if TYPE_CHECKING:
    from iot_northbound.push.waits.engine import Waits
    from iot_northbound.push.waits.waiting import Waiting

Kind = Literal["software", "firmware"]


@attrs.define(eq=False)
class _Task(Generic[State]):
    """A task for many devices: pushes report the ends of its parts, and a look its own.

    Attributes:
        client: starts it, and looks.
        dto: what to start; None if it was started before.
        access_token: replaces the client's token.
        id: the task.
    """

    client: Client
    dto: Any
    access_token: str | None = attrs.field(repr=False)
    id: str = ""
    company: ClassVar[Hashable] = None
    noun: ClassVar[str]

    @property
    def what(self) -> str:
        """It in words."""
        return f"{self.noun} {self.id}" if self.id else f"a {self.noun} that was not started yet"

    def is_given_up(self) -> bool:
        """Return whether the client is closed."""
        return self.client.is_closed

    def begin(self) -> None:
        """Start it, if it was not started before; its first state needs a look."""
        if self.dto is not None:
            self.id, self.dto = self.start(), None

    def start(self) -> str:
        """Make the call that starts it, and return its id."""
        raise NotImplementedError

    def after(self, state: Any, news: News) -> None:
        """Return nothing: a push is about one device only."""

    def look(self, company: Iterable[Subject[Any]], answers: Answers) -> None:
        """Read it from the platform."""
        (subject,) = company
        answers[subject] = self.read()

    def read(self) -> State:
        """Read it from the platform."""
        raise NotImplementedError


@attrs.define(eq=False)
class BatchTask(_Task[QueryOneTaskOutDTO]):
    """A batch task: the ends of its commands are pushed to the `callback_url` of its `param`."""

    app_id: str | None = None
    topic: ClassVar[Topic] = ANY_COMMAND
    endpoint: ClassVar[str] = batch_process.QUERY_TASK.name
    noun: ClassVar[str] = "batch task"

    def start(self) -> str:
        """Start it."""
        return self.client.batch_process.create_batch_task(self.dto, access_token=self.access_token).task_id

    def read(self) -> QueryOneTaskOutDTO:
        """Read it."""
        return self.client.batch_process.query_one_task(self.id, app_id=self.app_id, access_token=self.access_token)

    def remaining(self, state: QueryOneTaskOutDTO | None) -> int:
        """Return for how many devices it has not ended; at least 1, because a count may be missing."""
        done = (state.complete_cnt or 0) if state is not None else 0
        return max((state.total_cnt or 1) - done, 1) if state is not None else 1

    def has_ended(self, state: QueryOneTaskOutDTO) -> bool:
        """Return whether it has ended."""
        return has_ended(state.status, batch_process.TASK_ENDED)


@attrs.define(eq=False)
class UpgradeTask(_Task[QueryUpgradeTaskOutDTO]):
    """An upgrade task: the result of each device is pushed to the subscription of its type."""

    kind: Kind = "firmware"
    endpoint: ClassVar[str] = device_upgrade.QUERY_TASK.name
    noun: ClassVar[str] = "upgrade task"

    @property
    def topic(self) -> Topic:
        """Its own news."""
        return about_upgrade(self.id)

    def start(self) -> str:
        """Start it."""
        service = self.client.device_upgrade
        start = service.create_firmware_upgrade_task
        if self.kind == "software":
            start = service.create_software_upgrade_task
        return start(self.dto, access_token=self.access_token).operation_id

    def read(self) -> QueryUpgradeTaskOutDTO:
        """Read it."""
        return self.client.device_upgrade.query_upgrade_task(self.id, access_token=self.access_token)

    def remaining(self, state: QueryUpgradeTaskOutDTO | None) -> int:
        """Return for how many devices it has not ended; at least 1, because a count may be missing."""
        counts = state.sta_result if state is not None else None
        return max((counts.wait or 0) + (counts.processing or 0), 1) if counts is not None else 1

    def has_ended(self, state: QueryUpgradeTaskOutDTO) -> bool:
        """Return whether it has ended."""
        return has_ended(state.status, device_upgrade.TASK_ENDED)


class Tasks:
    """Starts batch tasks, and returns their final states.

    The ends of a task's commands are pushed to the `callback_url` of its `param`; without one it gets that of the
    receiver. A push moves the wait on: when half of the commands that were open have ended, a look reads the task. If
    no push comes, looks follow after 2 seconds, then less and less often, at most once a minute. They are bulk calls,
    and one thread makes them for all tasks.
    """

    def __init__(self, receiver: Waiting, waits: Waits) -> None:
        self._receiver, self._waits = receiver, waits

    def send(
        self,
        client: Client,
        btc_in_dto: BatchTaskCreateInDTO2,
        *,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryOneTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        access_token: str | None = None,
    ) -> QueryOneTaskOutDTO:
        """Start a batch task, wait until it has ended, and return it: Complete, or Timeout by its own limit.

        Complete does not mean that every device succeeded: look at the counts.

        Args:
            client: starts the task, and looks.
            btc_in_dto: the task.
            timeout: seconds from the answer to the call; `math.inf` for as long as it takes.
            on_progress: gets the task at the first look and after each change, on a thread that all waits share: it
                must return soon. An exception of it ends the wait, not the task.
            polling: when to look if no push comes.
            access_token: replaces the client's token.

        Raises:
            WaitTimeoutError: it has not ended in time (1003); `last_state` is the last answer.
            WaitStoppedError: the receiver was stopped, or the client was closed (1001); `last_state` too.
            NorthApiException: the task was refused, or a look failed for good. See `create_batch_task`.
            RuntimeError: it was called in an `on_progress`, or in the callback of a future.

        Reference: section 1.8.1.
        """
        return self._waits.run(self._task(client, btc_in_dto, access_token), timeout, polling, on_progress)

    def submit(
        self,
        client: Client,
        btc_in_dto: BatchTaskCreateInDTO2,
        *,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryOneTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        access_token: str | None = None,
    ) -> Future[QueryOneTaskOutDTO]:
        """Do the same as `send` in the background, and return at once. Coroutines await it with `asyncio.wrap_future`.

        Cancelling the future ends the wait, not the task. If the task was not started yet, it will not be started.
        """
        return self._waits.submit(self._task(client, btc_in_dto, access_token), timeout, polling, on_progress)

    def follow(
        self,
        client: Client,
        task_id: str,
        *,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryOneTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> Future[QueryOneTaskOutDTO]:
        """Wait for a batch task that was started before, and return a future. The first look is made at once."""
        task = BatchTask(client, None, access_token, check_id("task_id", task_id), app_id)
        return self._waits.submit(task, timeout, polling, on_progress)

    def _task(self, client: Client, dto: BatchTaskCreateInDTO2, access_token: str | None) -> BatchTask:
        _must_be(dto, BatchTaskCreateInDTO2)
        url, param = self._receiver.callback_url, dto.param
        if url is not None:
            if isinstance(param, DeviceCmdParam):
                param = changed(param, callback_url=param.callback_url or url)
            else:
                param = {**param, "callbackUrl": param.get("callbackUrl") or url}
            dto = changed(dto, param=param)
        return BatchTask(client, dto, access_token)


class Upgrades:
    """Starts upgrade tasks, and returns their final states.

    The result of each device is pushed if you subscribe to the types `swUpgradeResultNotify` and
    `fwUpgradeResultNotify`. A push moves the wait on: when half of the devices that were open have ended, a look reads
    the task. If no push comes, looks follow after 2 seconds, then less and less often, at most once a minute. They are
    bulk calls, and one thread makes them for all tasks.
    """

    def __init__(self, waits: Waits) -> None:
        self._waits = waits

    def send(
        self,
        client: Client,
        cut_in_dto: CreateUpgradeTaskInDTO,
        *,
        kind: Kind,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryUpgradeTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        access_token: str | None = None,
    ) -> QueryUpgradeTaskOutDTO:
        """Start an upgrade task, wait until it has ended, and return it: success, failed or stop.

        An end is not always a success: look at `status`, and at `sta_result` for the counts.

        Args:
            client: starts the task, and looks.
            cut_in_dto: the task.
            kind: what is upgraded.
            timeout: seconds from the answer to the call; `math.inf` for as long as it takes.
            on_progress: gets the task at the first look and after each change, on a thread that all waits share: it
                must return soon. An exception of it ends the wait, not the task.
            polling: when to look if no push comes.
            access_token: replaces the client's token.

        Raises:
            WaitTimeoutError: it has not ended in time (1003); `last_state` is the last answer.
            WaitStoppedError: the receiver was stopped, or the client was closed (1001); `last_state` too.
            NorthApiException: the task was refused, or a look failed for good. See `create_firmware_upgrade_task`.
            RuntimeError: it was called in an `on_progress`, or in the callback of a future.

        Reference: sections 1.10.4 and 1.10.5.
        """
        return self._waits.run(_upgrade(client, cut_in_dto, kind, access_token), timeout, polling, on_progress)

    def submit(
        self,
        client: Client,
        cut_in_dto: CreateUpgradeTaskInDTO,
        *,
        kind: Kind,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryUpgradeTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        access_token: str | None = None,
    ) -> Future[QueryUpgradeTaskOutDTO]:
        """Do the same as `send` in the background, and return at once. Coroutines await it with `asyncio.wrap_future`.

        Cancelling the future ends the wait, not the task. If the task was not started yet, it will not be started.
        """
        return self._waits.submit(_upgrade(client, cut_in_dto, kind, access_token), timeout, polling, on_progress)

    def follow(
        self,
        client: Client,
        operation_id: str,
        *,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryUpgradeTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        access_token: str | None = None,
    ) -> Future[QueryUpgradeTaskOutDTO]:
        """Wait for an upgrade task that was started before, and return a future. The first look is made at once."""
        task = UpgradeTask(client, None, access_token, check_id("operation_id", operation_id))
        return self._waits.submit(task, timeout, polling, on_progress)


def _upgrade(client: Client, dto: CreateUpgradeTaskInDTO, kind: Kind, access_token: str | None) -> UpgradeTask:
    _must_be(dto, CreateUpgradeTaskInDTO)
    if kind not in ("software", "firmware"):
        raise InvalidArgumentError.of("kind", shown(kind), "it must be software or firmware")
    return UpgradeTask(client, dto, access_token, kind=kind)


def _must_be(dto: object, cls: type) -> None:
    if not isinstance(dto, cls):
        raise InvalidArgumentError.of("the request", f"a {type(dto).__name__}", f"it must be a {cls.__name__}")


__all__ = ["BatchTask", "Tasks", "UpgradeTask", "Upgrades"]
