"""The eight services of the northbound API, each loaded on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iot_northbound.services.authentication import Authentication
    from iot_northbound.services.batch_process import BatchProcess
    from iot_northbound.services.data_collection import DataCollection
    from iot_northbound.services.device_group_management import DeviceGroupManagement
    from iot_northbound.services.device_management import DeviceManagement
    from iot_northbound.services.device_upgrade import DeviceUpgrade
    from iot_northbound.services.signal_delivery import SignalDelivery
    from iot_northbound.services.subscription_management import SubscriptionManagement

__all__ = [
    "Authentication",
    "BatchProcess",
    "DataCollection",
    "DeviceGroupManagement",
    "DeviceManagement",
    "DeviceUpgrade",
    "SignalDelivery",
    "SubscriptionManagement",
]

_MODULES = {
    "Authentication": "authentication",
    "BatchProcess": "batch_process",
    "DataCollection": "data_collection",
    "DeviceGroupManagement": "device_group_management",
    "DeviceManagement": "device_management",
    "DeviceUpgrade": "device_upgrade",
    "SignalDelivery": "signal_delivery",
    "SubscriptionManagement": "subscription_management",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
