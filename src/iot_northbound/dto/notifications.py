"""The class of each pushed message (section 1.6.7)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from iot_northbound.dto.common import NotifyType
from iot_northbound.dto.device_notifications import (
    NotifyBindDeviceDTO,
    NotifyDeviceAddedDTO,
    NotifyDeviceDataChangedDTO,
    NotifyDeviceDatasChangedDTO,
    NotifyDeviceDeletedDTO,
    NotifyDeviceDesiredStatusChangedDTO,
    NotifyDeviceInfoChangedDTO,
    NotifyServiceInfoChangedDTO,
)
from iot_northbound.dto.message_notifications import (
    NotifyCommandRspDTO,
    NotifyDeviceEventDTO,
    NotifyMessageConfirmDTO,
    NotifyRuleEventDTO,
)
from iot_northbound.dto.product_notifications import (
    NotifyDeviceCapabilitiesAddedDTO,
    NotifyDeviceCapabilitiesChangedDTO,
    NotifyDeviceCapabilitiesDeletedDTO,
    NotifyDeviceModelAddedDTO,
    NotifyDeviceModelDeletedDTO,
)
from iot_northbound.dto.upgrade_notifications import (
    NotifyFwUpgradeResultDTO,
    NotifyFwUpgradeStateChangedDTO,
    NotifySwUpgradeResultDTO,
    NotifySwUpgradeStateChangedDTO,
)

NOTIFICATIONS: Mapping[str, type[Any]] = MappingProxyType(
    {
        NotifyType.BIND_DEVICE.value: NotifyBindDeviceDTO,
        NotifyType.DEVICE_ADDED.value: NotifyDeviceAddedDTO,
        NotifyType.DEVICE_INFO_CHANGED.value: NotifyDeviceInfoChangedDTO,
        NotifyType.DEVICE_DATA_CHANGED.value: NotifyDeviceDataChangedDTO,
        NotifyType.DEVICE_DATAS_CHANGED.value: NotifyDeviceDatasChangedDTO,
        NotifyType.DEVICE_CAPABILITIES_CHANGED.value: NotifyDeviceCapabilitiesChangedDTO,
        NotifyType.DEVICE_CAPABILITIES_ADDED.value: NotifyDeviceCapabilitiesAddedDTO,
        NotifyType.DEVICE_CAPABILITIES_DELETED.value: NotifyDeviceCapabilitiesDeletedDTO,
        NotifyType.DEVICE_DELETED.value: NotifyDeviceDeletedDTO,
        NotifyType.DEVICE_EVENT.value: NotifyDeviceEventDTO,
        NotifyType.MESSAGE_CONFIRM.value: NotifyMessageConfirmDTO,
        NotifyType.COMMAND_RSP.value: NotifyCommandRspDTO,
        NotifyType.RULE_EVENT.value: NotifyRuleEventDTO,
        NotifyType.SERVICE_INFO_CHANGED.value: NotifyServiceInfoChangedDTO,
        NotifyType.DEVICE_MODEL_ADDED.value: NotifyDeviceModelAddedDTO,
        NotifyType.DEVICE_MODEL_DELETED.value: NotifyDeviceModelDeletedDTO,
        NotifyType.DEVICE_DESIRED_PROPERTIES_MODIFY_STATUS_CHANGED.value: NotifyDeviceDesiredStatusChangedDTO,
        NotifyType.SW_UPGRADE_STATE_CHANGE_NOTIFY.value: NotifySwUpgradeStateChangedDTO,
        NotifyType.SW_UPGRADE_RESULT_NOTIFY.value: NotifySwUpgradeResultDTO,
        NotifyType.FW_UPGRADE_STATE_CHANGE_NOTIFY.value: NotifyFwUpgradeStateChangedDTO,
        NotifyType.FW_UPGRADE_RESULT_NOTIFY.value: NotifyFwUpgradeResultDTO,
    }
)
"""The class of each ``notifyType``. A change of a command's status has none: `NotifyNBCCommandStatusChangedDTO`."""

__all__ = ["NOTIFICATIONS"]
