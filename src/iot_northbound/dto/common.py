"""What several services share: devices, services, commands, tags, pages, and the enumerations beside them."""

from typing import Annotated

from iot_northbound.core.fields import JsonObject, Text, Timestamp, Wire, request, response
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received


class NodeType(OpenEnum):
    """Where a device stands: at the end of the line, as a gateway, or not known."""

    ENDPOINT = "ENDPOINT"
    GATEWAY = "GATEWAY"
    UNKNOWN = "UNKNOWN"


class DeviceStatus(OpenEnum):
    """Whether a device is online.

    INACTIVE until its first connection; ABNORMAL after 25 hours of silence and OFFLINE after 49, by default.
    """

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    INACTIVE = "INACTIVE"
    ABNORMAL = "ABNORMAL"


class StatusDetail(OpenEnum):
    """Why a device has its status; informative, no basis for decisions."""

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
    """A truth value the platform tells as text."""

    TRUE = "TRUE"
    FALSE = "FALSE"


class Select(OpenEnum):
    """What a device query returns beyond the usual."""

    IMSI = "IMSI"


class NotifyType(OpenEnum):
    """What the platform tells about unasked: the types one can subscribe to (sections 1.6.1 and 1.6.2)."""

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


@response
class DeviceInfo(Received):
    """What the platform knows about a device (sections 1.4.9, 1.5.1, 1.5.2 and the device notifications).

    Attributes:
        node_id: the id the device itself reports, such as its IMEI, MAC address or serial number.
        name: the device's name.
        description: free text about the device.
        manufacturer_id: the manufacturer's id, as the profile has it.
        manufacturer_name: the manufacturer's name, as the profile has it.
        mac: the MAC address.
        location: where the device is.
        device_type: the type in upper camel case, as the profile has it.
        model: the model, as the profile has it.
        sw_version: the software's version.
        fw_version: the firmware's version.
        hw_version: the hardware's version.
        protocol_type: the protocol the device speaks, such as CoAP, LWM2M or MQTT.
        bridge_id: the bridge the device comes in through.
        status: whether the device is online.
        status_detail: why it has this status.
        mute: TRUE while the device is frozen, its reports neither managed nor stored.
        supported_security: TRUE where the device can be used in secure mode.
        is_security: TRUE where secure mode is on.
        signal_strength: the radio signal's strength, as text.
        sig_version: the SIG version.
        serial_number: the serial number.
        battery_level: the battery's level, as text.
        imsi: the SIM's IMSI; only where the query selects it.
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
class KnownDevice(Received):
    """What every answer about a device tells of it (sections 1.4.9, 1.5.1 and 1.5.2).

    Attributes:
        device_id: the device.
        gateway_id: the gateway before it; its own id where it connects directly.
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
class ServiceInfo(Received):
    """What is masked of a device's service (sections 1.5.1 and 2.3.5.6).

    Attributes:
        mute_cmds: the names of the muted commands.
    """

    mute_cmds: list[str] | None = None


@response
class DeviceService(Received):
    """A service of a device with its latest data (sections 1.5.1, 1.6.7.4 and 1.6.7.5).

    Attributes:
        service_id: the service's id in the profile.
        service_type: the service's type.
        service_info: what of it is masked.
        data: property names and their values, up to 2 MiB of JSON.
        event_time: when the data came to be, UTC.
    """

    service_id: str | None = None
    service_type: str | None = None
    service_info: ServiceInfo | None = None
    data: JsonObject | None = None
    event_time: Timestamp | None = None


@request
class CommandDTOV4(Received):
    """A command to a device, as the profile defines it (sections 1.7.1 to 1.7.6).

    Attributes:
        service_id: the service the command belongs to; 1 to 64 characters.
        method: the command's name in the profile; 1 to 128 characters.
        paras: parameter names and values; an empty object where the command has none.
    """

    service_id: Annotated[str, Text(1, 64)]
    method: Annotated[str, Text(1, 128)]
    paras: JsonObject


@request
class CommandDTO:
    """A command inside the parameters of a batch task (section 1.8.1).

    Attributes:
        service_id: the service the command belongs to; 1 to 64 characters.
        method: the command's name in the profile; 1 to 128 characters.
        paras: parameter names and values.
    """

    service_id: Annotated[str, Text(1, 64)]
    method: Annotated[str, Text(1, 128)]
    paras: JsonObject | None = None


@request
class TagDTO2(Received):
    """A tag of a batch task (sections 1.8.1 and 1.8.2).

    Attributes:
        tag_name: 1 to 128 characters.
        tag_value: 1 to 1,024 characters.
    """

    tag_name: Annotated[str, Text(1, 128)]
    tag_value: Annotated[str, Text(1, 1024)]


@response
class Page(Received):
    """Which page an answer is, where it tells that beside the records.

    Attributes:
        page_no: the page, from 0.
        page_size: records a page.
        total_count: how many records match in all.
    """

    page_no: int | None = None
    page_size: int | None = None
    total_count: Annotated[int | None, Wire("totalCount", also=("totalSize",))] = None


@response
class Pagination(Received):
    """Which page an answer is (sections 1.7.2 and 1.7.6).

    Attributes:
        page_no: the page's number, from 0.
        page_size: how many records a page holds.
        total_size: how many records there are in all.
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
    "NodeType",
    "NotifyType",
    "Pagination",
    "Select",
    "ServiceInfo",
    "StatusDetail",
    "TagDTO2",
    "TextFlag",
]
