"""The two tables of result codes, with their meanings."""

from enum import IntEnum
from typing import Any, Self

from iot_northbound.core.open_enum import OpenEnum


class ServerStatus(OpenEnum):
    """What the server says of a hub's message. A status that the page does not list is kept."""

    ACK = "ACK"
    CONT = "CONT"
    ERR = "ERR"
    ERR_FORMAT = "ERR_FORMAT"
    UNKNOWN = "UNKNOWN"
    UNAUTHORIZED = "UNAUTHORIZED"

    @property
    def meaning(self) -> str:
        """What the status says, and what the hub does next."""
        return _STATUSES.get(str(self), "the page of result codes does not list this status")

    @property
    def taken(self) -> bool:
        """Whether the server has taken the message."""
        return self in (ServerStatus.ACK, ServerStatus.CONT)


_STATUSES = {
    "ACK": "the message was taken; send the next one after the upload interval",
    "CONT": "the message was taken; keep sending, because a user is watching",
    "ERR": "the server could not read the data; send the same message again",
    "ERR_FORMAT": "the message is not in the right format; check its XML",
    "UNKNOWN": "the hub is not registered on the server",
    "UNAUTHORIZED": "the token is not the one that the server has for this hub",
}


class CommandResult(IntEnum):
    """What the hub says of a command. A number that the page does not list is kept: ``CommandResult(9) == 9``."""

    RECEIVED = 0
    EXECUTED = 1
    UNKNOWN_DEVICE = 4
    NOT_SUPPORTED = 5
    CONNECTION_ERROR = 6
    FAILED = 7
    WRONG_FORMAT = 8

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"RESULT_{value}"
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether the page lists this number."""
        return self._value_ in type(self)._value2member_map_

    @property
    def meaning(self) -> str:
        """What the number says."""
        return _RESULTS.get(int(self), "the page of result codes does not list this number")

    def __reduce_ex__(self, protocol: object) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), (int(self),)


_RESULTS = {
    0: "the hub has the command and has not executed it yet; it must not be sent again",
    1: "the command was executed",
    4: "the hub does not know the device",
    5: "the device does not support the command",
    6: "the hub has no connection to the device",
    7: "the execution failed on the device",
    8: "the command has a wrong format",
}
