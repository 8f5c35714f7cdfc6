"""The numbers of chapters 5 to 7, with what they mean."""

from enum import IntEnum, StrEnum
from typing import Self


class Number(IntEnum):
    """A documented number with its meaning.

    Attributes:
        meaning: what the number says.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Make a member that is the number and knows its meaning."""
        self = int.__new__(cls, value)
        self._value_ = value
        self.meaning = meaning
        return self

    @classmethod
    def of(cls, number: int) -> Self:
        """Return the member with this number.

        Raises:
            ValueError: no member has it.
        """
        for each in cls:
            if each == number:
                return each
        raise ValueError(f"{number!r}: give one of {', '.join(f'{int(each)} ({each.name})' for each in cls)}")


class AlgType(Number):
    """How the stored credentials are encrypted (5.2.2.6.2, 6.2.2.6.2, 7.2.2.6.2)."""

    AES_256_CBC = 0, "AES-256-CBC, with HMAC-SHA256 over what it gives"
    AES_128_GCM = 1, "AES-128-GCM"
    AES_256_GCM = 2, "AES-256-GCM"


class MsgType(Number):
    """The type of a message, as `IotaMessage.get_msg_type` gives it.

    1 and 2 stand in the samples of 7.2.2.7. The reference names the others and gives them no number: those are ours.
    """

    LOGIN_RSP = 1, "the device is connected"
    LOGOUT_RSP = 2, "the device is not connected"
    ADD_DEVICE_RSP = 101, "the result of add_device"
    RMV_DEVICE_RSP = 102, "the result of rmv_device"
    UPDATE_DEVSTATUS_RSP = 103, "the result of update_device_status"
    RECEIVE_CMD = 104, "a command; at the hub: the platform has deleted the device"
    DATA_REPORT_RSP = 105, "the result of data_report"
    MQTT_PUB_RSP = 106, "the result of mqtt_data_pub"
    MQTT_SUB_RSP = 107, "the result of mqtt_sub_topic"
    MQTT_DATA_RECV_RSP = 108, "a message on a topic of mqtt_sub_topic"
    BIND_RSP = 109, "the result of bind; the reference has no type for it"
    COMMAND_RECEIVE = RECEIVE_CMD
    IODEV_MSG_ADD_DEVICE_RSP = ADD_DEVICE_RSP
    IODEV_MSG_RMV_DEVICE_RSP = RMV_DEVICE_RSP
    IODEV_MSG_UPDATE_DEVSTATUS_RSP = UPDATE_DEVSTATUS_RSP
    IODEV_MSG_RECEIVE_CMD = RECEIVE_CMD
    IODEV_MSG_DATA_REPORT_RSP = DATA_REPORT_RSP
    IODEV_MSG_MQTT_PUB_RSP = MQTT_PUB_RSP
    IODEV_MSG_MQTT_SUB_RSP = MQTT_SUB_RSP
    IODEV_MSG_MQTT_DATA_RECV_RSP = MQTT_DATA_RECV_RSP


class BindResult(Number):
    """How a bind ended (5.3.2, 6.3.3)."""

    SUCCESS = 0, "the device is bound"
    DEVICE_NOT_BOUND = 1, "the platform knows no device with this verification code: register it first"
    VERIFICATION_CODE_EXPIRED = 2, "the verification code has expired: register the device again"
    FAILED = 255, "the device could not be bound for another reason"
    DEV_NOT_BIND = DEVICE_NOT_BOUND
    DEV_NOT_REGISTER = DEVICE_NOT_BOUND
    VERIFYCODE_EXPIRED = VERIFICATION_CODE_EXPIRED


class LoginReason(IntEnum):
    """Why a device is not connected, with the number of Java and Android (5.3.3).

    Attributes:
        c_value: the number of the same reason in C (6.3.5).
        meaning: what the reason says.
    """

    c_value: int
    meaning: str

    def __new__(cls, value: int, c_value: int, meaning: str) -> Self:
        """Make a member that is Java's number and knows C's."""
        self = int.__new__(cls, value)
        self._value_ = value
        self.c_value, self.meaning = c_value, meaning
        return self

    NULL = 0, 0, "no reason: the device is connected, or logged out by itself"
    CONNECTION_ERR = 1, 1, "the connection failed or was lost"
    SERVER_BUSY = 2, 2, "the platform is busy"
    AUTH_FAILED = 3, 3, "the platform refused the credentials; the agent does not try again by itself"
    NETWORK_UNAVAILABLE = 4, 5, "the platform cannot be reached over the network"
    DEVICE_NOEXIST = 5, 12, "the platform does not know the device; the agent does not try again by itself"
    DEVICE_RMVED = 6, 13, "the device was deleted on the platform; bind it again"
    UNKNOWN = 7, 255, "the reason is not known"
    DEVICE_DOES_NOT_EXIST = DEVICE_NOEXIST
    DEVICE_REMOVED = DEVICE_RMVED

    @classmethod
    def from_c(cls, number: int) -> "LoginReason":
        """Return the reason with this number in C; UNKNOWN if no reason has it."""
        return next((each for each in cls if each.c_value == number), cls.UNKNOWN)


class HubResult(Number):
    """How a call about a child device ended (5.3.4, 6.3.8)."""

    SUCCESS = 0, "the platform has done it"
    DEVICE_EXISTS = 1, "the platform has the device already"
    DEVICE_NOTEXIST = 2, "the platform has no such device"
    DEVICE_FAILED = 255, "it failed for another reason"
    DEVICE_EXIST = DEVICE_EXISTS
    EXISTS = DEVICE_EXISTS
    NOTEXIST = DEVICE_NOTEXIST
    FAILED = DEVICE_FAILED


class DataResult(Number):
    """How a report, a publish or a subscription ended (6.3.9)."""

    SUCCESS = 0, "the platform has it"
    FAILED = 1, "the platform does not have it"


class DeviceStatus(StrEnum):
    """Whether a device is online (5.3.1)."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


class StatusDetail(StrEnum):
    """More about the status of a device (5.3.1). C prints the first one as None; NONE is sent."""

    NONE = "NONE"
    CONFIGURATION_PENDING = "CONFIGURATION_PENDING"
    COMMUNICATION_ERROR = "COMMUNICATION_ERROR"
    CONFIGURATION_ERROR = "CONFIGURATION_ERROR"
    BRIDGE_OFFLINE = "BRIDGE_OFFLINE"
    FIRMWARE_UPDATING = "FIRMWARE_UPDATING"
    DUTY_CYCLE = "DUTY_CYCLE"
    NOT_ACTIVE = "NOT_ACTIVE"


class Mute(StrEnum):
    """Whether a device is screened (5.3.1)."""

    TRUE = "TRUE"
    FALSE = "FALSE"
