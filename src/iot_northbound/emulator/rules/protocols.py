"""Says which calls are for devices of which protocol; a call to another device is logged as a hint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

NB_IOT: Final = frozenset(("COAP", "LWM2M"))
"""The protocols of NB-IoT devices, in capitals."""


class Audience(NamedTuple):
    """The devices that a call is for on a real platform, in words, and the call for others."""

    fits: Callable[[str], bool]
    text: str
    instead: str
    once_per: str = "deviceId"
    """The field of a device by which the hint is given once."""


AUDIENCES: Final[Mapping[str, Audience]] = {
    "1.4.2": Audience(
        lambda protocol: protocol not in NB_IOT,
        "registration by secret is for MQTT devices",
        "register it by verification code (1.4.1)",
        once_per="productId",
    ),
    "1.4.8": Audience(
        lambda protocol: protocol == "LWM2M",
        "the shadow is for LWM2M devices",
        "send it a command",
    ),
    "1.7.1": Audience(
        lambda protocol: protocol in NB_IOT,
        "commands of 1.7.1 are for CoAP and LWM2M devices",
        "call its service (1.7.7)",
    ),
    "1.7.7": Audience(
        lambda protocol: protocol not in NB_IOT,
        "service calls are for MQTT devices and for the devices behind them",
        "send it a command (1.7.1)",
    ),
}


def of_device(device: Row) -> str | None:
    """Return a device's protocol in capitals, or None if it is not known."""
    protocol = device.get("protocolType")
    return None if protocol is None else str(protocol).upper()


def is_nb_iot(device: Row) -> bool:
    """Return whether a device is known to speak a protocol of NB-IoT devices."""
    return of_device(device) in NB_IOT


def hint(platform: Platform, device: Row, section: str) -> None:
    """Log, once per call and device or product model, that a real platform does not support this call for this device.

    The call is not refused: the reference has no code for this.
    """
    protocol, audience = of_device(device), AUDIENCES[section]
    if protocol is not None and not audience.fits(protocol):
        platform.hint(
            f"{section} {device.get(audience.once_per) or device['deviceId']}",
            f"device {device['deviceId']} speaks {device['protocolType']}; on a real platform {audience.text}:"
            f" {audience.instead}",
        )
