"""The elements of messages (IEs), the keys of the configurations, and the events."""

from enum import IntEnum, StrEnum

from iot_northbound.device.agentlite.enums import MsgType
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr


class BindIE(IntEnum):
    """What the result of a bind has (5.2.2.4, 6.3.2)."""

    RESULT = 0
    DEVICEID = 1
    DEVICESECRET = 2
    APPID = 3
    IOCM_ADDR = 4
    IOCM_PORT = 5
    MQTT_ADDR = 6
    MQTT_PORT = 7
    IODM_ADDR = 8  # seen in the field
    IODM_PORT = 9  # seen in the field
    LVS_ADDR = 100  # the number is ours: only Java and Android have this element
    HA_ADDR = IOCM_ADDR
    DEVICEMSECRET = DEVICESECRET


class LoginIE(IntEnum):
    """What a message about the connection has (5.2.2.7, 6.3.4)."""

    REASON = 0
    STATUS = REASON
    RESULT = REASON


class HubIE(IntEnum):
    """What a message about a child device has (5.2.3, 6.3.7, 6.3.10)."""

    RESULT = 0
    DEVICEID = 1
    COOKIE = 2  # the number is ours


DeviceUpdateIE = HubIE
"""C has a family of its own for the result of an update, with the same names and numbers (6.3.10)."""


class DataIE(IntEnum):
    """What a message about data or a command has (5.2.4, 5.2.5, 6.3.9)."""

    RESULT = 0
    DEVICEID = 1
    REQUESTID = 2
    SERVICEID = 3
    METHOD = 4
    CMDCONTENT = 5
    MSGCONTENT = 6  # seen in the field
    MSGTOPIC = 7  # seen in the field
    COOKIE = 8  # the number is ours
    COMMANDCONTENT = CMDCONTENT
    REQUSTID = REQUESTID


class BindKey(IntEnum):
    """The keys of `BindConfig.setConfig` (5.2.2.3); the numbers are ours."""

    ADDR = 0
    PORT = 1


class LoginKey(IntEnum):
    """The keys of `LoginConfig.setConfig` (5.2.2.6.1), with the numbers of 6.3.6."""

    DEVICEID = 0
    DEVICESECRET = 1
    APPID = 2
    IOCM_ADDR = 3
    IOCM_PORT = 4
    MQTT_ADDR = 5
    MQTT_PORT = 6
    SECRET = DEVICESECRET
    IOCM_ADDRESS = IOCM_ADDR
    HA_ADDR = IOCM_ADDR
    LVS_ADDR = MQTT_ADDR


class Topic(StrEnum):
    """The events. Each is the name of Android's and C's broadcast, without what the languages put before it."""

    BINDDEVICE_RSP = "BINDDEVICE_RSP"
    LOGIN_CONNECTED = "LOGIN_CONNECTED"
    LOGIN_DISCONNECT = "LOGIN_DISCONNECT"
    ADDDEV_RSP = "ADDDEV_RSP"
    DEVSTATUS_RSP = "DEVSTATUS_RSP"
    RMVDEV_RSP = "RMVDEV_RSP"
    DATA_REPORT_RSP = "DATA_REPORT_RSP"
    COMMAND_RECEIVE = "COMMAND_RECEIVE"
    UNBIND_DEVICE = "UNBIND_DEVICE"
    MQTT_PUB_RSP = "MQTT_PUB_RSP"
    MQTT_SUB_RSP = "MQTT_SUB_RSP"
    MQTT_DATA_RECV = "MQTT_DATA_RECV"
    UNBIND = UNBIND_DEVICE

    @property
    def msg_type(self) -> MsgType:
        """The type of the event's messages. A command and an unbind have the same one."""
        return _TYPES[self]

    @property
    def elements(self) -> type[IntEnum]:
        """The elements that the event's messages may have."""
        return _ELEMENTS[self]

    @classmethod
    def of(cls, event: "Topic | MsgType | str") -> "Topic":
        """Return the event that is meant: by a type, or by any documented spelling of its name.

        The type RECEIVE_CMD means commands; ask for `Topic.UNBIND` to hear that the device was deleted.

        Raises:
            AgentLiteError: NOMATCH; there is no such event.
        """
        if isinstance(event, MsgType):
            return next(topic for topic, msg_type in _TYPES.items() if msg_type is event)
        name = event.removeprefix("IOTA_").removeprefix("TOPIC_")
        found = cls.__members__.get(_SPELLINGS.get(name, name))
        if found is None:
            raise AgentLiteError(
                HwErr.NOMATCH, f"event = {event!r}: there is no such event; the events are {', '.join(cls)}"
            )
        return found


_TYPES: dict[Topic, MsgType] = {
    Topic.BINDDEVICE_RSP: MsgType.BIND_RSP,
    Topic.LOGIN_CONNECTED: MsgType.LOGIN_RSP,
    Topic.LOGIN_DISCONNECT: MsgType.LOGOUT_RSP,
    Topic.ADDDEV_RSP: MsgType.ADD_DEVICE_RSP,
    Topic.DEVSTATUS_RSP: MsgType.UPDATE_DEVSTATUS_RSP,
    Topic.RMVDEV_RSP: MsgType.RMV_DEVICE_RSP,
    Topic.DATA_REPORT_RSP: MsgType.DATA_REPORT_RSP,
    Topic.COMMAND_RECEIVE: MsgType.RECEIVE_CMD,
    Topic.UNBIND_DEVICE: MsgType.RECEIVE_CMD,  # after the command: a type leads to the first event that has it
    Topic.MQTT_PUB_RSP: MsgType.MQTT_PUB_RSP,
    Topic.MQTT_SUB_RSP: MsgType.MQTT_SUB_RSP,
    Topic.MQTT_DATA_RECV: MsgType.MQTT_DATA_RECV_RSP,
}
_HUB = {Topic.ADDDEV_RSP, Topic.DEVSTATUS_RSP, Topic.RMVDEV_RSP, Topic.UNBIND_DEVICE}
_FAMILIES: dict[Topic, type[IntEnum]] = {
    Topic.BINDDEVICE_RSP: BindIE,
    Topic.LOGIN_CONNECTED: LoginIE,
    Topic.LOGIN_DISCONNECT: LoginIE,
}
_ELEMENTS: dict[Topic, type[IntEnum]] = {
    topic: _FAMILIES.get(topic, HubIE if topic in _HUB else DataIE) for topic in _TYPES
}
_SPELLINGS = {
    "BINDDDEVICE_RSP": "BINDDEVICE_RSP",
    "BIND_RSP": "BINDDEVICE_RSP",
    "CONNECTED_NTY": "LOGIN_CONNECTED",
    "LOGIN_DISCONNECTED": "LOGIN_DISCONNECT",
    "DISCONNECT_NTY": "LOGIN_DISCONNECT",
    "HUB_ADDDEV_RSP": "ADDDEV_RSP",
    "DEVSTATUS_UPDATA_RSP": "DEVSTATUS_RSP",
    "DEV_UPDATE_RSP": "DEVSTATUS_RSP",
    "DEVUPDATE_RSP": "DEVSTATUS_RSP",
    "HUB_RMVDEV_RSP": "RMVDEV_RSP",
    "DATA_TRANS_REPORT_RSP": "DATA_REPORT_RSP",
    "DATATRANS_REPORT_RSP": "DATA_REPORT_RSP",
    "SERVICE_COMMAND_RECEIVE": "COMMAND_RECEIVE",
    "SERVICE_CMD_RECEIVE": "COMMAND_RECEIVE",
    "UNBINDDEVICE": "UNBIND_DEVICE",
    "UNBINDDDEVICE": "UNBIND_DEVICE",
    "UNBINDEVICE": "UNBIND_DEVICE",
    "CMD_UNBIND_RECEIVE": "UNBIND_DEVICE",
    "MQTT_DATA_PUB_RSP": "MQTT_PUB_RSP",
    "MQTT_DATA_RECV_RSP": "MQTT_DATA_RECV",
}
