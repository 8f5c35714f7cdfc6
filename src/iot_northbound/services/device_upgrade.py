"""Upgrade the software and firmware of devices, and follow the upgrades."""

from collections.abc import Callable, Iterator

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import check_id
from iot_northbound.dto.device_upgrade import (
    CreateUpgradeTaskInDTO,
    CreateUpgradeTaskOutDTO,
    OperationInfo,
    QueryUpgradePackageListInDTO,
    QueryUpgradePackageListOutDTO,
    QueryUpgradePackageOutDTO,
    QueryUpgradeSubTaskInDTO,
    QueryUpgradeSubTaskOutDTO,
    QueryUpgradeTaskListInDTO,
    QueryUpgradeTaskListOutDTO,
    QueryUpgradeTaskOutDTO,
    SubOperationInfo,
)
from iot_northbound.services.base import Service
from iot_northbound.services.paging import Paged
from iot_northbound.services.waiting import SLOW, Polling, has_ended, wait_until

QUERY_PACKAGES = Endpoint(
    "GET",
    "/iodm/northbound/v1.5.0/category",
    QueryUpgradePackageListOutDTO,
    takes=QueryUpgradePackageListInDTO,
    section="1.10.1",
)
QUERY_PACKAGE = Endpoint(
    "GET", "/iodm/northbound/v1.5.0/category/{file_id}", QueryUpgradePackageOutDTO, section="1.10.2"
)
DELETE_PACKAGE = Endpoint("DELETE", "/iodm/northbound/v1.5.0/category/{file_id}", type(None), section="1.10.3")
UPGRADE_SOFTWARE = Endpoint(
    "POST",
    "/iodm/northbound/v1.5.0/operations/softwareUpgrade",
    CreateUpgradeTaskOutDTO,
    takes=CreateUpgradeTaskInDTO,
    section="1.10.4",
)
UPGRADE_FIRMWARE = Endpoint(
    "POST",
    "/iodm/northbound/v1.5.0/operations/firmwareUpgrade",
    CreateUpgradeTaskOutDTO,
    takes=CreateUpgradeTaskInDTO,
    section="1.10.5",
)
QUERY_TASK = Endpoint(
    "GET", "/iodm/northbound/v1.5.0/operations/{operation_id}", QueryUpgradeTaskOutDTO, section="1.10.6"
)
QUERY_SUB_TASKS = Endpoint(
    "GET",
    "/iodm/northbound/v1.5.0/operations/{operation_id}/subOperations",
    QueryUpgradeSubTaskOutDTO,
    takes=QueryUpgradeSubTaskInDTO,
    section="1.10.7",
)
QUERY_TASKS = Endpoint(
    "GET",
    "/iodm/northbound/v1.5.0/operations",
    QueryUpgradeTaskListOutDTO,
    takes=QueryUpgradeTaskListInDTO,
    section="1.10.8",
)

PAST_THE_END = frozenset({"123029"})
"""The code for a page that is out of range, which happens when a list becomes shorter in the meantime."""
PACKAGES = Paged[QueryUpgradePackageListOutDTO, QueryUpgradePackageOutDTO](
    items=lambda answer: answer.data,
    total=lambda answer: answer.total_count,
    key=lambda package: package.file_id,
    page_size=100,
    past_the_end=PAST_THE_END,
)
SUB_TASKS = Paged[QueryUpgradeSubTaskOutDTO, SubOperationInfo](
    items=lambda answer: answer.data,
    total=lambda answer: answer.total_count,
    key=lambda sub_task: sub_task.sub_operation_id,
    page_size=100,
    past_the_end=PAST_THE_END,
)
TASKS = Paged[QueryUpgradeTaskListOutDTO, OperationInfo](
    items=lambda answer: answer.data,
    total=lambda answer: answer.total_count,
    key=lambda task: task.operation_id,
    page_size=100,
    past_the_end=PAST_THE_END,
)

TASK_ENDED = frozenset({"success", "failed", "fail", "stop"})
"""The final states of an upgrade task. wait and processing come before them. Subtasks use ``fail``."""


class DeviceUpgrade(Service):
    """Version packages, upgrade tasks, and their subtasks, one per device.

    `access_token` replaces the client's token.
    """

    def query_upgrade_package_list(
        self, qupl_in_dto: QueryUpgradePackageListInDTO | None = None, *, access_token: str | None = None
    ) -> QueryUpgradePackageListOutDTO:
        """Return one page of the version packages that fit the query.

        A page has 1 to 100 packages, 10 if no size is given. Page numbers start at 0. `iter_upgrade_packages` reads all
        pages.

        Raises:
            InvalidArgumentError: the page is out of range (123029), or the query is malformed (120015).

        Reference: section 1.10.1.
        """
        query = QueryUpgradePackageListInDTO() if qupl_in_dto is None else qupl_in_dto
        return self._call(QUERY_PACKAGES, query=query, access_token=access_token)

    def iter_upgrade_packages(
        self, qupl_in_dto: QueryUpgradePackageListInDTO | None = None, *, access_token: str | None = None
    ) -> Iterator[QueryUpgradePackageOutDTO]:
        """Yield every version package that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (100).

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.10.1.
        """
        return PACKAGES.walk(
            lambda page: self.query_upgrade_package_list(page, access_token=access_token),
            QueryUpgradePackageListInDTO() if qupl_in_dto is None else qupl_in_dto,
        )

    def query_upgrade_package(self, file_id: str, *, access_token: str | None = None) -> QueryUpgradePackageOutDTO:
        """Return one version package.

        Raises:
            NotFoundError: no such package (123002).
            InvalidArgumentError: the id is malformed (120015).

        Reference: section 1.10.2.
        """
        return self._call(QUERY_PACKAGE, access_token=access_token, file_id=file_id)

    def delete_upgrade_package(self, file_id: str, *, access_token: str | None = None) -> None:
        """Delete a version package.

        Raises:
            NotFoundError: no such package (123002), also if an earlier try deleted it and its answer was lost.
            InvalidArgumentError: the id is malformed (120015).

        Reference: section 1.10.3.
        """
        self._call(DELETE_PACKAGE, access_token=access_token, file_id=file_id)

    def create_software_upgrade_task(
        self, cut_in_dto: CreateUpgradeTaskInDTO, *, access_token: str | None = None
    ) -> CreateUpgradeTaskOutDTO:
        """Start a software upgrade and return its operation id.

        `targets` has at most 256 devices or groups. Groups need the device type, model and manufacturer name of the
        members to upgrade. Only NB-IoT devices (CoAP, LWM2M) can be upgraded; the subtask of another device fails.
        `policy` says when to upgrade (now, when devices come online, or in a window of more than five minutes) and how
        often a failed device is tried again (1 to 5). `wait_for_upgrade_task` waits for the end.

        Raises:
            NotFoundError: the package or a device does not exist (123002).
            InvalidArgumentError: the package does not fit the targets (123016); groups are given without manufacturer
                name, device type or model (123019, 123020, 123021); neither or both of devices and groups are given
                (123022, 123023), or too many (123024); the policy's type, window or retries are missing or out of range
                (123025, 123026, 123028, 123032, 123033, 123034); or the request is malformed (120015).

        Reference: section 1.10.4.
        """
        return self._call(UPGRADE_SOFTWARE, body=cut_in_dto, access_token=access_token)

    def create_firmware_upgrade_task(
        self, cut_in_dto: CreateUpgradeTaskInDTO, *, access_token: str | None = None
    ) -> CreateUpgradeTaskOutDTO:
        """Start a firmware upgrade and return its operation id.

        It takes and raises what `create_software_upgrade_task` does.

        Reference: section 1.10.5.
        """
        return self._call(UPGRADE_FIRMWARE, body=cut_in_dto, access_token=access_token)

    def query_upgrade_task(self, operation_id: str, *, access_token: str | None = None) -> QueryUpgradeTaskOutDTO:
        """Return an upgrade task with its state and its counts.

        Raises:
            NotFoundError: no such task (123009).
            InvalidArgumentError: the id is malformed (120015).

        Reference: section 1.10.6.
        """
        return self._call(QUERY_TASK, access_token=access_token, operation_id=operation_id)

    def wait_for_upgrade_task(
        self,
        operation_id: str,
        *,
        timeout: float = 3600.0,
        on_progress: Callable[[QueryUpgradeTaskOutDTO], object] | None = None,
        polling: Polling = SLOW,
        access_token: str | None = None,
    ) -> QueryUpgradeTaskOutDTO:
        """Wait until the upgrade task has ended, and return it: success, failed or stop.

        An end is not always a success: look at `status`, and at `sta_result` for the counts. `timeout` is in seconds.
        `on_progress` gets the task at the first look and after each change.

        Raises:
            WaitTimeoutError: the task has not ended in time (1003); `last_state` is the last answer.
            NotFoundError: no such task (123009).

        Reference: section 1.10.6.
        """
        check_id("operation_id", operation_id)
        return wait_until(
            lambda: self.query_upgrade_task(operation_id, access_token=access_token),
            lambda task: has_ended(task.status, TASK_ENDED),
            what=f"upgrade task {operation_id}",
            endpoint=QUERY_TASK.name,
            timeout=timeout,
            polling=polling,
            clock=self._client.clock,
            on_progress=on_progress,
        )

    def query_upgrade_sub_task(
        self, qust_in_dto: QueryUpgradeSubTaskInDTO | None, operation_id: str, *, access_token: str | None = None
    ) -> QueryUpgradeSubTaskOutDTO:
        """Return one page of a task's subtasks, one per device. With None it is the first page of all of them.

        A page has 1 to 100 subtasks, 10 if no size is given. Page numbers start at 0. `iter_upgrade_sub_tasks` reads
        all pages.

        Raises:
            NotFoundError: no such task (123009).
            InvalidArgumentError: the page is out of range (123029), or the id or query is malformed (120015).

        Reference: section 1.10.7.
        """
        query = QueryUpgradeSubTaskInDTO() if qust_in_dto is None else qust_in_dto
        return self._call(QUERY_SUB_TASKS, query=query, access_token=access_token, operation_id=operation_id)

    def iter_upgrade_sub_tasks(
        self, qust_in_dto: QueryUpgradeSubTaskInDTO | None, operation_id: str, *, access_token: str | None = None
    ) -> Iterator[SubOperationInfo]:
        """Yield every subtask that fits the query (None: all), each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (100). With a filter on the state the list changes
        while the task runs.

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.10.7.
        """
        return SUB_TASKS.walk(
            lambda page: self.query_upgrade_sub_task(page, operation_id, access_token=access_token),
            QueryUpgradeSubTaskInDTO() if qust_in_dto is None else qust_in_dto,
        )

    def query_upgrade_task_list(
        self, qutl_in_dto: QueryUpgradeTaskListInDTO | None = None, *, access_token: str | None = None
    ) -> QueryUpgradeTaskListOutDTO:
        """Return one page of the upgrade tasks that fit the query.

        A page has 1 to 100 tasks, 10 if no size is given. Page numbers start at 0. `iter_upgrade_tasks` reads all
        pages.

        Raises:
            InvalidArgumentError: the page is out of range (123029), or the query is malformed (120015).
            NotFoundError: no task fits (123009). Other platforms answer with an empty page.

        Reference: section 1.10.8.
        """
        return self._call(
            QUERY_TASKS,
            query=QueryUpgradeTaskListInDTO() if qutl_in_dto is None else qutl_in_dto,
            access_token=access_token,
        )

    def iter_upgrade_tasks(
        self, qutl_in_dto: QueryUpgradeTaskListInDTO | None = None, *, access_token: str | None = None
    ) -> Iterator[OperationInfo]:
        """Yield every upgrade task that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (100).

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.10.8.
        """
        return TASKS.walk(
            lambda page: self.query_upgrade_task_list(page, access_token=access_token),
            QueryUpgradeTaskListInDTO() if qutl_in_dto is None else qutl_in_dto,
        )
