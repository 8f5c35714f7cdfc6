"""The request, response and notification classes, named as in the Java SDK.

A class is loaded with its module when it is first asked for: an application pays for the services it uses.
"""

# ruff: noqa: F403
# The star imports are for type checkers alone, which read each module's __all__; at run time `_ROOMS` leads.

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iot_northbound.dto.authentication import *
    from iot_northbound.dto.batch_process import *
    from iot_northbound.dto.common import *
    from iot_northbound.dto.data_collection import *
    from iot_northbound.dto.device_capabilities import *
    from iot_northbound.dto.device_group_management import *
    from iot_northbound.dto.device_management import *
    from iot_northbound.dto.device_notifications import *
    from iot_northbound.dto.device_upgrade import *
    from iot_northbound.dto.message_notifications import *
    from iot_northbound.dto.notifications import *
    from iot_northbound.dto.product_notifications import *
    from iot_northbound.dto.signal_delivery import *
    from iot_northbound.dto.subscription_management import *
    from iot_northbound.dto.upgrade_notifications import *

_ROOMS = {
    "ActionResult": "message_notifications",
    "AlarmInfoDTO": "data_collection",
    "AuthOutDTO": "authentication",
    "AuthRefreshInDTO": "authentication",
    "AuthRefreshOutDTO": "authentication",
    "BatchTargetType": "batch_process",
    "BatchTaskCreateInDTO2": "batch_process",
    "BatchTaskCreateOutDTO": "batch_process",
    "BatchTaskStatus": "batch_process",
    "BatchTaskType": "batch_process",
    "BindResult": "device_notifications",
    "CancelTaskStatus": "signal_delivery",
    "Channel": "subscription_management",
    "CommandDTO": "common",
    "CommandDTO2": "signal_delivery",
    "CommandDTOV4": "common",
    "CommandMode": "signal_delivery",
    "CommandNA2CloudHeader": "signal_delivery",
    "CommandResultCode": "message_notifications",
    "CommandRspHeader": "message_notifications",
    "CommandStatus": "signal_delivery",
    "ConfirmStatus": "message_notifications",
    "CreateDeviceCmdCancelTaskInDTO": "signal_delivery",
    "CreateDeviceCmdCancelTaskOutDTO": "signal_delivery",
    "CreateDeviceGroupInDTO": "device_group_management",
    "CreateDeviceGroupOutDTO": "device_group_management",
    "CreateUpgradeTaskInDTO": "device_upgrade",
    "CreateUpgradeTaskOutDTO": "device_upgrade",
    "CustomField": "device_management",
    "DataConfigDTO": "device_management",
    "DeleteBatchSubInDTO": "subscription_management",
    "DesiredStatus": "device_notifications",
    "DeviceCapabilityDTO": "device_capabilities",
    "DeviceCmdParam": "batch_process",
    "DeviceCommandCancelTaskRespV4": "signal_delivery",
    "DeviceCommandRespV4": "signal_delivery",
    "DeviceConfigDTO": "device_management",
    "DeviceDataHistoryDTO": "data_collection",
    "DeviceDesiredHistoryDTO": "data_collection",
    "DeviceEventHeader": "message_notifications",
    "DeviceGroupWithDeviceListDTO": "device_group_management",
    "DeviceInfo": "common",
    "DeviceInfoDTO": "device_management",
    "DeviceService": "common",
    "DeviceServiceB": "device_management",
    "DeviceStatus": "common",
    "ExecuteType": "device_upgrade",
    "FileType": "device_upgrade",
    "FwUpgradeStep": "upgrade_notifications",
    "InvokeDeviceServiceOutDTO": "signal_delivery",
    "InvokeStatus": "signal_delivery",
    "MessageConfirmHeader": "message_notifications",
    "ModifyDeviceGroupInDTO": "device_group_management",
    "ModifyDeviceGroupOutDTO": "device_group_management",
    "ModifyDeviceInforInDTO": "device_management",
    "ModifyDeviceShadowInDTO": "device_management",
    "MqttDeviceInfoDTO": "device_management",
    "NBCommandResult": "message_notifications",
    "NOTIFICATIONS": "notifications",
    "NodeType": "common",
    "NotifyBindDeviceDTO": "device_notifications",
    "NotifyCommandRspDTO": "message_notifications",
    "NotifyDeviceAddedDTO": "device_notifications",
    "NotifyDeviceCapabilitiesAddedDTO": "product_notifications",
    "NotifyDeviceCapabilitiesChangedDTO": "product_notifications",
    "NotifyDeviceCapabilitiesDeletedDTO": "product_notifications",
    "NotifyDeviceDataChangedDTO": "device_notifications",
    "NotifyDeviceDatasChangedDTO": "device_notifications",
    "NotifyDeviceDeletedDTO": "device_notifications",
    "NotifyDeviceDesiredStatusChangedDTO": "device_notifications",
    "NotifyDeviceEventDTO": "message_notifications",
    "NotifyDeviceInfoChangedDTO": "device_notifications",
    "NotifyDeviceModelAddedDTO": "product_notifications",
    "NotifyDeviceModelDeletedDTO": "product_notifications",
    "NotifyFwUpgradeResultDTO": "upgrade_notifications",
    "NotifyFwUpgradeStateChangedDTO": "upgrade_notifications",
    "NotifyMessageConfirmDTO": "message_notifications",
    "NotifyNBCCommandStatusChangedDTO": "message_notifications",
    "NotifyRuleEventDTO": "message_notifications",
    "NotifyServiceInfoChangedDTO": "device_notifications",
    "NotifySwUpgradeResultDTO": "upgrade_notifications",
    "NotifySwUpgradeStateChangedDTO": "upgrade_notifications",
    "NotifyType": "common",
    "OperateDevices": "device_upgrade",
    "OperatePolicy": "device_upgrade",
    "OperateType": "device_upgrade",
    "OperationInfo": "device_upgrade",
    "OperationStaResult": "device_upgrade",
    "OperationStatus": "device_upgrade",
    "Pagination": "common",
    "PostDeviceCommandInDTO2": "signal_delivery",
    "PostDeviceCommandOutDTO2": "signal_delivery",
    "QueryBatchDevicesInfoInDTO": "data_collection",
    "QueryBatchDevicesInfoOutDTO": "data_collection",
    "QueryBatchSubInDTO": "subscription_management",
    "QueryBatchSubOutDTO": "subscription_management",
    "QueryDeviceCapabilitiesInDTO": "device_capabilities",
    "QueryDeviceCapabilitiesOutDTO": "device_capabilities",
    "QueryDeviceCmdCancelTaskInDTO2": "signal_delivery",
    "QueryDeviceCmdCancelTaskOutDTO2": "signal_delivery",
    "QueryDeviceCommandInDTO2": "signal_delivery",
    "QueryDeviceCommandOutDTO2": "signal_delivery",
    "QueryDeviceDataHistoryInDTO": "data_collection",
    "QueryDeviceDataHistoryOutDTO": "data_collection",
    "QueryDeviceDesiredHistoryInDTO": "data_collection",
    "QueryDeviceDesiredHistoryOutDTO": "data_collection",
    "QueryDeviceGroupMembersInDTO": "device_group_management",
    "QueryDeviceGroupMembersOutDTO": "device_group_management",
    "QueryDeviceGroupsInDTO": "device_group_management",
    "QueryDeviceGroupsOutDTO": "device_group_management",
    "QueryDeviceShadowOutDTO": "device_management",
    "QueryDeviceStatusOutDTO": "device_management",
    "QueryOneTaskOutDTO": "batch_process",
    "QuerySingleDeviceGroupOutDTO": "device_group_management",
    "QuerySingleDeviceInfoOutDTO": "data_collection",
    "QueryTaskDetailDTOCloud2NA": "batch_process",
    "QueryTaskDetailsInDTO": "batch_process",
    "QueryTaskDetailsOutDTO": "batch_process",
    "QueryUpgradePackageListInDTO": "device_upgrade",
    "QueryUpgradePackageListOutDTO": "device_upgrade",
    "QueryUpgradePackageOutDTO": "device_upgrade",
    "QueryUpgradeSubTaskInDTO": "device_upgrade",
    "QueryUpgradeSubTaskOutDTO": "device_upgrade",
    "QueryUpgradeTaskListInDTO": "device_upgrade",
    "QueryUpgradeTaskListOutDTO": "device_upgrade",
    "QueryUpgradeTaskOutDTO": "device_upgrade",
    "Reason": "message_notifications",
    "RefreshDeviceKeyInDTO": "device_management",
    "RefreshDeviceKeyOutDTO": "device_management",
    "RegDeviceWithSecretInDTO": "device_management",
    "RegDeviceWithSecretOutDTO": "device_management",
    "RegDirectDeviceInDTO2": "device_management",
    "RegDirectDeviceOutDTO": "device_management",
    "Select": "common",
    "ServiceCapabilityDTO": "device_capabilities",
    "ServiceCommand": "device_capabilities",
    "ServiceCommandPara": "device_capabilities",
    "ServiceCommandResponse": "device_capabilities",
    "ServiceDesiredDTO": "device_management",
    "ServiceInfo": "common",
    "ServiceProperty": "device_capabilities",
    "Sort": "data_collection",
    "StatusDetail": "common",
    "SubDeviceDataInDTO": "subscription_management",
    "SubDeviceManagementDataInDTO": "subscription_management",
    "SubOperationInfo": "device_upgrade",
    "SubOperationStatus": "device_upgrade",
    "SubscriptionDTO": "subscription_management",
    "SwUpgradeState": "upgrade_notifications",
    "Tag2": "device_management",
    "TagDTO2": "common",
    "TaskDetailStatus": "batch_process",
    "TaskFrom": "batch_process",
    "TextFlag": "common",
    "ToType": "signal_delivery",
    "UpdateDeviceCommandInDTO": "signal_delivery",
    "UpdateDeviceCommandOutDTO": "signal_delivery",
    "UpgradeResult": "upgrade_notifications",
}
"""Which module each name is in."""

__all__ = list(_ROOMS)

if not TYPE_CHECKING:  # so that a type checker still refuses a name that is not there

    def __getattr__(name: str) -> Any:
        room = _ROOMS.get(name)
        if room is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{room}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
