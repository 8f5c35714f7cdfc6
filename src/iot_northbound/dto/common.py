"""Classes that several services share: devices, services, commands, tags, pages, and their enumerations."""

from typing import Annotated, Literal

from iot_northbound.core.fields import JsonObject, Text, Timestamp, Wire, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received


class NodeType(OpenEnum):
    """What kind of device it is: an endpoint, a gateway, or unknown."""

    ENDPOINT = "ENDPOINT"
    GATEWAY = "GATEWAY"
    UNKNOWN = "UNKNOWN"


NodeTypeIn = NodeType | Literal["ENDPOINT", "GATEWAY", "UNKNOWN"]
"""A `NodeType` in a request, or its text."""


class DeviceStatus(OpenEnum):
    """Whether a device is online.

    INACTIVE until its first connection; ABNORMAL after 25 hours of silence and OFFLINE after 49, by default.
    """

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    INACTIVE = "INACTIVE"
    ABNORMAL = "ABNORMAL"


DeviceStatusIn = DeviceStatus | Literal["ONLINE", "OFFLINE", "INACTIVE", "ABNORMAL"]
"""A `DeviceStatus` in a request, or its text."""


class StatusDetail(OpenEnum):
    """Why a device has its status; only for information."""

    NONE = "NONE"
    CONFIGURATION_PENDING = "CONFIGURATION_PENDING"
    UE_REACHABILITY = "UE_REACHABILITY"
    AVAILABILITY_AFTER_DDN_FAILURE = "AVAILABILITY_AFTER_DDN_FAILURE"
    COMMUNICATION_ERROR = "COMMUNICATION_ERROR"
    CONFIGURATION_ERROR = "CONFIGURATION_ERROR"
    BRIDGE_OFFLINE = "BRIDGE_OFFLINE"
    FIRMWARE_UPDATING = "FIRMWARE_UPDATING"
    DUTY_CYCLE = "DUTY_CYCLE"
    NOT_ACTIVE = "NOT_ACTIVE"
    LOSS_OF_CONNECTIVITY = "LOSS_OF_CONNECTIVITY"
    TIME_OUT = "TIME_OUT"


class TextFlag(OpenEnum):
    """True or false as the platform's text."""

    TRUE = "TRUE"
    FALSE = "FALSE"


TextFlagIn = TextFlag | Literal["TRUE", "FALSE"]
"""A `TextFlag` in a request, or its text."""


class Select(OpenEnum):
    """What a device query returns in addition."""

    IMSI = "IMSI"


SelectIn = Select | Literal["IMSI"]
"""A `Select` in a request, or its text."""


ProtocolType = Literal["CoAP", "LWM2M", "MQTT"] | str
"""The protocol of a device: one that the reference names, or another one of its profile."""


class NotifyType(OpenEnum):
    """The types of notifications that an application can subscribe to (sections 1.6.1 and 1.6.2)."""

    BIND_DEVICE = "bindDevice"
    DEVICE_ADDED = "deviceAdded"
    DEVICE_INFO_CHANGED = "deviceInfoChanged"
    DEVICE_DATA_CHANGED = "deviceDataChanged"
    DEVICE_DATAS_CHANGED = "deviceDatasChanged"
    DEVICE_CAPABILITIES_CHANGED = "deviceCapabilitiesChanged"
    DEVICE_CAPABILITIES_ADDED = "deviceCapabilitiesAdded"
    DEVICE_CAPABILITIES_DELETED = "deviceCapabilitiesDeleted"
    DEVICE_DELETED = "deviceDeleted"
    DEVICE_EVENT = "deviceEvent"
    MESSAGE_CONFIRM = "messageConfirm"
    COMMAND_RSP = "commandRsp"
    RULE_EVENT = "ruleEvent"
    SERVICE_INFO_CHANGED = "serviceInfoChanged"
    DEVICE_MODEL_ADDED = "deviceModelAdded"
    DEVICE_MODEL_DELETED = "deviceModelDeleted"
    DEVICE_DESIRED_PROPERTIES_MODIFY_STATUS_CHANGED = "deviceDesiredPropertiesModifyStatusChanged"
    SW_UPGRADE_STATE_CHANGE_NOTIFY = "swUpgradeStateChangeNotify"
    SW_UPGRADE_RESULT_NOTIFY = "swUpgradeResultNotify"
    FW_UPGRADE_STATE_CHANGE_NOTIFY = "fwUpgradeStateChangeNotify"
    FW_UPGRADE_RESULT_NOTIFY = "fwUpgradeResultNotify"


NotifyTypeIn = (
    NotifyType
    | Literal[
        "bindDevice",
        "deviceAdded",
        "deviceInfoChanged",
        "deviceDataChanged",
        "deviceDatasChanged",
        "deviceCapabilitiesChanged",
        "deviceCapabilitiesAdded",
        "deviceCapabilitiesDeleted",
        "deviceDeleted",
        "deviceEvent",
        "messageConfirm",
        "commandRsp",
        "ruleEvent",
        "serviceInfoChanged",
        "deviceModelAdded",
        "deviceModelDeleted",
        "deviceDesiredPropertiesModifyStatusChanged",
        "swUpgradeStateChangeNotify",
        "swUpgradeResultNotify",
        "fwUpgradeStateChangeNotify",
        "fwUpgradeResultNotify",
    ]
)
"""A `NotifyType` in a request, or its text."""


@response
class DeviceInfo(Received, JsonForm):
    """What the platform knows about a device (sections 1.4.9, 1.5.1, 1.5.2 and the device notifications).

    Attributes:
        node_id: the id that the device itself reports, for example its IMEI, MAC address or serial number.
        name: the device's name.
        description: free text about the device.
        manufacturer_id: the manufacturer's id, as in the profile.
        manufacturer_name: the manufacturer's name, as in the profile.
        mac: the MAC address.
        location: where the device is.
        device_type: the type in upper camel case, as in the profile.
        model: the model, as in the profile.
        sw_version: the software's version.
        fw_version: the firmware's version.
        hw_version: the hardware's version.
        protocol_type: the protocol of the device, for example CoAP, LWM2M or MQTT.
        bridge_id: the bridge of the device.
        status: whether the device is online.
        status_detail: why it has this status.
        mute: TRUE if the device is frozen; then its reports are neither managed nor stored.
        supported_security: TRUE if the device can be used in secure mode.
        is_security: TRUE if secure mode is on.
        signal_strength: the strength of the radio signal, as text.
        sig_version: the SIG version.
        serial_number: the serial number.
        battery_level: the level of the battery, as text.
        imsi: the IMSI of the SIM; only if the query selects it.
        radius_ip: the RADIUS address.
    """

    node_id: str | None = None
    name: str | None = None
    description: str | None = None
    manufacturer_id: str | None = None
    manufacturer_name: Annotated[str | None, Wire("manufacturerName", also=("manufacturer",))] = None
    mac: str | None = None
    location: str | None = None
    device_type: Annotated[str | None, Wire("deviceType", also=("type",))] = None
    model: str | None = None
    sw_version: str | None = None
    fw_version: str | None = None
    hw_version: str | None = None
    protocol_type: str | None = None
    bridge_id: str | None = None
    status: DeviceStatus | None = None
    status_detail: StatusDetail | None = None
    mute: TextFlag | None = None
    supported_security: TextFlag | None = None
    is_security: TextFlag | None = None
    signal_strength: str | None = None
    sig_version: str | None = None
    serial_number: str | None = None
    battery_level: str | None = None
    imsi: str | None = None
    radius_ip: str | None = None


@response
class KnownDevice(Received, JsonForm):
    """The fields of every answer about a device (sections 1.4.9, 1.5.1 and 1.5.2).

    Attributes:
        device_id: the device.
        gateway_id: its gateway; its own id if it is connected directly.
        node_type: endpoint or gateway.
        create_time: when the device was registered, UTC.
        last_modified_time: when it was last changed, UTC.
        device_info: what the platform knows about it.
    """

    device_id: str | None = None
    gateway_id: str | None = None
    node_type: NodeType | None = None
    create_time: Timestamp | None = None
    last_modified_time: Timestamp | None = None
    device_info: DeviceInfo | None = None


@response
class ServiceInfo(Received, JsonForm):
    """The muted parts of a device's service (sections 1.5.1 and 2.3.5.6).

    Attributes:
        mute_cmds: the names of the muted commands.
    """

    mute_cmds: list[str] | None = None


@response
class DeviceService(Received, JsonForm):
    """A service of a device with its latest data (sections 1.5.1, 1.6.7.4 and 1.6.7.5).

    Attributes:
        service_id: the service's id in the profile.
        service_type: the service's type.
        service_info: its muted parts.
        data: property names and their values, up to 2 MiB of JSON.
        event_time: when the data was measured, UTC.
    """

    service_id: str | None = None
    service_type: str | None = None
    service_info: ServiceInfo | None = None
    data: JsonObject | None = None
    event_time: Timestamp | None = None


@request
class CommandDTOV4(Received, JsonForm):
    """A command to a device, as the profile defines it (sections 1.7.1 to 1.7.6).

    Attributes:
        service_id: the service of the command; 1 to 64 characters.
        method: the command's name in the profile; 1 to 128 characters.
        paras: parameter names and values; an empty object if the command has no parameters.
    """

    service_id: Annotated[str, Text(1, 64)]
    method: Annotated[str, Text(1, 128)]
    paras: JsonObject


@request
class CommandDTO(JsonForm):
    """A command inside the parameters of a batch task (section 1.8.1).

    Attributes:
        service_id: the service of the command; 1 to 64 characters.
        method: the command's name in the profile; 1 to 128 characters.
        paras: parameter names and values.
    """

    service_id: Annotated[str, Text(1, 64)]
    method: Annotated[str, Text(1, 128)]
    paras: JsonObject | None = None


@request
class TagDTO2(Received, JsonForm):
    """A tag of a batch task (sections 1.8.1 and 1.8.2).

    Attributes:
        tag_name: 1 to 128 characters.
        tag_value: 1 to 1,024 characters.
    """

    tag_name: Annotated[str, Text(1, 128)]
    tag_value: Annotated[str, Text(1, 1024)]


@response
class Page(Received, JsonForm):
    """The number, size and total of a page, in the same object as its records.

    Attributes:
        page_no: the page, from 0.
        page_size: records per page.
        total_count: the number of all records that match.
    """

    page_no: int | None = None
    page_size: int | None = None
    total_count: Annotated[int | None, Wire("totalCount", also=("totalSize",))] = None


@response
class Pagination(Received, JsonForm):
    """The number, size and total of a page (sections 1.7.2 and 1.7.6).

    Attributes:
        page_no: the page's number, from 0.
        page_size: records per page.
        total_size: the number of all records.
    """

    page_no: int | None = None
    page_size: int | None = None
    total_size: Annotated[int | None, Wire("totalSize", also=("totalCount",))] = None


__all__ = [
    "CommandDTO",
    "CommandDTOV4",
    "DeviceInfo",
    "DeviceService",
    "DeviceStatus",
    "DeviceStatusIn",
    "NodeType",
    "NodeTypeIn",
    "NotifyType",
    "NotifyTypeIn",
    "Pagination",
    "ProtocolType",
    "Select",
    "SelectIn",
    "ServiceInfo",
    "StatusDetail",
    "TagDTO2",
    "TextFlag",
    "TextFlagIn",
]
