"""Commands to devices, and calls of their services (section 1.7)."""

from typing import Annotated, Literal

from iot_northbound.core.fields import JsonObject, Range, Text, TimeIn, Timestamp, Wire, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import CommandDTOV4, Pagination


class CommandStatus(OpenEnum):
    """The state of a command; EXPIRED, SUCCESSFUL, FAILED, TIMEOUT and CANCELED are final."""

    DEFAULT = "DEFAULT"
    PENDING = "PENDING"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    EXPIRED = "EXPIRED"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CANCELED = "CANCELED"


class CancelTaskStatus(OpenEnum):
    """The state of a cancel task; SUCCESS, FAILED and PART_SUCCESS are final."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    PART_SUCCESS = "PART_SUCCESS"


CancelTaskStatusIn = CancelTaskStatus | Literal["WAITING", "RUNNING", "SUCCESS", "FAILED", "PART_SUCCESS"]
"""A `CancelTaskStatus` in a request, or its text."""


class CommandMode(OpenEnum):
    """Whether the recipient of a service call acknowledges it. It answers in both cases."""

    NOACK = "NOACK"
    ACK = "ACK"


CommandModeIn = CommandMode | Literal["NOACK", "ACK"]
"""A `CommandMode` in a request, or its text."""


class ToType(OpenEnum):
    """The recipient of a service call."""

    CLOUD = "CLOUD"
    GATEWAY = "GATEWAY"


ToTypeIn = ToType | Literal["CLOUD", "GATEWAY"]
"""A `ToType` in a request, or its text."""


class InvokeStatus(OpenEnum):
    """The result of a service call; delivered and failed only if the recipient is CLOUD."""

    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


@request
class PostDeviceCommandInDTO2(JsonForm):
    """A command to deliver (section 1.7.1).

    Attributes:
        device_id: the device; up to 64 characters.
        command: the command.
        callback_url: the URL to which changes of its status are pushed; up to 1,024 characters.
        expire_time: seconds until it expires undelivered; 0 sends it at once, without a cache; 172,800 by default.
        max_retransmit: how often it is repeated, 0 to 3.
    """

    device_id: Annotated[str, Text.up_to(64)]
    command: CommandDTOV4
    callback_url: Annotated[str | None, Text.up_to(1024)] = None
    expire_time: Annotated[int | None, Range(0)] = None
    max_retransmit: Annotated[int | None, Range(0, 3)] = None


@response
class _Command(Received, JsonForm):
    """The fields of a command in every answer.

    Attributes:
        command_id: the command's id.
        app_id: the application that owns the device.
        device_id: the device.
        command: the command.
        callback_url: the URL to which changes of its status are pushed.
        expire_time: seconds until it expires undelivered.
        status: its state.
        creation_time: when it was created, UTC.
        execute_time: when it was executed, UTC.
        platform_issued_time: when the platform sent it, UTC.
        delivered_time: when it reached the device, UTC.
        issued_times: how often the platform sent it.
        max_retransmit: how often it may be repeated.
    """

    command_id: str | None = None
    app_id: str | None = None
    device_id: str | None = None
    command: CommandDTOV4 | None = None
    callback_url: str | None = None
    expire_time: int | None = None
    status: CommandStatus | None = None
    creation_time: Timestamp | None = None
    execute_time: Timestamp | None = None
    platform_issued_time: Timestamp | None = None
    delivered_time: Timestamp | None = None
    issued_times: int | None = None
    max_retransmit: int | None = None


@response
class PostDeviceCommandOutDTO2(_Command):
    """A new command (section 1.7.1)."""

    command_id: str


@request
class QueryDeviceCommandInDTO2(JsonForm):
    """Which commands to list (section 1.7.2).

    Attributes:
        page_no: the page, from 0.
        page_size: commands per page, 1 to 1,000; 1,000 by default.
        device_id: only commands to this device; up to 64 characters.
        start_time: only commands created at this time or later.
        end_time: only commands created at this time or before; not before `start_time`.
        app_id: another application that granted access; by default the client's own.
    """

    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1, 1000)] = None
    device_id: Annotated[str | None, Text.up_to(64)] = None
    start_time: TimeIn | None = None
    end_time: TimeIn | None = None
    app_id: str | None = None


@response
class DeviceCommandRespV4(_Command):
    """A command (sections 1.7.2, 1.7.5 and 1.7.6).

    Attributes:
        result: the device's answer.
    """

    result: JsonObject | None = None


@response
class QueryDeviceCommandOutDTO2(Received, JsonForm):
    """A page of commands (section 1.7.2).

    Attributes:
        pagination: number, size and total of the page.
        data: the page's commands.
    """

    pagination: Pagination | None = None
    data: list[DeviceCommandRespV4] | None = None


@request
class UpdateDeviceCommandInDTO(JsonForm):
    """The new status of a command (section 1.7.3).

    Attributes:
        status: CANCELED, which revokes the command; see `CommandStatus`.
    """

    status: CommandStatus | Literal["CANCELED"]


@response
class UpdateDeviceCommandOutDTO(DeviceCommandRespV4):
    """A changed command (section 1.7.3)."""


@request
class CreateDeviceCmdCancelTaskInDTO(JsonForm):
    """The device whose commands to revoke (section 1.7.5).

    Attributes:
        device_id: the device; all its commands are revoked; 1 to 64 characters.
    """

    device_id: Annotated[str, Text(1, 64)]


@response
class DeviceCommandCancelTaskRespV4(Received, JsonForm):
    """A cancel task (section 1.7.6).

    Attributes:
        task_id: the task's id.
        app_id: the application it belongs to.
        device_id: the device whose commands it revokes.
        status: its state.
        total_count: the number of commands that it revokes.
        device_commands: these commands.
    """

    task_id: str | None = None
    app_id: str | None = None
    device_id: str | None = None
    status: CancelTaskStatus | None = None
    total_count: int | None = None
    device_commands: list[DeviceCommandRespV4] | None = None


@response
class CreateDeviceCmdCancelTaskOutDTO(DeviceCommandCancelTaskRespV4):
    """A new cancel task (section 1.7.5)."""

    task_id: str


@request
class QueryDeviceCmdCancelTaskInDTO2(JsonForm):
    """Which cancel tasks to list (section 1.7.6).

    Attributes:
        page_no: the page, from 0.
        page_size: tasks per page, 1 to 1,000; 1,000 by default.
        task_id: only this task.
        device_id: only tasks for this device.
        status: only tasks with this status; see `CancelTaskStatus`.
        start_time: only tasks created at this time or later.
        end_time: only tasks created at this time or before; not before `start_time`.
        app_id: another application that granted access; by default the client's own.
    """

    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1, 1000)] = None
    task_id: str | None = None
    device_id: str | None = None
    status: CancelTaskStatusIn | None = None
    start_time: TimeIn | None = None
    end_time: TimeIn | None = None
    app_id: str | None = None


@response
class QueryDeviceCmdCancelTaskOutDTO2(Received, JsonForm):
    """A page of cancel tasks (section 1.7.6).

    Attributes:
        pagination: number, size and total of the page.
        data: the page's tasks.
    """

    pagination: Pagination | None = None
    data: list[DeviceCommandCancelTaskRespV4] | None = None


@request
class CommandNA2CloudHeader(JsonForm):
    """The sender, the recipient and the command of a service call (section 1.7.7).

    Attributes:
        request_id: the id of the call, which can be used once; up to 128 characters. By default the platform makes one.
        mode: whether the recipient acknowledges; see `CommandMode`.
        from_: the caller's address, for example /users/{userId} or /{serviceName}; up to 128 characters.
        to_type: the kind of recipient; see `ToType`. GATEWAY by default.
        to: the recipient's address; up to 128 characters.
        method: the command, for example DISCOVERY or REMOVE; 1 to 32 characters.
        callback_url: the URL to which each status of the call is pushed; up to 1,024 characters.
    """

    request_id: Annotated[str | None, Text.up_to(128)] = None
    mode: CommandModeIn
    from_: Annotated[str | None, Text.up_to(128)] = None
    to_type: ToTypeIn | None = None
    to: Annotated[str | None, Text.up_to(128)] = None
    method: Annotated[Literal["DISCOVERY", "REMOVE"] | str, Text(1, 32)]
    callback_url: Annotated[str | None, Text.up_to(1024), Wire("callbackURL")] = None


@request
class CommandDTO2(JsonForm):
    """A call of a device's service (section 1.7.7).

    Attributes:
        header: the sender, the recipient and the command.
        body: the parameter names of the profile and their values.
    """

    header: CommandNA2CloudHeader
    body: JsonObject | None = None


@response
class InvokeDeviceServiceOutDTO(Received, JsonForm):
    """The result of a service call (section 1.7.7).

    Attributes:
        status: sent, delivered or failed.
        timestamp: when it was sent, UTC.
        request_id: the id of the call; the platform's own if the request had none; None if the recipient is CLOUD.
    """

    status: InvokeStatus | None = None
    timestamp: Annotated[Timestamp | None, Wire("timestamp", also=("timeStamp",))] = None
    request_id: str | None = None


__all__ = [
    "CancelTaskStatus",
    "CancelTaskStatusIn",
    "CommandDTO2",
    "CommandMode",
    "CommandModeIn",
    "CommandNA2CloudHeader",
    "CommandStatus",
    "CreateDeviceCmdCancelTaskInDTO",
    "CreateDeviceCmdCancelTaskOutDTO",
    "DeviceCommandCancelTaskRespV4",
    "DeviceCommandRespV4",
    "InvokeDeviceServiceOutDTO",
    "InvokeStatus",
    "PostDeviceCommandInDTO2",
    "PostDeviceCommandOutDTO2",
    "QueryDeviceCmdCancelTaskInDTO2",
    "QueryDeviceCmdCancelTaskOutDTO2",
    "QueryDeviceCommandInDTO2",
    "QueryDeviceCommandOutDTO2",
    "ToType",
    "ToTypeIn",
    "UpdateDeviceCommandInDTO",
    "UpdateDeviceCommandOutDTO",
]
