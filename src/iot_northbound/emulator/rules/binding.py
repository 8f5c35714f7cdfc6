"""Binding: a device presents its verification code and gets its id and secret; unbinding ends this.

The reference names the functions (5.2.2.4, 5.2.2.5) and no messages. The field's answers and codes are used, and the
rest is our choice (docs/device/gateways.md).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.routing import on, table, timer
from iot_northbound.emulator.rules import devices, models
from iot_northbound.emulator.rules.devices import DEVICES

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

EXPIRED = table("expired_registrations")
"""Registrations that expired, by nodeId, for a while: their codes are refused as expired and not as unknown."""
EXPIRED_KEPT = 7 * 86_400

_NOT_REGISTERED = "No device with this nodeId waits to be bound with this verification code."
_EXPIRED = "The verification code has expired; register the device again."


def bind(platform: Platform, code: str, node_id: str, info: Mapping[str, Any]) -> Row:
    """Bind a device by its verification code; return its row, which then has a secret.

    The first time activates the device (bindDevice). If the answer is lost, the device may bind again with the same
    result, until it has logged in or connected.

    Args:
        platform: the platform.
        code: what the device presents: the verifyCode of its registration.
        node_id: what the device says it is.
        info: what else it says about itself.

    Raises:
        Refusal: 100410 for a code that no registration has, 100411 for an expired one, 100416 if it is bound.
    """
    row = devices.same_node(platform, node_id)
    if row is None or not _same(row.get("verifyCode"), code):
        raise _unknown(platform, code, node_id)
    if not row.get("mustBind") and not row.get("mayRepeatBind"):
        raise Refusal(400, "100416")
    device_id = row["deviceId"]
    secret = row.get("secret") or platform.ids.hex(20)
    platform.table(DEVICES).change(device_id, mustBind=False, mayRepeatBind=False, secret=secret, real=True)
    described(platform, device_id, info)
    devices.activate(platform, device_id)
    return platform.table(DEVICES).change(device_id, mayRepeatBind=True)


def _unknown(platform: Platform, code: str, node_id: str) -> Refusal:
    expired = platform.table(EXPIRED).get(node_id)
    if expired is not None and _same(expired["verifyCode"], code):
        return Refusal(400, "100411", _EXPIRED)
    if code == node_id and devices.same_node(platform, node_id) is not None:
        platform.hint(
            f"bind {node_id}",
            f"device {node_id!r} binds with its nodeId, but it was registered with another verification code: give "
            "verifyCode in 1.4.1, with the value of nodeId, or let the device bind with the code that 1.4.1 returned",
        )
    return Refusal(400, "100410", _NOT_REGISTERED)


def _same(kept: str | None, given: str) -> bool:
    # Compared as bytes: compare_digest refuses text beyond ASCII.
    return kept is not None and hmac.compare_digest(kept.encode(), given.encode())


def described(platform: Platform, device_id: str, info: Mapping[str, Any]) -> Row:
    """Take what a device says about itself; return its row.

    What the application has said about its name and product stays: the device only fills gaps there.
    """
    row = devices.need(platform, device_id)
    fixed = {"name", *models.IDENTITY} if row.get("productId") else {"name"}
    told = {name: value for name, value in info.items() if name not in fixed or not row.get(name)}
    return devices.changed(platform, device_id, **devices.with_model(platform, {**row, **told}))


def unbind(platform: Platform, device_id: str) -> None:
    """Remove a device and those behind it. If it is a gateway that listens for it, it is told so (REMOVE_GATEWAY).

    Raises:
        LookupError: There is no such device.
    """
    row = devices.need(platform, device_id)
    for child in devices.sub_devices(platform, device_id):
        devices.delete(platform, child)
    devices.delete(platform, row)


def begun_again(row: Row) -> Row:
    """Return the fields of a device that has to bind once more, with a new code; none if it does not bind."""
    return {"mustBind": True, "mayRepeatBind": False, "secret": None} if "mustBind" in row else {}


def settled(platform: Platform, row: Row) -> None:
    """Note that a device has used what binding gave it: from now on its code is refused as used."""
    if row.get("mayRepeatBind"):
        platform.table(DEVICES).change(row["deviceId"], mayRepeatBind=False)


@on("device_online")
def _connected(platform: Platform, device: Row) -> None:
    settled(platform, device)


@on("registration_expired")
def _expired(platform: Platform, device: Row) -> None:
    if (code := device.get("verifyCode")) is None:
        return
    node_id, expired = device["nodeId"], platform.table(EXPIRED)
    platform.cancel((expired.get(node_id) or {}).get("timer"))
    forget = platform.after(EXPIRED_KEPT, "expired_registration.forget", node_id=node_id)
    expired.put(node_id, {"nodeId": node_id, "verifyCode": code, "timer": forget, "seq": platform.next_seq()})


@timer("expired_registration.forget")
def _forget(platform: Platform, node_id: str) -> None:
    platform.table(EXPIRED).delete(node_id)
