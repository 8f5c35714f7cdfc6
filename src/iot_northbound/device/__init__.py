"""The device side: devices that report and answer commands over MQTT, as chapter 8 of the reference describes.

Names are loaded on first use. Those that need paho-mqtt say which extra to install if it is missing.
"""

from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.device.client import DeviceClient as DeviceClient
    from iot_northbound.device.commands import CommandFailed as CommandFailed
    from iot_northbound.device.commands import LaterAnswer as LaterAnswer
    from iot_northbound.device.credentials import DeviceCredentials as DeviceCredentials
    from iot_northbound.device.failures import DeviceRefusedError as DeviceRefusedError
    from iot_northbound.device.failures import PlatformBusyError as PlatformBusyError
    from iot_northbound.device.failures import QueueError as QueueError
    from iot_northbound.device.failures import QueueInUseError as QueueInUseError
    from iot_northbound.device.failures import ReportDroppedError as ReportDroppedError
    from iot_northbound.device.failures import SubscriptionRefusedError as SubscriptionRefusedError
    from iot_northbound.device.field_http import AddedChild as AddedChild
    from iot_northbound.device.field_http import Bound as Bound
    from iot_northbound.device.field_http import FieldHttp as FieldHttp
    from iot_northbound.device.field_http import FieldLogin as FieldLogin
    from iot_northbound.device.field_http import UndocumentedWireError as UndocumentedWireError
    from iot_northbound.device.fleet import Fleet as Fleet
    from iot_northbound.device.fleet import FleetCounts as FleetCounts
    from iot_northbound.device.fleet import FleetDevice as FleetDevice
    from iot_northbound.device.gateway import GatewayClient as GatewayClient
    from iot_northbound.device.messages import Codec as Codec
    from iot_northbound.device.messages import Command as Command
    from iot_northbound.device.pending import Pending as Pending
    from iot_northbound.device.queue import MemoryQueue as MemoryQueue
    from iot_northbound.device.queue import Message as Message
    from iot_northbound.device.queue import Queue as Queue
    from iot_northbound.device.queue_sqlite import SqliteQueue as SqliteQueue
    from iot_northbound.device.session import Backoff as Backoff
    from iot_northbound.device.session import DeviceState as DeviceState
    from iot_northbound.device.side import DeviceSide as DeviceSide

_ROOMS = {
    "DeviceClient": "client",
    "DeviceState": "session",
    "CommandFailed": "commands",
    "LaterAnswer": "commands",
    "DeviceCredentials": "credentials",
    "DeviceRefusedError": "failures",
    "PlatformBusyError": "failures",
    "QueueError": "failures",
    "QueueInUseError": "failures",
    "ReportDroppedError": "failures",
    "SubscriptionRefusedError": "failures",
    "AddedChild": "field_http",
    "Bound": "field_http",
    "FieldHttp": "field_http",
    "FieldLogin": "field_http",
    "UndocumentedWireError": "field_http",
    "Fleet": "fleet",
    "FleetCounts": "fleet",
    "FleetDevice": "fleet",
    "GatewayClient": "gateway",
    "Codec": "messages",
    "Command": "messages",
    "Pending": "pending",
    "MemoryQueue": "queue",
    "Message": "queue",
    "Queue": "queue",
    "SqliteQueue": "queue_sqlite",
    "Backoff": "session",
    "DeviceSide": "side",
}

__all__ = list(_ROOMS)

if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, _ROOMS)
