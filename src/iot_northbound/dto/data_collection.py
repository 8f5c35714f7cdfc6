"""Reading devices, their histories and capabilities (section 1.5)."""

from typing import Annotated, Any, Literal

from iot_northbound.core.fields import JsonObject, Range, TimeIn, Timestamp, Wire, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import DeviceService, DeviceStatusIn, KnownDevice, NodeTypeIn, Page, SelectIn


class Sort(OpenEnum):
    """The order of a device list by the time of registration; DESC by default."""

    ASC = "ASC"
    DESC = "DESC"


SortIn = Sort | Literal["ASC", "DESC"]
"""A `Sort` in a request, or its text."""


@response
class AlarmInfoDTO(Received, JsonForm):
    """A device's alarm (sections 1.5.1 and 1.5.2).

    Attributes:
        alarm_severity: how severe it is.
        alarm_status: whether it is on.
        alarm_time: when it was reported, UTC.
    """

    alarm_severity: str | None = None
    alarm_status: bool | None = None
    alarm_time: Timestamp | None = None


@response
class QuerySingleDeviceInfoOutDTO(KnownDevice):
    """A device as the platform knows it (sections 1.5.1 and 1.5.2).

    Attributes:
        services: its services with their latest data.
        alarm_info: its alarm.
        connection_info: how it is connected; only some platforms send it.
        dev_group_ids: the groups it is in; only some platforms send it.
        location: where it is; some platforms send it here too.
    """

    services: list[DeviceService] | None = None
    alarm_info: AlarmInfoDTO | None = None
    connection_info: Any = None
    dev_group_ids: list[str] | None = None
    location: Any = None


@request
class QueryBatchDevicesInfoInDTO(JsonForm):
    """Which devices to list (section 1.5.2). The platform needs `gateway_id` or `page_no`.

    Attributes:
        app_id: another application that granted access; by default the client's own.
        gateway_id: only devices of this gateway.
        node_type: only this kind; see `NodeType`.
        device_type: only this type.
        page_no: the page, from 0.
        page_size: devices per page, 1 to 250.
        status: only devices with this status; see `DeviceStatus`.
        start_time: only devices registered after it.
        end_time: only devices registered before it.
        sort: the order by registration; see `Sort`.
        select: what to return in addition; see `Select`.
        location: only devices at this location.
        name: only devices with this name.
    """

    app_id: str | None = None
    gateway_id: str | None = None
    node_type: NodeTypeIn | None = None
    device_type: str | None = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1, 250)] = None
    status: DeviceStatusIn | None = None
    start_time: TimeIn | None = None
    end_time: TimeIn | None = None
    sort: SortIn | None = None
    select: SelectIn | None = None
    location: str | None = None
    name: str | None = None


@response
class QueryBatchDevicesInfoOutDTO(Page):
    """A page of devices (section 1.5.2).

    Attributes:
        devices: the page's devices.
    """

    devices: list[QuerySingleDeviceInfoOutDTO] | None = None


@request
class _HistoryQuery(JsonForm):
    """Which part of a device's history to read.

    Attributes:
        app_id: another application that granted access; by default the client's own.
        device_id: the device.
        gateway_id: its gateway; the device's own id if it is connected directly.
        service_id: only this service.
        property: only this property.
        page_no: the page, from 0.
        start_time: only records made after it.
        end_time: only records made before it.
    """

    app_id: str | None = None
    device_id: str
    gateway_id: str
    service_id: str | None = None
    property: str | None = None
    page_no: Annotated[int | None, Range(0)] = None
    start_time: TimeIn | None = None
    end_time: TimeIn | None = None


@response
class _HistoryRecord(Received, JsonForm):
    """One record of a device's history.

    Attributes:
        service_id: its service.
        device_id: the device.
        gateway_id: its gateway; its own id if it is connected directly.
        app_id: the application that owns the device.
        timestamp: when it was made, UTC.
    """

    service_id: str | None = None
    device_id: str | None = None
    gateway_id: str | None = None
    app_id: str | None = None
    timestamp: Timestamp | None = None


@request
class QueryDeviceDataHistoryInDTO(_HistoryQuery):
    """Which reported data to read (section 1.5.3).

    Attributes:
        page_size: records per page, at most 2,000 and 16 MB; 1 by default.
    """

    page_size: Annotated[int | None, Range(high=2000)] = None


@response
class DeviceDataHistoryDTO(_HistoryRecord):
    """One report of a device (section 1.5.3).

    Attributes:
        data: property names and values.
    """

    data: JsonObject | None = None


@response
class QueryDeviceDataHistoryOutDTO(Page):
    """A page of reported data; its size is 0 if nothing matches (section 1.5.3).

    Attributes:
        device_data_history_dtos: the page's records.
    """

    device_data_history_dtos: Annotated[list[DeviceDataHistoryDTO] | None, Wire("deviceDataHistoryDTOs")] = None


@request
class QueryDeviceDesiredHistoryInDTO(_HistoryQuery):
    """Which desired values of a device to read (section 1.5.4).

    Attributes:
        page_size: records per page, 1 to 250.
    """

    page_size: Annotated[int | None, Range(1, 250)] = None


@response
class DeviceDesiredHistoryDTO(_HistoryRecord):
    """Desired values of a device at one time (section 1.5.4).

    Attributes:
        desired: property names and their desired values.
    """

    desired: JsonObject | None = None


@response
class QueryDeviceDesiredHistoryOutDTO(Page):
    """A page of the history of desired values (section 1.5.4).

    Attributes:
        device_desired_history_dto: the page's records; both keys of platforms are read.
    """

    device_desired_history_dto: Annotated[
        list[DeviceDesiredHistoryDTO] | None, Wire("DeviceDesiredHistoryDTO", also=("deviceDesiredHistory",))
    ] = None


__all__ = [
    "AlarmInfoDTO",
    "DeviceDataHistoryDTO",
    "DeviceDesiredHistoryDTO",
    "QueryBatchDevicesInfoInDTO",
    "QueryBatchDevicesInfoOutDTO",
    "QueryDeviceDataHistoryInDTO",
    "QueryDeviceDataHistoryOutDTO",
    "QueryDeviceDesiredHistoryInDTO",
    "QueryDeviceDesiredHistoryOutDTO",
    "QuerySingleDeviceInfoOutDTO",
    "Sort",
    "SortIn",
]
