"""IotaDeviceInfo: what a device says about itself when it is bound or added (5.3.1, 6.3.1, 7.3.1)."""

from enum import StrEnum
from typing import TypeVar

import attrs

from iot_northbound.device.agentlite.enums import DeviceStatus, Mute, StatusDetail
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr

E = TypeVar("E", bound=StrEnum)


def text(name: str, value: object) -> str:
    """Return the value if it is text and not empty.

    Raises:
        AgentLiteError: PARA; it is not.
    """
    if not isinstance(value, str) or not value:
        raise AgentLiteError(HwErr.PARA, f"{name} = {value!r}: give a text that is not empty")
    return value


def one_of(kind: type[E], name: str, value: object) -> E:
    """Return the member that is meant, in upper or lower case.

    Raises:
        AgentLiteError: PARA; there is no such member.
    """
    found = kind.__members__.get(value.upper()) if isinstance(value, str) else None
    if found is None:
        raise AgentLiteError(HwErr.PARA, f"{name} = {value!r}: give one of {', '.join(kind)}")
    return found


def _mandatory(self: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    text(attribute.name, value)


def _optional(self: object, attribute: "attrs.Attribute[str | None]", value: object) -> None:
    if value is not None:
        text(attribute.name, value)


def _status(value: object) -> DeviceStatus | None:
    return None if value is None else one_of(DeviceStatus, "status", value)


def _status_detail(value: object) -> StatusDetail | None:
    return None if value is None else one_of(StatusDetail, "status_detail", value)


def _mute(value: object) -> Mute | None:
    return None if value is None else one_of(Mute, "mute", value)


@attrs.frozen
class IotaDeviceInfo:
    """A device: the five mandatory values in the documented order, then the optional ones.

    For Z-Wave the model is product type and product id, such as `001A-0A12`, and versions are such as `1.1`.

    Attributes:
        node_id: identifies the device at its gateway, such as a serial number or MAC address.
        manufacturer_id: the manufacturer's id.
        device_type: the type, such as `Gateway`.
        model: the model; for a directly connected device that of its product model.
        protocol_type: the protocol, such as `Z-Wave`.
        name: the device's name.
        description: a description.
        manufacturer_name: the manufacturer's name.
        mac: the MAC address.
        location: the place.
        sw_version: the version of the software.
        fw_version: the version of the firmware.
        hw_version: the version of the hardware.
        bridge_id: the bridge that connects the device.
        status: ONLINE or OFFLINE.
        status_detail: more about the status; mandatory with `status`.
        mute: TRUE or FALSE: whether the device is screened.

    Raises:
        AgentLiteError: PARA; a value is missing or not allowed.
    """

    node_id: str = attrs.field(validator=_mandatory)
    manufacturer_id: str = attrs.field(validator=_mandatory)
    device_type: str = attrs.field(validator=_mandatory)
    model: str = attrs.field(validator=_mandatory)
    protocol_type: str = attrs.field(validator=_mandatory)
    name: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    description: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    manufacturer_name: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    mac: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    location: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    sw_version: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    fw_version: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    hw_version: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    bridge_id: str | None = attrs.field(default=None, validator=_optional, kw_only=True)
    status: DeviceStatus | None = attrs.field(default=None, converter=_status, kw_only=True)
    status_detail: StatusDetail | None = attrs.field(default=None, converter=_status_detail, kw_only=True)
    mute: Mute | None = attrs.field(default=None, converter=_mute, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.status is not None and self.status_detail is None:
            raise AgentLiteError(
                HwErr.PARA, f"status_detail = None: it is mandatory with status: give one of {', '.join(StatusDetail)}"
            )

    def wire(self) -> dict[str, str]:
        """Return the values that are set, under the names of the reference."""
        values = attrs.asdict(self, filter=lambda _, value: value is not None)
        return {_camel(name): str(value) for name, value in values.items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
