"""AgentLite: the device side of chapters 5 to 7, for Android, C and Java, in Python.

Names are loaded on first use. The constants of C are in `c_constants`, and its functions are methods of `AgentLite`.
"""

from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.device.agentlite.agent import AgentLite as AgentLite
    from iot_northbound.device.agentlite.agent import BaseService as BaseService
    from iot_northbound.device.agentlite.agent import IOTA_Init as IOTA_Init
    from iot_northbound.device.agentlite.calls import Accepted as Accepted
    from iot_northbound.device.agentlite.config import BindConfig as BindConfig
    from iot_northbound.device.agentlite.config import LoginConfig as LoginConfig
    from iot_northbound.device.agentlite.elements import BindIE as BindIE
    from iot_northbound.device.agentlite.elements import BindKey as BindKey
    from iot_northbound.device.agentlite.elements import DataIE as DataIE
    from iot_northbound.device.agentlite.elements import DeviceUpdateIE as DeviceUpdateIE
    from iot_northbound.device.agentlite.elements import HubIE as HubIE
    from iot_northbound.device.agentlite.elements import LoginIE as LoginIE
    from iot_northbound.device.agentlite.elements import LoginKey as LoginKey
    from iot_northbound.device.agentlite.elements import Topic as Topic
    from iot_northbound.device.agentlite.enums import AlgType as AlgType
    from iot_northbound.device.agentlite.enums import BindResult as BindResult
    from iot_northbound.device.agentlite.enums import DataResult as DataResult
    from iot_northbound.device.agentlite.enums import DeviceStatus as DeviceStatus
    from iot_northbound.device.agentlite.enums import HubResult as HubResult
    from iot_northbound.device.agentlite.enums import LoginReason as LoginReason
    from iot_northbound.device.agentlite.enums import MsgType as MsgType
    from iot_northbound.device.agentlite.enums import Mute as Mute
    from iot_northbound.device.agentlite.enums import StatusDetail as StatusDetail
    from iot_northbound.device.agentlite.errors import AgentLiteError as AgentLiteError
    from iot_northbound.device.agentlite.errors import HwErr as HwErr
    from iot_northbound.device.agentlite.errors import StoreError as StoreError
    from iot_northbound.device.agentlite.events import MyObserver as MyObserver
    from iot_northbound.device.agentlite.info import IotaDeviceInfo as IotaDeviceInfo
    from iot_northbound.device.agentlite.message import IotaMessage as IotaMessage
    from iot_northbound.device.agentlite.services import BindService as BindService
    from iot_northbound.device.agentlite.services import DataTransService as DataTransService
    from iot_northbound.device.agentlite.services import HubService as HubService
    from iot_northbound.device.agentlite.services import IodevService as IodevService
    from iot_northbound.device.agentlite.services import LoginService as LoginService

_ROOMS = {
    "AgentLite": "agent",
    "BaseService": "agent",
    "IOTA_Init": "agent",
    "BindService": "services",
    "LoginService": "services",
    "HubService": "services",
    "DataTransService": "services",
    "IodevService": "services",
    "BindConfig": "config",
    "LoginConfig": "config",
    "IotaDeviceInfo": "info",
    "IotaMessage": "message",
    "MyObserver": "events",
    "Accepted": "calls",
    "AlgType": "enums",
    "MsgType": "enums",
    "BindResult": "enums",
    "LoginReason": "enums",
    "HubResult": "enums",
    "DataResult": "enums",
    "DeviceStatus": "enums",
    "StatusDetail": "enums",
    "Mute": "enums",
    "BindIE": "elements",
    "LoginIE": "elements",
    "HubIE": "elements",
    "DeviceUpdateIE": "elements",
    "DataIE": "elements",
    "BindKey": "elements",
    "LoginKey": "elements",
    "Topic": "elements",
    "HwErr": "errors",
    "AgentLiteError": "errors",
    "StoreError": "errors",
}

__all__ = list(_ROOMS)

if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, _ROOMS)
