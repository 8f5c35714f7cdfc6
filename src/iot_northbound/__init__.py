"""The northbound API of an OceanConnect-family IoT platform, in typed Python.

Names are loaded on first use, so that importing the package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from iot_northbound._version import __version__

if TYPE_CHECKING:
    from iot_northbound.basic_test import BasicTest as BasicTest
    from iot_northbound.client import NorthApiClient as NorthApiClient
    from iot_northbound.config import ClientInfo as ClientInfo
    from iot_northbound.config import HttpConfig as HttpConfig
    from iot_northbound.core.hooks import Hooks as Hooks
    from iot_northbound.core.hooks import RequestEvent as RequestEvent
    from iot_northbound.core.hooks import ResponseEvent as ResponseEvent
    from iot_northbound.core.hooks import RetryEvent as RetryEvent
    from iot_northbound.core.times import Timestamp as Timestamp
    from iot_northbound.core.times import format_time as format_time
    from iot_northbound.core.times import parse_time as parse_time
    from iot_northbound.core.tokens import TokenStatus as TokenStatus
    from iot_northbound.core.tokens import TokenStore as TokenStore
    from iot_northbound.errors import AlreadyExistsError as AlreadyExistsError
    from iot_northbound.errors import BadTokenError as BadTokenError
    from iot_northbound.errors import ClientClosedError as ClientClosedError
    from iot_northbound.errors import ConnectionFailedError as ConnectionFailedError
    from iot_northbound.errors import DeviceOfflineError as DeviceOfflineError
    from iot_northbound.errors import InvalidArgumentError as InvalidArgumentError
    from iot_northbound.errors import NorthApiException as NorthApiException
    from iot_northbound.errors import NotAuthorizedError as NotAuthorizedError
    from iot_northbound.errors import NotFoundError as NotFoundError
    from iot_northbound.errors import PlatformFailureError as PlatformFailureError
    from iot_northbound.errors import QuotaReachedError as QuotaReachedError
    from iot_northbound.errors import RequestTimeoutError as RequestTimeoutError
    from iot_northbound.errors import ThrottledError as ThrottledError
    from iot_northbound.errors import TlsError as TlsError
    from iot_northbound.errors import UnreadableAnswerError as UnreadableAnswerError
    from iot_northbound.errors import WaitTimeoutError as WaitTimeoutError
    from iot_northbound.push.receiver import PushMessageReceiver as PushMessageReceiver
    from iot_northbound.services.authentication import Authentication as Authentication
    from iot_northbound.services.batch_process import BatchProcess as BatchProcess
    from iot_northbound.services.data_collection import DataCollection as DataCollection
    from iot_northbound.services.device_group_management import DeviceGroupManagement as DeviceGroupManagement
    from iot_northbound.services.device_management import DeviceManagement as DeviceManagement
    from iot_northbound.services.device_upgrade import DeviceUpgrade as DeviceUpgrade
    from iot_northbound.services.signal_delivery import SignalDelivery as SignalDelivery
    from iot_northbound.services.subscription_management import SubscriptionManagement as SubscriptionManagement
    from iot_northbound.ssl_config import HostnameVerifier as HostnameVerifier
    from iot_northbound.ssl_config import PeerCertificate as PeerCertificate
    from iot_northbound.ssl_config import SSLConfig as SSLConfig

_ERRORS = (
    "AlreadyExistsError",
    "BadTokenError",
    "ClientClosedError",
    "ConnectionFailedError",
    "DeviceOfflineError",
    "InvalidArgumentError",
    "NorthApiException",
    "NotAuthorizedError",
    "NotFoundError",
    "PlatformFailureError",
    "QuotaReachedError",
    "RequestTimeoutError",
    "ThrottledError",
    "TlsError",
    "UnreadableAnswerError",
    "WaitTimeoutError",
)
_WHERE = {
    "BasicTest": "basic_test",
    "NorthApiClient": "client",
    "ClientInfo": "config",
    "HttpConfig": "config",
    "Hooks": "core.hooks",
    "RequestEvent": "core.hooks",
    "ResponseEvent": "core.hooks",
    "RetryEvent": "core.hooks",
    "Timestamp": "core.times",
    "format_time": "core.times",
    "parse_time": "core.times",
    "TokenStatus": "core.tokens",
    "TokenStore": "core.tokens",
    **dict.fromkeys(_ERRORS, "errors"),
    "PushMessageReceiver": "push.receiver",
    "Authentication": "services.authentication",
    "BatchProcess": "services.batch_process",
    "DataCollection": "services.data_collection",
    "DeviceGroupManagement": "services.device_group_management",
    "DeviceManagement": "services.device_management",
    "DeviceUpgrade": "services.device_upgrade",
    "SignalDelivery": "services.signal_delivery",
    "SubscriptionManagement": "services.subscription_management",
    "HostnameVerifier": "ssl_config",
    "PeerCertificate": "ssl_config",
    "SSLConfig": "ssl_config",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
