"""IotaMessage: what an observer gets (5.2.1, 6.2.1, 7.3.2)."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from iot_northbound.device.agentlite.elements import Topic
from iot_northbound.device.agentlite.enums import BindResult, DataResult, HubResult, LoginReason, MsgType
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr

_SECRET = "DEVICESECRET"  # noqa: S105 - a name, not a credential


class IotaMessage:
    """A message: an event with its elements. It does not change.

    Attributes:
        topic: the event.
        cookie: the number that the call gave; 0 if it gave none, and for messages that answer no call.
    """

    def __init__(self, topic: Topic, values: Mapping[Any, Any] | None = None, cookie: int = 0) -> None:
        self.topic = topic
        self.cookie = cookie
        self._values = {int(key): value for key, value in (values or {}).items() if value is not None}
        cookie_element = topic.elements.__members__.get("COOKIE")
        if cookie_element is not None:
            self._values[int(cookie_element)] = cookie

    @property
    def msg_type(self) -> MsgType:
        """The documented type."""
        return self.topic.msg_type

    @property
    def result(self) -> BindResult | LoginReason | HubResult | DataResult | None:
        """How the call ended, or why the device is not connected; None for a message without a result."""
        found = self._named("RESULT")
        return found if isinstance(found, BindResult | LoginReason | HubResult | DataResult) else None

    @property
    def reason(self) -> LoginReason | None:
        """Why the device is not connected; None for other messages."""
        return found if isinstance(found := self._named("RESULT"), LoginReason) else None

    @property
    def ok(self) -> bool:
        """Whether it went well: the result is 0, or the message has none."""
        return not self.result

    @property
    def device_id(self) -> str | None:
        """The device that the message is about."""
        return self._text("DEVICEID")

    @property
    def device_secret(self) -> str | None:
        """The secret that a bind gave."""
        return self._text(_SECRET)

    @property
    def app_id(self) -> str | None:
        """The application that a bind gave."""
        return self._text("APPID")

    @property
    def request_id(self) -> str | None:
        """The command's id, for the `request_id` of its answer."""
        return self._text("REQUESTID")

    @property
    def service_id(self) -> str | None:
        """The service of a command."""
        return self._text("SERVICEID")

    @property
    def method(self) -> str | None:
        """The method of a command."""
        return self._text("METHOD")

    @property
    def content(self) -> str | None:
        """The parameters of a command, as JSON text."""
        return self._text("CMDCONTENT")

    @property
    def mqtt_topic(self) -> str | None:
        """The MQTT topic of a message that came by `mqtt_sub_topic`."""
        return self._text("MSGTOPIC")

    @property
    def payload(self) -> bytes | None:
        """The payload of a message that came by `mqtt_sub_topic`."""
        found = self._named("MSGCONTENT")
        return found if isinstance(found, bytes) else None

    def _text(self, name: str) -> str | None:
        found = self._named(name)
        return found if isinstance(found, str) else None

    def _named(self, name: str) -> Any:
        element = self.topic.elements.__members__.get(name)
        return None if element is None else self._values.get(int(element))

    def get_msg_type(self) -> MsgType:
        """Return the documented type."""
        return self.msg_type

    def get_string(self, ie: int) -> str | None:
        """Return an element as text; None if the message does not have it.

        Raises:
            AgentLiteError: ID; the element belongs to other messages.
        """
        value = self._get(ie)
        if value is None or isinstance(value, str):
            return value
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(int(value))

    def get_uint(self, ie: int, default: int = 0) -> int:
        """Return an element as a number; `default` if the message does not have it, or if it is not a number.

        Raises:
            AgentLiteError: ID; the element belongs to other messages.
        """
        value = self._get(ie)
        if isinstance(value, int):
            return value
        return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else default

    def get_bytes(self, ie: int) -> bytes | None:
        """Return an element as bytes; None if the message does not have it.

        Raises:
            AgentLiteError: ID; the element belongs to other messages.
        """
        value = self._get(ie)
        if isinstance(value, bytes):
            return value
        found = self.get_string(ie)
        return None if found is None else found.encode()

    def _get(self, ie: int) -> Any:
        if isinstance(ie, IntEnum) and not isinstance(ie, self.topic.elements):
            raise AgentLiteError(
                HwErr.ID, f"{ie!r} is not an element of {self.topic} messages: use {self.topic.elements.__name__}"
            )
        return self._values.get(int(ie))

    def __repr__(self) -> str:
        shown = {
            element.name: "***" if element.name == _SECRET else self._values[element]
            for element in self.topic.elements
            if element in self._values and element.name != "COOKIE"
        }
        return f"IotaMessage({self.topic}, {shown}, cookie={self.cookie})"

    getMsgType = get_msg_type
    getString = get_string
    getUint = get_uint
    getUInt = get_uint
    getint = get_uint
    HW_MsgGetStr = get_string
    HW_MsgGetUint = get_uint
    HW_MsgGetByteArray = get_bytes
