"""Where to bind and to log in, and as whom (5.2.2.3, 5.2.2.6.1, 6.3.6)."""

from typing import Any, ClassVar

import attrs

from iot_northbound._hide import hide
from iot_northbound.device.agentlite.elements import BindKey, LoginKey
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr

BIND_PORT, MQTT_PORT = 8943, 8883
_LAST_PORT = 65_535


def _port(name: str, value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _LAST_PORT:
        raise AgentLiteError(HwErr.PARA, f"{name} = {value!r}: give a port from 1 to {_LAST_PORT}")
    return number


def _checked(self: object, attribute: "attrs.Attribute[Any]", value: object) -> object:
    if attribute.name.endswith("port") and (value is not None or attribute.type is int):
        return _port(attribute.name, value)
    if value is not None and (not isinstance(value, str) or not value):
        shown = "***" if attribute.name == "secret" else repr(value)
        raise AgentLiteError(HwErr.PARA, f"{attribute.name} = {shown}: give a text that is not empty")
    return value


def _checked_first(self: Any, attribute: "attrs.Attribute[Any]", value: object) -> None:
    object.__setattr__(self, attribute.name, _checked(self, attribute, value))


class _Keyed:
    """A configuration whose values can also be set by documented keys."""

    KEYS: ClassVar[type[BindKey] | type[LoginKey]]
    NAMES: ClassVar[dict[int, str]]

    def set_config(self, key: int, value: str | int) -> bool:
        """Set one value by its documented key, and return True as the documented call does.

        Raises:
            AgentLiteError: ID; there is no such key. PARA; the value is not allowed.
        """
        name = self.NAMES.get(key) if not isinstance(key, bool) and type(key) in (int, self.KEYS) else None
        if name is None:
            raise AgentLiteError(HwErr.ID, f"key = {key!r}: give one of {', '.join(each.name for each in self.KEYS)}")
        setattr(self, name, value)
        return True

    setConfig = set_config


@attrs.define(on_setattr=_checked, slots=False)
class BindConfig(_Keyed):
    """Where to bind.

    Attributes:
        addr: the platform's host.
        port: its port for AgentLite.
    """

    addr: str | None = attrs.field(default=None, validator=_checked_first)
    port: int = attrs.field(default=BIND_PORT, validator=_checked_first)

    BIND_CONFIG_ADDR: ClassVar = BindKey.ADDR
    BIND_CONFIG_PORT: ClassVar = BindKey.PORT
    KEYS: ClassVar = BindKey
    NAMES: ClassVar = {BindKey.ADDR: "addr", BindKey.PORT: "port"}


@attrs.define(on_setattr=_checked, slots=False)
class LoginConfig(_Keyed):
    """Who logs in, and where. What is None comes from the stored result of the bind, if there is one.

    Attributes:
        device_id: the device's id.
        app_id: the application's id.
        secret: the device's secret; no repr shows it.
        iocm_addr: the host for child devices.
        iocm_port: its port; 8943 if nothing else says it.
        mqtt_addr: the host for login and data; `iocm_addr` if nothing else says it.
        mqtt_port: its port; 8883 if nothing else says it.
    """

    device_id: str | None = attrs.field(default=None, validator=_checked_first)
    app_id: str | None = attrs.field(default=None, validator=_checked_first)
    secret: str | None = attrs.field(default=None, validator=_checked_first, repr=hide)
    iocm_addr: str | None = attrs.field(default=None, validator=_checked_first)
    iocm_port: int | None = attrs.field(default=None, validator=_checked_first)
    mqtt_addr: str | None = attrs.field(default=None, validator=_checked_first)
    mqtt_port: int | None = attrs.field(default=None, validator=_checked_first)

    LOGIN_CONFIG_DEVICEID: ClassVar = LoginKey.DEVICEID
    LOGIN_CONFIG_APPID: ClassVar = LoginKey.APPID
    LOGIN_CONFIG_SECRET: ClassVar = LoginKey.SECRET
    LOGIN_CONFIG_IOCM_ADDR: ClassVar = LoginKey.IOCM_ADDR
    LOGIN_CONFIG_IOCM_ADDRESS: ClassVar = LoginKey.IOCM_ADDR
    LOGIN_CONFIG_IOCM_PORT: ClassVar = LoginKey.IOCM_PORT
    LOGIN_CONFIG_MQTT_ADDR: ClassVar = LoginKey.MQTT_ADDR
    LOGIN_CONFIG_MQTT_PORT: ClassVar = LoginKey.MQTT_PORT
    KEYS: ClassVar = LoginKey
    NAMES: ClassVar = {
        LoginKey.DEVICEID: "device_id",
        LoginKey.DEVICESECRET: "secret",
        LoginKey.APPID: "app_id",
        LoginKey.IOCM_ADDR: "iocm_addr",
        LoginKey.IOCM_PORT: "iocm_port",
        LoginKey.MQTT_ADDR: "mqtt_addr",
        LoginKey.MQTT_PORT: "mqtt_port",
    }
