"""The services of the northbound API. Each is loaded on first use."""

from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.services.authentication import Authentication as Authentication
    from iot_northbound.services.batch_process import BatchProcess as BatchProcess
    from iot_northbound.services.data_collection import DataCollection as DataCollection
    from iot_northbound.services.device_group_management import DeviceGroupManagement as DeviceGroupManagement
    from iot_northbound.services.device_management import DeviceManagement as DeviceManagement
    from iot_northbound.services.device_upgrade import DeviceUpgrade as DeviceUpgrade
    from iot_northbound.services.signal_delivery import SignalDelivery as SignalDelivery
    from iot_northbound.services.subscription_management import SubscriptionManagement as SubscriptionManagement

_ROOMS = {
    "Authentication": "authentication",
    "BatchProcess": "batch_process",
    "DataCollection": "data_collection",
    "DeviceGroupManagement": "device_group_management",
    "DeviceManagement": "device_management",
    "DeviceUpgrade": "device_upgrade",
    "SignalDelivery": "signal_delivery",
    "SubscriptionManagement": "subscription_management",
}

__all__ = [*_ROOMS]

if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, _ROOMS)
