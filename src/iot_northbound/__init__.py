"""The northbound API of an OceanConnect-family IoT platform, in typed Python.

Names are loaded on first use, so importing the package costs very little.
"""

from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names
from iot_northbound._version import __version__

if TYPE_CHECKING:
    from iot_northbound._extras import MissingExtraError as MissingExtraError
    from iot_northbound.basic_test import BasicTest as BasicTest
    from iot_northbound.basic_test import Report as Report
    from iot_northbound.basic_test import Step as Step
    from iot_northbound.client import Keep as Keep
    from iot_northbound.client import NorthApiClient as NorthApiClient
    from iot_northbound.config import ClientInfo as ClientInfo
    from iot_northbound.config import HttpConfig as HttpConfig
    from iot_northbound.config import Settings as Settings
    from iot_northbound.config import SharedConfig as SharedConfig
    from iot_northbound.core.budget import LimitStats as LimitStats
    from iot_northbound.core.clock import Clock as Clock
    from iot_northbound.core.endpoint import Endpoint as Endpoint
    from iot_northbound.core.hooks import Hooks as Hooks
    from iot_northbound.core.hooks import RequestEvent as RequestEvent
    from iot_northbound.core.hooks import ResponseEvent as ResponseEvent
    from iot_northbound.core.hooks import RetryEvent as RetryEvent
    from iot_northbound.core.metrics import ClientMetrics as ClientMetrics
    from iot_northbound.core.metrics import TokenMetrics as TokenMetrics
    from iot_northbound.core.pipeline import CallOptions as CallOptions
    from iot_northbound.core.signal_safe import Flag as Flag
    from iot_northbound.core.times import Timestamp as Timestamp
    from iot_northbound.core.times import format_time as format_time
    from iot_northbound.core.times import parse_time as parse_time
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
    from iot_northbound.errors import SharedStateError as SharedStateError
    from iot_northbound.errors import ThrottledError as ThrottledError
    from iot_northbound.errors import TlsError as TlsError
    from iot_northbound.errors import TlsReason as TlsReason
    from iot_northbound.errors import UnreadableAnswerError as UnreadableAnswerError
    from iot_northbound.errors import WaitStoppedError as WaitStoppedError
    from iot_northbound.errors import WaitTimeoutError as WaitTimeoutError
    from iot_northbound.profiles import load_env as load_env
    from iot_northbound.profiles import load_inbox_url as load_inbox_url
    from iot_northbound.profiles import load_profile as load_profile
    from iot_northbound.push.receiver import PushMessageReceiver as PushMessageReceiver
    from iot_northbound.services.authentication import Authentication as Authentication
    from iot_northbound.services.batch_process import BatchProcess as BatchProcess
    from iot_northbound.services.data_collection import DataCollection as DataCollection
    from iot_northbound.services.device_group_management import DeviceGroupManagement as DeviceGroupManagement
    from iot_northbound.services.device_management import DeviceManagement as DeviceManagement
    from iot_northbound.services.device_upgrade import DeviceUpgrade as DeviceUpgrade
    from iot_northbound.services.signal_delivery import SignalDelivery as SignalDelivery
    from iot_northbound.services.subscribing import SubscriptionChanges as SubscriptionChanges
    from iot_northbound.services.subscription_management import SubscriptionManagement as SubscriptionManagement
    from iot_northbound.services.waiting import Polling as Polling
    from iot_northbound.ssl_config import HostnameVerifier as HostnameVerifier
    from iot_northbound.ssl_config import PeerCertificate as PeerCertificate
    from iot_northbound.ssl_config import SSLConfig as SSLConfig
    from iot_northbound.tokens import Grant as Grant
    from iot_northbound.tokens import MemoryTokenStore as MemoryTokenStore
    from iot_northbound.tokens import TokenState as TokenState
    from iot_northbound.tokens import TokenStatus as TokenStatus
    from iot_northbound.tokens import TokenStore as TokenStore

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
    "SharedStateError",
    "ThrottledError",
    "TlsError",
    "TlsReason",
    "UnreadableAnswerError",
    "WaitStoppedError",
    "WaitTimeoutError",
)
_ROOMS = {
    "MissingExtraError": "_extras",
    **dict.fromkeys(_ERRORS, "errors"),
    "BasicTest": "basic_test",
    "Report": "basic_test",
    "Step": "basic_test",
    "Keep": "client",
    "NorthApiClient": "client",
    "ClientInfo": "config",
    "HttpConfig": "config",
    "Settings": "config",
    "SharedConfig": "config",
    "Clock": "core.clock",
    "Endpoint": "core.endpoint",
    "ClientMetrics": "core.metrics",
    "Hooks": "core.hooks",
    "LimitStats": "core.budget",
    "RequestEvent": "core.hooks",
    "ResponseEvent": "core.hooks",
    "RetryEvent": "core.hooks",
    "CallOptions": "core.pipeline",
    "Flag": "core.signal_safe",
    "Timestamp": "core.times",
    "format_time": "core.times",
    "parse_time": "core.times",
    "load_env": "profiles",
    "load_inbox_url": "profiles",
    "load_profile": "profiles",
    "PushMessageReceiver": "push.receiver",
    "Authentication": "services.authentication",
    "BatchProcess": "services.batch_process",
    "DataCollection": "services.data_collection",
    "DeviceGroupManagement": "services.device_group_management",
    "DeviceManagement": "services.device_management",
    "DeviceUpgrade": "services.device_upgrade",
    "SignalDelivery": "services.signal_delivery",
    "SubscriptionChanges": "services.subscribing",
    "SubscriptionManagement": "services.subscription_management",
    "Polling": "services.waiting",
    "HostnameVerifier": "ssl_config",
    "PeerCertificate": "ssl_config",
    "SSLConfig": "ssl_config",
    "Grant": "tokens",
    "MemoryTokenStore": "tokens",
    "TokenState": "tokens",
    "TokenMetrics": "core.metrics",
    "TokenStatus": "tokens",
    "TokenStore": "tokens",
}

__all__ = ["__version__", *_ROOMS]


if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, _ROOMS)
