"""The functions of C (chapter 6) as methods of an agent, with their names and their order of arguments.

They do what the Python methods do: they raise AgentLiteError in place of a return code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from iot_northbound.device.agentlite.elements import LoginKey, Topic
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from iot_northbound.device.agentlite.calls import Accepted
    from iot_northbound.device.agentlite.config import BindConfig, LoginConfig
    from iot_northbound.device.agentlite.events import Events
    from iot_northbound.device.agentlite.info import IotaDeviceInfo
    from iot_northbound.device.agentlite.message import IotaMessage
    from iot_northbound.device.agentlite.services import BindService, DataTransService, HubService, LoginService

Receiver = Callable[[int, "IotaMessage"], object]
"""A function of `HW_BroadCastReg`: it gets the cookie and the message."""


class CNames:
    """The functions of C."""

    if TYPE_CHECKING:  # what the agent has
        events: Events
        bind_config: BindConfig
        login_config: LoginConfig

        bind_service: BindService
        login_service: LoginService
        hub_service: HubService
        data_trans_service: DataTransService

    def HW_BroadCastReg(self, topic: str, receiver: Receiver) -> None:
        """Call a function with the cookie and each message of a broadcast.

        The broadcast may end in `/` and a device id: then it hears only of this device.

        Raises:
            AgentLiteError: NOMATCH; there is no such broadcast. CALLBACK; it is no function.
        """
        if not callable(receiver):
            raise AgentLiteError(HwErr.CALLBACK, f"a {type(receiver).__name__} is not a function")
        name, _, device_id = topic.partition("/")
        self.events.listen(
            frozenset({Topic.of(name)}),
            receiver,
            lambda message: receiver(message.cookie, message),
            device_id or None,
        )

    def HW_BroadCastUnreg(self, topic: str, receiver: Receiver) -> None:
        """Call this function no more for this broadcast.

        Raises:
            AgentLiteError: NOMATCH; it is not registered.
        """
        name, _, device_id = topic.partition("/")
        self.events.forget(frozenset({Topic.of(name)}), receiver, device_id or None)

    def IOTA_ConfigSetStr(self, item: int, value: str | int) -> bool:
        """Set a value of `login_config`; address and port of the IoCM server are those of `bind_config` too.

        Raises:
            AgentLiteError: ID; there is no such item. PARA; the value is not allowed.
        """
        self.login_config.set_config(item, value)
        if item == LoginKey.IOCM_ADDR:
            self.bind_config.addr = self.login_config.iocm_addr
        elif item == LoginKey.IOCM_PORT and self.login_config.iocm_port is not None:
            self.bind_config.port = self.login_config.iocm_port
        return True

    IOTA_ConfigSetUint = IOTA_ConfigSetStr
    IOTA_ConfigSetUInt = IOTA_ConfigSetStr
    IOTA_SetConfig = IOTA_ConfigSetStr

    def IOTA_Bind(self, verify_code: str, device_info: IotaDeviceInfo) -> Accepted:
        """Do what `BindService.bind` does."""
        return self.bind_service.bind(verify_code, device_info)

    def IOTA_Login(self) -> Accepted:
        """Do what `LoginService.login` does."""
        return self.login_service.login()

    def IOTA_Logout(self) -> Accepted:
        """Do what `LoginService.logout` does."""
        return self.login_service.logout()

    def IOTA_HubDeviceAdd(self, cookie: int | None, device_info: IotaDeviceInfo) -> Accepted:
        """Do what `HubService.add_device` does."""
        return self.hub_service.add_device(device_info, cookie)

    def IOTA_DeviceStatusUpdate(self, cookie: int | None, device_id: str, status: str, status_detail: str) -> Accepted:
        """Do what `HubService.update_device_status` does."""
        return self.hub_service.update_device_status(device_id, status, status_detail, cookie)

    def IOTA_HubDeviceRemove(self, cookie: int | None, device_id: str) -> Accepted:
        """Do what `HubService.rmv_device` does."""
        return self.hub_service.rmv_device(device_id, cookie)

    def IOTA_ServiceDataReport(
        self,
        cookie: int | None,
        request_id: str | None,
        device_id: str,
        service_id: str,
        service_properties: str | Mapping[str, Any],
    ) -> Accepted:
        """Do what `DataTransService.data_report` does."""
        return self.data_trans_service.data_report(device_id, service_id, service_properties, request_id, cookie)

    def IOTA_MqttDataPub(self, cookie: int | None, topic: str, qos: int | None, service_data: bytes | str) -> Accepted:
        """Do what `DataTransService.mqtt_data_pub` does."""
        return self.data_trans_service.mqtt_data_pub(topic, service_data, qos, cookie)

    def IOTA_SubscribeTopic(self, cookie: int | None, topic: str, qos: int | None = 1) -> Accepted:
        """Do what `DataTransService.mqtt_sub_topic` does. Seen in the field, not in the reference."""
        return self.data_trans_service.mqtt_sub_topic(topic, qos, cookie)
