"""Batch tasks (section 1.8)."""

from typing import Annotated, Any, Literal

from iot_northbound.core.fields import JsonObject, Range, Text, Timestamp, Wire, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import CommandDTO, Page, TagDTO2


class BatchTaskType(OpenEnum):
    """What a batch task does."""

    DEVICE_CMD = "DeviceCmd"


BatchTaskTypeIn = BatchTaskType | Literal["DeviceCmd"]
"""A `BatchTaskType` in a request, or its text."""


class BatchTargetType(OpenEnum):
    """How a batch task chooses its devices."""

    DEVICE_LIST = "DeviceList"
    DEVICE_TYPE = "DeviceType"
    DEVICE_AREA = "DeviceArea"
    GROUP_LIST = "GroupList"
    BROADCAST = "Broadcast"
    GROUP_ID_LIST = "GroupIdList"


BatchTargetTypeIn = (
    BatchTargetType
    | Literal[
        "DeviceList",
        "DeviceType",
        "DeviceArea",
        "GroupList",
        "Broadcast",
        "GroupIdList",
    ]
)
"""A `BatchTargetType` in a request, or its text."""


class BatchTaskStatus(OpenEnum):
    """The state of a batch task; Complete and Timeout are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETE = "Complete"
    TIMEOUT = "Timeout"


class TaskDetailStatus(OpenEnum):
    """The state of a batch task for one device; Success, Fail and Timeout are final."""

    PENDING = "Pending"
    WAIT_RESULT = "WaitResult"
    SUCCESS = "Success"
    FAIL = "Fail"
    TIMEOUT = "Timeout"


TaskDetailStatusIn = TaskDetailStatus | Literal["Pending", "WaitResult", "Success", "Fail", "Timeout"]
"""A `TaskDetailStatus` in a request, or its text."""


class TaskFrom(OpenEnum):
    """Where a batch task was created."""

    PORTAL = "Portal"
    NORTHBOUND = "Northbound"


@request
class DeviceCmdParam(JsonForm):
    """The typed parameters of a DeviceCmd task: the devices and the command (section 1.8.1).

    Attributes:
        type: how the devices are chosen; see `BatchTargetType`.
        device_list: the devices; needed if `type` is DeviceList.
        device_type: their type; needed if `type` is DeviceType.
        manufacturer_id: their manufacturer; needed if `type` is DeviceType.
        model: their model; needed if `type` is DeviceType.
        device_location: where they are; needed if `type` is DeviceArea.
        group_list: the groups' names, needed if `type` is GroupList, or ids, needed if it is GroupIdList.
        command: the command.
        callback_url: the URL to which the results are pushed.
        max_retransmit: how often the command is repeated, 0 to 3.
        group_tag: the group's tag.
    """

    type: BatchTargetTypeIn
    device_list: list[str] | None = None
    device_type: str | None = None
    manufacturer_id: str | None = None
    model: str | None = None
    device_location: str | None = None
    group_list: list[str] | None = None
    command: CommandDTO
    callback_url: str | None = None
    max_retransmit: Annotated[int | None, Range(0, 3)] = None
    group_tag: str | None = None


@request
class BatchTaskCreateInDTO2(JsonForm):
    """A batch task to create (section 1.8.1).

    Attributes:
        app_id: the application that owns the devices; up to 64 characters.
        timeout: minutes until the task ends, 10 to 2,880.
        task_name: unique in the application; up to 256 characters.
        task_type: what the task does; see `BatchTaskType`.
        param: the parameters of the task: a `DeviceCmdParam`, or the same as free JSON.
        tags: the task's tags.
    """

    app_id: Annotated[str, Text.up_to(64)]
    timeout: Annotated[int, Range(10, 2880)]
    task_name: Annotated[str, Text.up_to(256)]
    task_type: BatchTaskTypeIn
    param: DeviceCmdParam | JsonObject
    tags: list[TagDTO2] | None = None


@response
class BatchTaskCreateOutDTO(Received, JsonForm):
    """A new batch task (section 1.8.1).

    Attributes:
        task_id: the task's id; both spellings of platforms are read.
    """

    task_id: Annotated[str, Wire("taskID", also=("taskId",))]


@response
class QueryOneTaskOutDTO(Received, JsonForm):
    """A batch task (section 1.8.2).

    Attributes:
        app_id: the application it belongs to.
        task_id: the task's id.
        task_name: its name.
        operator: the user who created it.
        task_from: where it was created.
        task_type: what it does.
        status: its state.
        start_time: when it was created, UTC.
        timeout: seconds until it ends.
        progress: its progress in thousandths, rounded down.
        total_cnt: the number of its devices.
        success_cnt: the number of devices for which it succeeded.
        fail_cnt: the number of devices for which it failed.
        timeout_cnt: the number of devices that got the command and did not answer in time.
        expired_cnt: the number of devices that the command did not reach before it expired.
        complete_cnt: the number of devices for which it has ended, with or without success.
        success_rate: the part of successes in thousandths, rounded down.
        param: its parameters as they were given.
        tags: its tags; only if the query selects them.
    """

    app_id: str | None = None
    task_id: str | None = None
    task_name: str | None = None
    operator: str | None = None
    task_from: TaskFrom | None = None
    task_type: BatchTaskType | None = None
    status: BatchTaskStatus | None = None
    start_time: Timestamp | None = None
    timeout: int | None = None
    progress: int | None = None
    total_cnt: int | None = None
    success_cnt: int | None = None
    fail_cnt: int | None = None
    timeout_cnt: int | None = None
    expired_cnt: int | None = None
    complete_cnt: int | None = None
    success_rate: int | None = None
    param: JsonObject | None = None
    tags: list[TagDTO2] | None = None


@request
class QueryTaskDetailsInDTO(JsonForm):
    """Which subtasks of a batch task to list (section 1.8.3).

    Attributes:
        app_id: another application that granted access; by default the client's own.
        task_id: the task.
        status: only devices with this status; see `TaskDetailStatus`.
        device_id: only this device.
        command_id: only this command.
        page_no: the page, from 0.
        page_size: subtasks per page, 1 to 250; 25 by default.
    """

    app_id: str | None = None
    task_id: str
    status: TaskDetailStatusIn | None = None
    device_id: str | None = None
    command_id: str | None = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1, 250)] = None


@response
class QueryTaskDetailDTOCloud2NA(Received, JsonForm):
    """The result of a batch task for one device (section 1.8.3).

    Attributes:
        status: its state.
        output: the output, usually JSON as text.
        error: what went wrong: an error_code and an error_desc, as JSON text or as an object.
        param: deviceId and commandId.
    """

    status: TaskDetailStatus | None = None
    output: Any = None
    error: Any = None
    param: JsonObject | None = None


@response
class QueryTaskDetailsOutDTO(Page):
    """A page of a batch task's subtasks (section 1.8.3).

    Attributes:
        task_details: the page's subtasks.
    """

    task_details: list[QueryTaskDetailDTOCloud2NA] | None = None


__all__ = [
    "BatchTargetType",
    "BatchTargetTypeIn",
    "BatchTaskCreateInDTO2",
    "BatchTaskCreateOutDTO",
    "BatchTaskStatus",
    "BatchTaskType",
    "BatchTaskTypeIn",
    "DeviceCmdParam",
    "QueryOneTaskOutDTO",
    "QueryTaskDetailDTOCloud2NA",
    "QueryTaskDetailsInDTO",
    "QueryTaskDetailsOutDTO",
    "TaskDetailStatus",
    "TaskDetailStatusIn",
    "TaskFrom",
]
