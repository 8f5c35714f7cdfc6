"""Start tasks for many devices, and follow them."""

from collections.abc import Callable, Hashable, Iterator
from typing import Literal

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import check_id
from iot_northbound.dto.batch_process import (
    BatchTaskCreateInDTO2,
    BatchTaskCreateOutDTO,
    QueryOneTaskOutDTO,
    QueryTaskDetailDTOCloud2NA,
    QueryTaskDetailsInDTO,
    QueryTaskDetailsOutDTO,
)
from iot_northbound.services.base import Service
from iot_northbound.services.paging import Paged
from iot_northbound.services.waiting import SLOW, Polling, has_ended, wait_until

CREATE_TASK = Endpoint(
    "POST", "/iocm/app/batchtask/v1.1.0/tasks", BatchTaskCreateOutDTO, takes=BatchTaskCreateInDTO2, section="1.8.1"
)
QUERY_TASK = Endpoint("GET", "/iocm/app/batchtask/v1.1.0/tasks/{task_id}", QueryOneTaskOutDTO, section="1.8.2")
QUERY_DETAILS = Endpoint(
    "GET",
    "/iocm/app/batchtask/v1.1.0/taskDetails",
    QueryTaskDetailsOutDTO,
    takes=QueryTaskDetailsInDTO,
    section="1.8.3",
)

TASK_ENDED = frozenset({"Complete", "Timeout"})
"""The final states of a batch task. Pending and Running come before them."""


def _subtask(detail: QueryTaskDetailDTOCloud2NA) -> Hashable:
    """Return the device of a subtask. A task has one subtask per device, and the command is known only later."""
    param = detail.param or {}
    return param.get("deviceId") or param.get("commandId")


DETAILS = Paged[QueryTaskDetailsOutDTO, QueryTaskDetailDTOCloud2NA](
    items=lambda answer: answer.task_details,
    total=lambda answer: answer.total_count,
    key=_subtask,
    page_size=250,
)


class BatchProcess(Service):
    """Batch tasks: one command for a list of devices, a device type, groups, or all devices of an application.

    On a real platform they are for CoAP and LWM2M devices, like commands. `access_token` replaces the client's token.
    """

    def create_batch_task(
        self, btc_in_dto: BatchTaskCreateInDTO2, *, access_token: str | None = None
    ) -> BatchTaskCreateOutDTO:
        """Start a batch task and return its id.

        `timeout` is in minutes, 10 to 2,880. `task_name` is unique among the application's tasks. `task_type` is
        DeviceCmd, and `param` says which devices and which command. `DeviceCmdParam` lists what each selector needs.
        `wait_for_batch_task` waits for the end.

        Raises:
            NotFoundError: the selector names a device or group that does not exist, or finds no device (101001), or
                its `group_tag` does not exist (105202).
            AlreadyExistsError: the name is taken (105002), or the tag is in use (105201).
            QuotaReachedError: too many batch tasks are running (105001).
            NotAuthorizedError: the application's user does not have the right (100028).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (50400).

        Reference: section 1.8.1.
        """
        return self._call(CREATE_TASK, body=btc_in_dto, access_token=access_token)

    def query_one_task(
        self,
        task_id: str,
        select: Literal["tag", "tags"] | str | None = None,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> QueryOneTaskOutDTO:
        """Return a batch task with its state, its progress in thousandths and its counts.

        With `select="tags"` the task's tags are returned too. `app_id` names the application that authorised this one.

        Raises:
            NotFoundError: no such task (105005).
            InvalidArgumentError: the platform refuses `select` (100022), or the request (100019).

        Reference: section 1.8.2.
        """
        return self._call(
            QUERY_TASK, query={"select": select, "appId": app_id}, access_token=access_token, task_id=task_id
        )

    def wait_for_batch_task(
        self,
        task_id: str,
        *,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryOneTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> QueryOneTaskOutDTO:
        """Wait until the batch task has ended, and return it: Complete, or Timeout by its own limit.

        Complete does not mean that every device succeeded: look at the counts and at `iter_task_details`. `timeout` is
        in seconds. `on_progress` gets the task at the first look and after each change.

        Raises:
            WaitTimeoutError: the task has not ended in time (1003); `last_state` is the last answer.
            NotFoundError: no such task (105005).

        Reference: section 1.8.2.
        """
        check_id("task_id", task_id)
        return wait_until(
            lambda: self.query_one_task(task_id, app_id=app_id, access_token=access_token),
            lambda task: has_ended(task.status, TASK_ENDED),
            what=f"batch task {task_id}",
            endpoint=QUERY_TASK.name,
            timeout=timeout,
            polling=polling,
            clock=self._client.clock,
            on_progress=on_progress,
        )

    def query_task_details(
        self, qtd_in_dto: QueryTaskDetailsInDTO, *, access_token: str | None = None
    ) -> QueryTaskDetailsOutDTO:
        """Return one page of a batch task's subtasks, one per device.

        A page has up to 250 items, 25 if no size is given. Page numbers start at 0. `iter_task_details` reads all
        pages.

        Raises:
            NotFoundError: no such task (105005).
            InvalidArgumentError: the platform refuses the query (100022).

        Reference: section 1.8.3.
        """
        return self._call(QUERY_DETAILS, query=qtd_in_dto, access_token=access_token)

    def iter_task_details(
        self, qtd_in_dto: QueryTaskDetailsInDTO, *, access_token: str | None = None
    ) -> Iterator[QueryTaskDetailDTOCloud2NA]:
        """Yield every subtask that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (250). With a filter on `status` the list changes
        while the task runs.

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.8.3.
        """
        return DETAILS.walk(lambda page: self.query_task_details(page, access_token=access_token), qtd_in_dto)
