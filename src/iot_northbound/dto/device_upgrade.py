"""Version packages, and upgrades of devices (section 1.10)."""

from typing import Annotated, Any, Literal

from iot_northbound.core.fields import Items, Range, Text, TimeIn, Timestamp, Wire, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import Page


class FileType(OpenEnum):
    """What a version package contains."""

    FIRMWARE_PACKAGE = "firmwarePackage"
    SOFTWARE_PACKAGE = "softwarePackage"


FileTypeIn = FileType | Literal["firmwarePackage", "softwarePackage"]
"""A `FileType` in a request, or its text."""


class OperateType(OpenEnum):
    """What an upgrade task upgrades."""

    FIRMWARE_UPGRADE = "firmware_upgrade"
    SOFTWARE_UPGRADE = "software_upgrade"


OperateTypeIn = OperateType | Literal["firmware_upgrade", "software_upgrade"]
"""A `OperateType` in a request, or its text."""


class ExecuteType(OpenEnum):
    """When an upgrade task starts; now by default."""

    NOW = "now"
    DEVICE_ONLINE = "device_online"
    CUSTOM = "custom"


ExecuteTypeIn = ExecuteType | Literal["now", "device_online", "custom"]
"""A `ExecuteType` in a request, or its text."""


class OperationStatus(OpenEnum):
    """The state of an upgrade task; failed, success and stop are final. Platforms send FAIL too."""

    WAIT = "wait"
    PROCESSING = "processing"
    FAILED = "failed"
    SUCCESS = "success"
    STOP = "stop"


OperationStatusIn = OperationStatus | Literal["wait", "processing", "failed", "success", "stop"]
"""A `OperationStatus` in a request, or its text."""


class SubOperationStatus(OpenEnum):
    """The state of the upgrade of one device; fail, success and stop are final."""

    WAIT = "wait"
    PROCESSING = "processing"
    FAIL = "fail"
    SUCCESS = "success"
    STOP = "stop"


SubOperationStatusIn = SubOperationStatus | Literal["wait", "processing", "fail", "success", "stop"]
"""A `SubOperationStatus` in a request, or its text."""


@request
class QueryUpgradePackageListInDTO(JsonForm):
    """Which version packages to list (section 1.10.1).

    Attributes:
        file_type: only this kind; see `FileType`. Up to 256 characters.
        device_type: only packages for this device type; up to 256 characters.
        model: only packages for this model; up to 256 characters.
        manufacturer_name: only packages for this manufacturer; up to 256 characters.
        version: only this version; up to 256 characters.
        page_no: the page, from 0.
        page_size: packages per page, 1 to 100; 10 by default.
    """

    file_type: Annotated[FileTypeIn | None, Text.up_to(256)] = None
    device_type: Annotated[str | None, Text.up_to(256)] = None
    model: Annotated[str | None, Text.up_to(256)] = None
    manufacturer_name: Annotated[str | None, Text.up_to(256)] = None
    version: Annotated[str | None, Text.up_to(256)] = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1, 100)] = None


@response
class QueryUpgradePackageOutDTO(Received, JsonForm):
    """A version package (sections 1.10.1 and 1.10.2).

    Attributes:
        file_id: the package's id.
        name: its name.
        version: its version.
        file_type: firmware or software.
        device_type: its device type.
        model: its model.
        manufacturer_name: its manufacturer.
        protocol_type: the protocol of its devices.
        description: its description.
        date: the day it was made, year-month-day.
        upload_time: when it was uploaded, UTC.
    """

    file_id: str | None = None
    name: str | None = None
    version: str | None = None
    file_type: FileType | None = None
    device_type: str | None = None
    model: str | None = None
    manufacturer_name: str | None = None
    protocol_type: str | None = None
    description: str | None = None
    date: str | None = None
    upload_time: Timestamp | None = None


@response
class QueryUpgradePackageListOutDTO(Page):
    """A page of version packages (section 1.10.1).

    Attributes:
        data: the page's packages.
    """

    data: list[QueryUpgradePackageOutDTO] | None = None


@request
class OperateDevices(Received, JsonForm):
    """The devices to upgrade: groups or devices, not both (sections 1.10.4 to 1.10.8).

    Attributes:
        device_groups: names of groups, at most 256.
        device_type: the groups' device type, needed with groups; up to 256 characters.
        model: the groups' model, needed with groups; up to 256 characters.
        manufacturer_name: the groups' manufacturer, needed with groups; up to 256 characters.
        devices: ids of devices, at most 256.
    """

    device_groups: Annotated[list[str] | None, Items(0, 256)] = None
    device_type: Annotated[str | None, Text.up_to(256)] = None
    model: Annotated[str | None, Text.up_to(256)] = None
    manufacturer_name: Annotated[str | None, Text.up_to(256)] = None
    devices: Annotated[list[str] | None, Items(0, 256)] = None


@request
class OperatePolicy(Received, JsonForm):
    """When to upgrade, and whether to try again (sections 1.10.4 to 1.10.8).

    Attributes:
        execute_type: when to start; see `ExecuteType`.
        start_time: when the task starts, not in the past; needed if `execute_type` is custom.
        end_time: when it ends, more than five minutes after `start_time`; needed if `execute_type` is custom.
        retry_type: whether the platform tries again after a failure; false by default.
        retry_times: how often, 1 to 5; needed if `retry_type` is True.
    """

    execute_type: ExecuteTypeIn
    start_time: TimeIn | None = None
    end_time: TimeIn | None = None
    retry_type: bool | None = None
    retry_times: Annotated[int | None, Range(1, 5)] = None


@request
class CreateUpgradeTaskInDTO(JsonForm):
    """An upgrade to start (sections 1.10.4 and 1.10.5).

    Attributes:
        file_id: the version package to install.
        targets: the devices to upgrade.
        policy: when to upgrade, and whether to try again; by default at once.
    """

    file_id: str
    targets: OperateDevices
    policy: OperatePolicy | None = None


@response
class CreateUpgradeTaskOutDTO(Received, JsonForm):
    """A new upgrade task (sections 1.10.4 and 1.10.5).

    Attributes:
        operation_id: the task's id.
    """

    operation_id: str


@response
class OperationStaResult(Received, JsonForm):
    """How many devices of an upgrade task have each state (sections 1.10.6 and 1.10.8).

    Attributes:
        total: all devices of the task.
        wait: devices that wait.
        processing: devices that are being upgraded.
        success: upgraded devices.
        fail: devices whose upgrade has failed.
        stop: devices whose upgrade was stopped.
        timeout: devices whose upgrade took too long.
        file_version: the new version.
    """

    total: int | None = None
    wait: int | None = None
    processing: int | None = None
    success: int | None = None
    fail: int | None = None
    stop: int | None = None
    timeout: int | None = None
    file_version: str | None = None


@response
class OperationInfo(Received, JsonForm):
    """An upgrade task in a list (section 1.10.8).

    Attributes:
        operation_id: the task's id.
        create_time: when it was created, UTC.
        start_time: when it started, UTC.
        stop_time: when it stopped, UTC.
        operate_type: firmware or software.
        targets: the devices it upgrades.
        policy: when it upgrades, and whether it tries again.
        status: its state.
        sta_result: how many devices have each state.
        extend_para: more information, depending on the type of task; JSON, or JSON as text.
    """

    operation_id: str | None = None
    create_time: Timestamp | None = None
    start_time: Timestamp | None = None
    stop_time: Timestamp | None = None
    operate_type: OperateType | None = None
    targets: OperateDevices | None = None
    policy: OperatePolicy | None = None
    status: OperationStatus | None = None
    sta_result: OperationStaResult | None = None
    extend_para: Any = None


@response
class QueryUpgradeTaskOutDTO(OperationInfo):
    """An upgrade task (section 1.10.6)."""


@request
class QueryUpgradeSubTaskInDTO(JsonForm):
    """Which devices of an upgrade task to list (section 1.10.7).

    Attributes:
        sub_operation_status: only this status; see `SubOperationStatus`.
        page_no: the page, from 0.
        page_size: devices per page, 1 to 100; 10 by default.
    """

    sub_operation_status: SubOperationStatusIn | None = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1, 100)] = None


@response
class SubOperationInfo(Received, JsonForm):
    """The upgrade of one device (section 1.10.7).

    Attributes:
        sub_operation_id: the subtask's id.
        create_time: when it was created, UTC.
        start_time: when it started, UTC.
        stop_time: when it stopped, UTC.
        operate_type: firmware or software.
        device_id: the device.
        status: its state.
        detail_info: more about the status; the cause of a failure.
        extend_info: more information, depending on the type of task; JSON, or JSON as text. extendPara is also read.
    """

    sub_operation_id: str | None = None
    create_time: Timestamp | None = None
    start_time: Timestamp | None = None
    stop_time: Timestamp | None = None
    operate_type: OperateType | None = None
    device_id: str | None = None
    status: SubOperationStatus | None = None
    detail_info: str | None = None
    extend_info: Annotated[Any, Wire("extendInfo", also=("extendPara",))] = None


@response
class QueryUpgradeSubTaskOutDTO(Page):
    """A page of an upgrade task's devices (section 1.10.7).

    Attributes:
        data: the page's devices; the key date of the reference's example is also read.
    """

    data: Annotated[list[SubOperationInfo] | None, Wire("data", also=("date",))] = None


@request
class QueryUpgradeTaskListInDTO(JsonForm):
    """Which upgrade tasks to list (section 1.10.8).

    Attributes:
        operation_type: only this kind; see `OperateType`. Up to 256 characters.
        operation_status: only this status; see `OperationStatus`. Up to 256 characters.
        device_type: only tasks for this device type; up to 256 characters.
        model: only tasks for this model; up to 256 characters.
        manufacturer_name: only tasks for this manufacturer; up to 256 characters.
        device_id: only tasks for this device; up to 256 characters.
        page_no: the page, from 0.
        page_size: tasks per page, 1 to 100; 10 by default.
    """

    operation_type: Annotated[OperateTypeIn | None, Text.up_to(256)] = None
    operation_status: Annotated[OperationStatusIn | None, Text.up_to(256)] = None
    device_type: Annotated[str | None, Text.up_to(256)] = None
    model: Annotated[str | None, Text.up_to(256)] = None
    manufacturer_name: Annotated[str | None, Text.up_to(256)] = None
    device_id: Annotated[str | None, Text.up_to(256)] = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1, 100)] = None


@response
class QueryUpgradeTaskListOutDTO(Page):
    """A page of upgrade tasks (section 1.10.8).

    Attributes:
        data: the page's tasks.
    """

    data: list[OperationInfo] | None = None


__all__ = [
    "CreateUpgradeTaskInDTO",
    "CreateUpgradeTaskOutDTO",
    "ExecuteType",
    "ExecuteTypeIn",
    "FileType",
    "FileTypeIn",
    "OperateDevices",
    "OperatePolicy",
    "OperateType",
    "OperateTypeIn",
    "OperationInfo",
    "OperationStaResult",
    "OperationStatus",
    "OperationStatusIn",
    "QueryUpgradePackageListInDTO",
    "QueryUpgradePackageListOutDTO",
    "QueryUpgradePackageOutDTO",
    "QueryUpgradeSubTaskInDTO",
    "QueryUpgradeSubTaskOutDTO",
    "QueryUpgradeTaskListInDTO",
    "QueryUpgradeTaskListOutDTO",
    "QueryUpgradeTaskOutDTO",
    "SubOperationInfo",
    "SubOperationStatus",
    "SubOperationStatusIn",
]
