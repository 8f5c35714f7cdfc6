"""Send commands to devices, follow them, and cancel them."""

from collections.abc import Callable, Iterator

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import check_id
from iot_northbound.dto.signal_delivery import (
    CommandDTO2,
    CreateDeviceCmdCancelTaskInDTO,
    CreateDeviceCmdCancelTaskOutDTO,
    DeviceCommandCancelTaskRespV4,
    DeviceCommandRespV4,
    InvokeDeviceServiceOutDTO,
    PostDeviceCommandInDTO2,
    PostDeviceCommandOutDTO2,
    QueryDeviceCmdCancelTaskInDTO2,
    QueryDeviceCmdCancelTaskOutDTO2,
    QueryDeviceCommandInDTO2,
    QueryDeviceCommandOutDTO2,
    UpdateDeviceCommandInDTO,
    UpdateDeviceCommandOutDTO,
)
from iot_northbound.services.base import Service
from iot_northbound.services.paging import Paged
from iot_northbound.services.waiting import QUICK, Polling, has_ended, wait_until

POST_COMMAND = Endpoint(
    "POST",
    "/iocm/app/cmd/v1.4.0/deviceCommands",
    PostDeviceCommandOutDTO2,
    takes=PostDeviceCommandInDTO2,
    section="1.7.1",
    success=201,
)
QUERY_COMMANDS = Endpoint(
    "GET",
    "/iocm/app/cmd/v1.4.0/deviceCommands",
    QueryDeviceCommandOutDTO2,
    takes=QueryDeviceCommandInDTO2,
    section="1.7.2",
)
# Not repeatable: a second revocation gets "has ended" (100435), which hides that the first one worked.
UPDATE_COMMAND = Endpoint(
    "PUT",
    "/iocm/app/cmd/v1.4.0/deviceCommands/{device_command_id}",
    UpdateDeviceCommandOutDTO,
    takes=UpdateDeviceCommandInDTO,
    section="1.7.3",
)
CREATE_CANCEL_TASK = Endpoint(
    "POST",
    "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks",
    CreateDeviceCmdCancelTaskOutDTO,
    takes=CreateDeviceCmdCancelTaskInDTO,
    section="1.7.5",
    success=201,
)
QUERY_CANCEL_TASKS = Endpoint(
    "GET",
    "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks",
    QueryDeviceCmdCancelTaskOutDTO2,
    takes=QueryDeviceCmdCancelTaskInDTO2,
    section="1.7.6",
)
INVOKE_SERVICE = Endpoint(
    "POST",
    "/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/{service_id}/sendCommand",
    InvokeDeviceServiceOutDTO,
    takes=CommandDTO2,
    section="1.7.7",
    success=202,
)

COMMANDS = Paged[QueryDeviceCommandOutDTO2, DeviceCommandRespV4](
    items=lambda answer: answer.data,
    total=lambda answer: answer.pagination.total_size if answer.pagination else None,
    key=lambda command: command.command_id,
    page_size=1000,
)
# The page is smaller, because a task contains all commands that it revoked.
CANCEL_TASKS = Paged[QueryDeviceCmdCancelTaskOutDTO2, DeviceCommandCancelTaskRespV4](
    items=lambda answer: answer.data,
    total=lambda answer: answer.pagination.total_size if answer.pagination else None,
    key=lambda task: task.task_id,
    page_size=100,
)

COMMAND_ENDED = frozenset({"SUCCESSFUL", "FAILED", "TIMEOUT", "EXPIRED", "CANCELED"})
"""The final states of a command. DEFAULT, PENDING, SENT and DELIVERED come before them."""
CANCEL_TASK_ENDED = frozenset({"SUCCESS", "PART_SUCCESS", "FAILED"})
"""The final states of a revocation task. WAITING and RUNNING come before them."""


class SignalDelivery(Service):
    """Commands for CoAP and LWM2M devices, cached or immediate, and service calls for connected MQTT devices.

    `app_id` names the application that authorised this one and owns the device. Leave it out for your own devices.
    `access_token` replaces the client's token.
    """

    def post_device_command(
        self, pdc_in_dto: PostDeviceCommandInDTO2, *, app_id: str | None = None, access_token: str | None = None
    ) -> PostDeviceCommandOutDTO2:
        """Give a command to the platform and return it with its id and first state.

        `expire_time` is in seconds. 0 sends the command at once. Otherwise the platform caches it until the device is
        online or reports, for 48 hours if `expire_time` is left out. The cached commands of a device are sent one at a
        time, in the order in which they were created. The next one is sent when the device has acknowledged the one
        before, which does not mean that it has carried it out. Immediate commands have no order, neither among
        themselves nor with cached ones.

        A device can have 20 pending commands. `wait_for_device_command` waits for the end. With a `callback_url` the
        platform pushes each change, and such pushes can arrive in another order. `paras` are sent unchanged.

        Raises:
            QuotaReachedError: the device's queue is full (100223).
            DeviceOfflineError: the command is immediate and the device is not online (100428), or the device has been
                silent for more than seven days (100612).
            NotFoundError: there is no data of this device (100418).
            InvalidArgumentError: a field breaks its rule (1007), the platform refuses it (100022), or the device has no
                such service (100431).

        Reference: section 1.7.1.
        """
        return self._call(POST_COMMAND, body=pdc_in_dto, query={"appId": app_id}, access_token=access_token)

    def query_device_command(
        self, qdc_in_dto: QueryDeviceCommandInDTO2 | None = None, *, access_token: str | None = None
    ) -> QueryDeviceCommandOutDTO2:
        """Return one page of commands with their states: of one device, of a period of time, or all.

        A page has 1 to 1,000 commands, 1,000 if no size is given. Page numbers start at 0. `iter_device_commands` reads
        all pages. The period is that of the commands' creation. `start_time` and `end_time` can be given alone;
        `end_time` must not be before `start_time`.

        Raises:
            NotFoundError: there is no data of this device (100418).
            InvalidArgumentError: the platform refuses the page or the period (100022).

        The reference also lists 100428 and 100431, which are about the creation of a command.

        Reference: section 1.7.2.
        """
        return self._call(
            QUERY_COMMANDS,
            query=QueryDeviceCommandInDTO2() if qdc_in_dto is None else qdc_in_dto,
            access_token=access_token,
        )

    def iter_device_commands(
        self, qdc_in_dto: QueryDeviceCommandInDTO2 | None = None, *, access_token: str | None = None
    ) -> Iterator[DeviceCommandRespV4]:
        """Yield every command that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (1,000).

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.7.2.
        """
        return COMMANDS.walk(
            lambda page: self.query_device_command(page, access_token=access_token),
            QueryDeviceCommandInDTO2() if qdc_in_dto is None else qdc_in_dto,
        )

    def wait_for_device_command(
        self,
        command_id: str,
        device_id: str,
        *,
        timeout: float = 300.0,
        on_progress: Callable[[DeviceCommandRespV4], object] | None = None,
        polling: Polling = QUICK,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> DeviceCommandRespV4:
        """Wait until the command has ended, and return it: SUCCESSFUL, FAILED, TIMEOUT, EXPIRED or CANCELED.

        An end is not always a success: look at `status`. The platform has no query for one command, so each look reads
        the device's commands. With `device_id` this is usually one call. `timeout` is in seconds. `on_progress` gets
        the command at the first look and after each change.

        Raises:
            WaitTimeoutError: the command has not ended in time, or was never found (1003); see `last_state`.

        Reference: section 1.7.2.
        """
        check_id("command_id", command_id)
        query = QueryDeviceCommandInDTO2(device_id=check_id("device_id", device_id), app_id=app_id)

        def look() -> DeviceCommandRespV4 | None:
            commands = self.iter_device_commands(query, access_token=access_token)
            return next((command for command in commands if command.command_id == command_id), None)

        return wait_until(
            look,
            lambda command: has_ended(command.status, COMMAND_ENDED),
            what=f"command {command_id}",
            endpoint=QUERY_COMMANDS.name,
            timeout=timeout,
            polling=polling,
            clock=self._client.clock,
            on_progress=on_progress,
        )

    def update_device_command(
        self,
        udc_in_dto: UpdateDeviceCommandInDTO,
        device_command_id: str,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> UpdateDeviceCommandOutDTO:
        """Revoke a command that is still PENDING and return it. The platform accepts only the status CANCELED.

        Raises:
            NotFoundError: no such command (100434), or there is no data of its device (100418).
            InvalidArgumentError: the platform refuses the status (100022).
            NorthApiException: the command is no longer PENDING (100435): it was sent, has ended or was revoked.

        The reference also lists 100428 and 100431, which are about the creation of a command.

        Reference: section 1.7.3.
        """
        return self._call(
            UPDATE_COMMAND,
            body=udc_in_dto,
            query={"appId": app_id},
            access_token=access_token,
            device_command_id=device_command_id,
        )

    def create_device_cmd_cancel_task(
        self,
        cdcct_in_dto: CreateDeviceCmdCancelTaskInDTO,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> CreateDeviceCmdCancelTaskOutDTO:
        """Revoke all pending commands of a device and return the task that does it.

        `wait_for_device_cmd_cancel_task` waits for its end.

        Raises:
            NotFoundError: there is no data of this device (100418).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (100022).

        Reference: section 1.7.5.
        """
        return self._call(CREATE_CANCEL_TASK, body=cdcct_in_dto, query={"appId": app_id}, access_token=access_token)

    def query_device_cmd_cancel_task(
        self, qdcct_in_dto: QueryDeviceCmdCancelTaskInDTO2 | None = None, *, access_token: str | None = None
    ) -> QueryDeviceCmdCancelTaskOutDTO2:
        """Return one page of revocation tasks with the commands that each of them revoked.

        A page has 1 to 1,000 tasks, 1,000 if no size is given. Page numbers start at 0. `iter_device_cmd_cancel_tasks`
        reads all pages. The period is that of the tasks' creation, as in `query_device_command`.

        Raises:
            NotFoundError: there is no data of this device (100418).
            InvalidArgumentError: the platform refuses the query (100022).

        Reference: section 1.7.6.
        """
        query = QueryDeviceCmdCancelTaskInDTO2() if qdcct_in_dto is None else qdcct_in_dto
        return self._call(QUERY_CANCEL_TASKS, query=query, access_token=access_token)

    def iter_device_cmd_cancel_tasks(
        self, qdcct_in_dto: QueryDeviceCmdCancelTaskInDTO2 | None = None, *, access_token: str | None = None
    ) -> Iterator[DeviceCommandCancelTaskRespV4]:
        """Yield every revocation task that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (100).

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.7.6.
        """
        return CANCEL_TASKS.walk(
            lambda page: self.query_device_cmd_cancel_task(page, access_token=access_token),
            QueryDeviceCmdCancelTaskInDTO2() if qdcct_in_dto is None else qdcct_in_dto,
        )

    def wait_for_device_cmd_cancel_task(
        self,
        task_id: str,
        *,
        timeout: float = 300.0,
        on_progress: Callable[[DeviceCommandCancelTaskRespV4], object] | None = None,
        polling: Polling = QUICK,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> DeviceCommandCancelTaskRespV4:
        """Wait until the revocation task has ended, and return it: SUCCESS, PART_SUCCESS or FAILED.

        An end is not always a success: look at `status`. `timeout` is in seconds. `on_progress` gets the task at the
        first look and after each change.

        Raises:
            WaitTimeoutError: the task has not ended in time, or was never found (1003); see `last_state`.

        Reference: section 1.7.6.
        """
        query = QueryDeviceCmdCancelTaskInDTO2(task_id=check_id("task_id", task_id), app_id=app_id)

        def look() -> DeviceCommandCancelTaskRespV4 | None:
            tasks = self.iter_device_cmd_cancel_tasks(query, access_token=access_token)
            return next((task for task in tasks if task.task_id == task_id), None)

        return wait_until(
            look,
            lambda task: has_ended(task.status, CANCEL_TASK_ENDED),
            what=f"revocation task {task_id}",
            endpoint=QUERY_CANCEL_TASKS.name,
            timeout=timeout,
            polling=polling,
            clock=self._client.clock,
            on_progress=on_progress,
        )

    def invoke_device_service(
        self,
        device_id: str,
        service_id: str,
        command_dto: CommandDTO2,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> InvokeDeviceServiceOutDTO:
        """Send a command directly to a connected device (not NB-IoT) and return whether it was sent.

        With `header.to_type` GATEWAY, the default, `status` is ``sent``; with CLOUD it is ``delivered`` or ``failed``,
        and `request_id` is None. A `request_id` can be used once.

        The device's answer arrives later as a push (commandRsp) with the same `request_id`, in both modes
        (`header.mode`). With ACK, pushes of messageConfirm also report that the command was sent, delivered and
        executed. With NOACK the device does not acknowledge.

        Raises:
            DeviceOfflineError: the device or its gateway is not online (100428, 100450).
            InvalidArgumentError: the device has no such service (100444), the service no such command (102203), a field
                breaks its rule (1007), or the platform refuses it (100022).
            NotFoundError: there is no data of this device (100418).
            NorthApiException: the command is muted on the device (100432).

        Reference: section 1.7.7.
        """
        return self._call(
            INVOKE_SERVICE,
            body=command_dto,
            query={"appId": app_id},
            access_token=access_token,
            device_id=device_id,
            service_id=service_id,
        )
