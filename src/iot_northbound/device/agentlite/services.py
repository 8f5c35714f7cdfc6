"""The services of chapters 5 to 7, as views of one agent: several views share what the agent has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.elements import BindIE, DataIE, HubIE, LoginIE, Topic
from iot_northbound.device.agentlite.enums import (
    BindResult,
    DataResult,
    DeviceStatus,
    HubResult,
    LoginReason,
    MsgType,
    StatusDetail,
)
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.agentlite.info import IotaDeviceInfo, one_of, text
from iot_northbound.device.agentlite.spelling import spelled

if TYPE_CHECKING:
    from iot_northbound.device.agentlite.agent import AgentLite
    from iot_northbound.device.agentlite.events import MyObserver


class IodevService:
    """The types of messages (7.2). They are those of `MsgType`."""

    IODEV_MSG_ADD_DEVICE_RSP: ClassVar = MsgType.ADD_DEVICE_RSP
    IODEV_MSG_RMV_DEVICE_RSP: ClassVar = MsgType.RMV_DEVICE_RSP
    IODEV_MSG_UPDATE_DEVSTATUS_RSP: ClassVar = MsgType.UPDATE_DEVSTATUS_RSP
    IODEV_MSG_RECEIVE_CMD: ClassVar = MsgType.RECEIVE_CMD
    IODEV_MSG_DATA_REPORT_RSP: ClassVar = MsgType.DATA_REPORT_RSP
    IODEV_MSG_MQTT_PUB_RSP: ClassVar = MsgType.MQTT_PUB_RSP
    IODEV_MSG_MQTT_SUB_RSP: ClassVar = MsgType.MQTT_SUB_RSP
    IODEV_MSG_MQTT_DATA_RECV_RSP: ClassVar = MsgType.MQTT_DATA_RECV_RSP


class Service:
    """What the services have in common: observers."""

    TOPICS: ClassVar[frozenset[Topic]]

    def __init__(self, agent: AgentLite) -> None:
        self._agent = agent

    def register_observer(self, observer: MyObserver) -> None:
        """Call `observer.update` with each message of this service.

        Raises:
            AgentLiteError: CALLBACK; it has no method `update`.
        """
        update = getattr(observer, "update", None)
        if not callable(update):
            raise AgentLiteError(
                HwErr.CALLBACK, f"a {type(observer).__name__} is not an observer: it needs update(message)"
            )
        self._agent.events.listen(self.TOPICS, observer, update)

    def remove_observer(self, observer: MyObserver) -> None:
        """Call this observer no more.

        Raises:
            AgentLiteError: NOMATCH; it is not registered.
        """
        self._agent.events.forget(self.TOPICS, observer)

    registerObserver = register_observer
    removeObserver = remove_observer


class BindService(Service):
    """Binds a device that the application has registered (5.2.2.4, 6.2.2.4, 7.2.2.4)."""

    TOPICS = frozenset({Topic.BINDDEVICE_RSP})

    def bind(self, verify_code: str, device_info: IotaDeviceInfo) -> Accepted:
        """Bind the device and store what the platform gives; the result comes as an event.

        After a failure there are five more attempts, 30 seconds apart, and then one event. If they fail too, no
        attempt is made until there is a new agent. A verification code that has expired ends it at once.

        Args:
            verify_code: the verification code: the node id of the registration (1.4.1), or the preSecret of the portal.
            device_info: what the device is.

        Raises:
            AgentLiteError: PARA; an argument is wrong. STATE; `bind_config.addr` is not set, a bind is under way, or
                the device is logged in. OVERTIMES; six attempts have failed before. NOTLOAD; the agent is closed.
        """
        return self._agent.begin_bind(verify_code, device_info)

    TOPIC_BINDDEVICE_RSP: ClassVar = Topic.BINDDEVICE_RSP
    TOPIC_BINDDDEVICE_RSP: ClassVar = Topic.BINDDEVICE_RSP
    BIND_IE_RESULT: ClassVar = BindIE.RESULT
    BIND_IE_DEVICEID: ClassVar = BindIE.DEVICEID
    BIND_IE_DEVICESECRET: ClassVar = BindIE.DEVICESECRET
    BIND_IE_APPID: ClassVar = BindIE.APPID
    BIND_IE_HA_ADDR: ClassVar = BindIE.HA_ADDR
    BIND_IE_LVS_ADDR: ClassVar = BindIE.LVS_ADDR
    BIND_RESULT_SUCCESS: ClassVar = BindResult.SUCCESS
    BIND_RESULT_DEVICE_NOT_BOUND: ClassVar = BindResult.DEVICE_NOT_BOUND
    BIND_RESULT_VERIFICATION_CODE_EXPIRED: ClassVar = BindResult.VERIFICATION_CODE_EXPIRED
    BIND_RESULT_FAILED: ClassVar = BindResult.FAILED


class LoginService(Service):
    """Connects a bound device (5.2.2.7, 6.2.2.7, 7.2.2.7)."""

    TOPICS = frozenset({Topic.LOGIN_CONNECTED, Topic.LOGIN_DISCONNECT})

    def login(self) -> Accepted:
        """Connect the device; the result comes as an event.

        Values of `login_config` come first, then what a bind has stored. After a fault of the network or the platform
        the agent connects again by itself; there is an event each time. It stops if the platform refuses the
        credentials, does not know the device or has deleted it.

        Returns:
            what ends with the first connection, or with the refusal.

        Raises:
            AgentLiteError: STATE; the device is not bound, or it is logged in already. NOTLOAD; the agent is closed.
        """
        return self._agent.begin_login()

    def logout(self) -> Accepted:
        """Disconnect the device; the result comes as an event with the reason NULL.

        Raises:
            AgentLiteError: STATE; it is not logged in. NOTLOAD; the agent is closed.
        """
        return self._agent.begin_logout()

    TOPIC_LOGIN_CONNECTED: ClassVar = Topic.LOGIN_CONNECTED
    TOPIC_LOGIN_DISCONNECT: ClassVar = Topic.LOGIN_DISCONNECT
    TOPIC_LOGIN_DISCONNECTED: ClassVar = Topic.LOGIN_DISCONNECT
    LOGIN_IE_REASON: ClassVar = LoginIE.REASON
    LOGIN_IE_STATUS: ClassVar = LoginIE.STATUS
    LOGIN_IE_RESULT: ClassVar = LoginIE.RESULT
    LOGIN_REASON_NULL: ClassVar = LoginReason.NULL
    LOGIN_REASON_CONNECTION_ERR: ClassVar = LoginReason.CONNECTION_ERR
    LGN_REASON_CONNECTION_ERR: ClassVar = LoginReason.CONNECTION_ERR
    LOGIN_REASON_SERVER_BUSY: ClassVar = LoginReason.SERVER_BUSY
    LOGIN_REASON_AUTH_FAILED: ClassVar = LoginReason.AUTH_FAILED
    LOGIN_REASON_NETWORK_UNAVAILABLE: ClassVar = LoginReason.NETWORK_UNAVAILABLE
    LOGIN_REASON_DEVICE_NOEXIST: ClassVar = LoginReason.DEVICE_NOEXIST
    LOGIN_REASON_DEVICE_RMVED: ClassVar = LoginReason.DEVICE_RMVED
    LOGIN_REASON_UNKNOWN: ClassVar = LoginReason.UNKNOWN


class HubService(Service):
    """Devices behind a gateway (5.2.3, 6.2.3, 7.2.3), and the news that the platform has deleted the gateway."""

    TOPICS = frozenset({Topic.ADDDEV_RSP, Topic.DEVSTATUS_RSP, Topic.RMVDEV_RSP, Topic.UNBIND_DEVICE})

    def add_device(self, device_info: IotaDeviceInfo, cookie: int | None = None) -> Accepted:
        """Add a device behind this gateway; the event has its device id.

        A device that the gateway has already gives the result DEVICE_EXISTS and its id; `result` returns that too.

        Raises:
            AgentLiteError: PARA; an argument is wrong. STATE; log in first. NOTLOAD; the agent is closed.
        """
        if not isinstance(device_info, IotaDeviceInfo):
            raise AgentLiteError(HwErr.PARA, f"device_info: give an IotaDeviceInfo, not {type(device_info).__name__}")
        return self._agent.link().children.add(device_info, cookie)

    def update_device_status(
        self,
        device_id: str,
        status: DeviceStatus | str,
        status_detail: StatusDetail | str = StatusDetail.NONE,
        cookie: int | None = None,
    ) -> Accepted:
        """Tell the platform whether a device behind this gateway is online.

        While the gateway is not connected, the last status of each device waits, and goes out before any data. It is
        sent again after each new connection.

        Raises:
            AgentLiteError: PARA; an argument is wrong. STATE; log in first. NOTLOAD; the agent is closed.
        """
        device_id = text("device_id", device_id)
        of_status, detail = one_of(DeviceStatus, "status", status), one_of(StatusDetail, "status_detail", status_detail)
        return self._agent.link().children.update(device_id, of_status, detail, cookie)

    def rmv_device(self, device_id: str, cookie: int | None = None) -> Accepted:
        """Remove a device behind this gateway.

        Raises:
            AgentLiteError: PARA; an argument is wrong. STATE; log in first. NOTLOAD; the agent is closed.
        """
        return self._agent.link().children.remove(text("device_id", device_id), cookie)

    addDevice = spelled(add_device, "cookie", "device_info")
    updateDeviceStatus = spelled(update_device_status, "cookie", "device_id", "status", "status_detail")
    deviceStatusUpdate = updateDeviceStatus
    rmvDevice = spelled(rmv_device, "cookie", "device_id")
    rmDevice = rmvDevice

    TOPIC_ADDDEV_RSP: ClassVar = Topic.ADDDEV_RSP
    TOPIC_DEVSTATUS_UPDATA_RSP: ClassVar = Topic.DEVSTATUS_RSP
    TOPIC_DEVSTATUS_RSP: ClassVar = Topic.DEVSTATUS_RSP
    TOPIC_RMVDEV_RSP: ClassVar = Topic.RMVDEV_RSP
    TOPIC_UNBINDDEVICE: ClassVar = Topic.UNBIND_DEVICE
    TOPIC_UNBINDDDEVICE: ClassVar = Topic.UNBIND_DEVICE
    TOPIC_UNBINDEVICE: ClassVar = Topic.UNBIND_DEVICE
    TOPIC_UNBIND_DEVICE: ClassVar = Topic.UNBIND_DEVICE
    HUB_IE_RESULT: ClassVar = HubIE.RESULT
    HUB_IE_DEVICEID: ClassVar = HubIE.DEVICEID
    HUB_IE_COOKIE: ClassVar = HubIE.COOKIE
    HUB_RESULT_SUCCESS: ClassVar = HubResult.SUCCESS
    HUB_RESULT_DEVICE_EXISTS: ClassVar = HubResult.DEVICE_EXISTS
    HUB_RESULT_DEVICE_EXIST: ClassVar = HubResult.DEVICE_EXISTS
    HUB_RESULT_DEVICE_NOTEXIST: ClassVar = HubResult.DEVICE_NOTEXIST
    HUB_RESULT_DEVICE_FAILED: ClassVar = HubResult.DEVICE_FAILED
    HUB_RESULT_FAILED: ClassVar = HubResult.DEVICE_FAILED


class DataTransService(Service):
    """Reports, commands and their answers, and MQTT messages of your own (5.2.4 to 5.2.6, 6.2.4 to 6.2.6)."""

    TOPICS = frozenset(
        {
            Topic.DATA_REPORT_RSP,
            Topic.COMMAND_RECEIVE,
            Topic.MQTT_PUB_RSP,
            Topic.MQTT_SUB_RSP,
            Topic.MQTT_DATA_RECV,
        }
    )

    def data_report(
        self,
        device_id: str,
        service_id: str,
        service_properties: str | Mapping[str, Any],
        request_id: str | None = None,
        cookie: int | None = None,
    ) -> Accepted:
        """Report data of this device or of one behind it, or answer a command.

        While the device is not connected, reports wait in the agent's queue.

        Args:
            device_id: the device that the data is of.
            service_id: a service of its product model.
            service_properties: its properties, as JSON text or as a mapping.
            request_id: None for a report; for the answer to a command, the `request_id` of the command. Then a number
                `errcode` among the properties is the result: 0, as without it, means success.
            cookie: a number from 1 to 65535 that the event repeats.

        Raises:
            AgentLiteError: PARA; an argument is wrong. NOMATCH; no command with this id waits for an answer. STATE; log
                in first. NOTLOAD; the agent is closed.
        """
        device_id, service_id = text("device_id", device_id), text("service_id", service_id)
        values = _properties(service_properties)
        if request_id is None:
            return self._agent.link().data.report(device_id, service_id, values, cookie)
        return self._agent.link().data.answer(device_id, text("request_id", request_id), values, cookie)

    def mqtt_data_pub(
        self, topic: str, service_data: bytes | bytearray | str, qos: int | None = 1, cookie: int | None = None
    ) -> Accepted:
        """Publish bytes on a topic, as they are. With QoS 0 the result says only that they were sent.

        Raises:
            AgentLiteError: PARA; an argument is wrong. STATE; log in first. NOTLOAD; the agent is closed.
        """
        if isinstance(service_data, str):
            service_data = service_data.encode()
        if not isinstance(service_data, bytes | bytearray):
            raise AgentLiteError(HwErr.PARA, f"service_data: give bytes, not {type(service_data).__name__}")
        return self._agent.link().data.publish(text("topic", topic), bytes(service_data), _qos(qos), cookie)

    def mqtt_sub_topic(self, topic: str, qos: int | None = 1, cookie: int | None = None) -> Accepted:
        """Subscribe to a topic; its messages come as MQTT_DATA_RECV events. Seen in the field, not in the reference.

        Raises:
            AgentLiteError: PARA; an argument is wrong. STATE; log in first. NOTLOAD; the agent is closed.
        """
        return self._agent.link().data.subscribe(text("topic", topic), _qos(qos), cookie)

    dataReport = spelled(data_report, "cookie", "request_id", "device_id", "service_id", "service_properties")
    reportData = dataReport
    mqttDataPub = spelled(mqtt_data_pub, "cookie", "topic", "qos", "service_data")
    mqttSubTopic = spelled(mqtt_sub_topic, "cookie", "topic", "qos")

    TOPIC_DATA_REPORT_RSP: ClassVar = Topic.DATA_REPORT_RSP
    TOPIC_COMMAND_RECEIVE: ClassVar = Topic.COMMAND_RECEIVE
    TOPIC_MQTT_SUB_RSP: ClassVar = Topic.MQTT_SUB_RSP
    DATATRANS_IE_RESULT: ClassVar = DataIE.RESULT
    DATATRANS_IE_DEVICEID: ClassVar = DataIE.DEVICEID
    DATATRANS_IE_REQUESTID: ClassVar = DataIE.REQUESTID
    DATATRANS_IE_REQUSTID: ClassVar = DataIE.REQUESTID
    DATATRANS_IE_SERVICEID: ClassVar = DataIE.SERVICEID
    DATATRANS_IE_METHOD: ClassVar = DataIE.METHOD
    DATATRANS_IE_CMDCONTENT: ClassVar = DataIE.CMDCONTENT
    DATATRANS_IE_COMMANDCONTENT: ClassVar = DataIE.CMDCONTENT
    DATATRANS_IE_COOKIE: ClassVar = DataIE.COOKIE
    DATATRANS_RESULT_SUCCESS: ClassVar = DataResult.SUCCESS
    DATATRANS_RESULT_FAILED: ClassVar = DataResult.FAILED


def _properties(given: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    try:
        values = json.loads(given)
    except (TypeError, ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise AgentLiteError(
            HwErr.PARA, 'service_properties: give the text of a JSON object, such as {"status": "OPEN"}, or a mapping'
        )
    return values


def _qos(qos: int | None) -> int:
    if qos is None:
        return 1
    if qos not in (0, 1) or isinstance(qos, bool):
        raise AgentLiteError(HwErr.PARA, f"qos = {qos!r}: give 0 or 1")
    return qos
