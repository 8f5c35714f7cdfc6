"""Devices that are there without a call: one that has never connected, or many with data in their shadow."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import devices, models

DEFAULT_PRODUCT = "water-meter-nb"


def add_one(platform: Platform, app_id: str, node_id: str, *, product_id: str | None = None) -> Row:
    """Register a device with a secret, as 1.4.2 does, and return its row. It has never connected.

    Raises:
        LookupError: There is no such product model.
        ValueError: There is a device with this nodeId.
    """
    model = _model(platform, app_id, product_id)
    if devices.same_node(platform, node_id) is not None:
        raise ValueError(f"a device with nodeId {node_id!r} is there already; choose another one")
    keys: Row = {"psk": platform.ids.hex(32), "secret": platform.ids.hex(20)}
    return devices.create(platform, app_id, node_id, productId=model["productId"], name=node_id, **keys)


def _model(platform: Platform, app_id: str, product_id: str | None) -> Row:
    wanted = product_id or DEFAULT_PRODUCT
    model = models.by_id(platform, app_id, wanted)
    if model is None:
        raise LookupError(f"no product model {wanted!r}")
    return model


def add(
    platform: Platform, app_id: str, first: int, count: int, *, prefix: str = "device", product_id: str | None = None
) -> int:
    """Register devices named by prefix and number, and return how many.

    They are activated and offline, as meters between two reports are.

    Raises:
        LookupError: There is no such product model.
        ValueError: One of the devices exists already.
    """
    model = _model(platform, app_id, product_id)
    now = platform.now()
    for number in range(first, first + count):
        node_id = f"{prefix}-{number:06d}"
        if devices.same_node(platform, node_id) is not None:
            raise ValueError(f"a device with nodeId {node_id!r} is there already; choose another prefix")
        services = {
            service["serviceId"]: {
                "type": models.service_type(model, service["serviceId"]),
                "data": {rule["propertyName"]: _value(rule, number) for rule in service.get("properties") or ()},
                "time": now,
            }
            for service in model["services"]
        }
        devices.create(
            platform,
            app_id,
            node_id,
            productId=model["productId"],
            name=f"{prefix} {number}",
            activated=True,
            status="OFFLINE",
            statusDetail="NONE",
            services=services,
        )
    return count


def _value(rule: dict[str, Any], number: int) -> Any:
    """Return a value that fits the property and differs from device to device."""
    kind = rule["dataType"].lower()
    if kind == "boolean":
        return number % 2 == 0
    if rule.get("enumList"):
        return rule["enumList"][number % len(rule["enumList"])]
    if kind in ("int", "integer", "long"):
        low, high = int(float(rule.get("min") or 0)), int(float(rule.get("max") or 1_000))
        return low + number % (high - low + 1)
    if kind in ("decimal", "float", "double", "number"):
        low_, high_ = float(rule.get("min") or 0), float(rule.get("max") or 1_000)
        return round(low_ + (number % 1_000) / 1_000 * (high_ - low_), 3)
    return str(number)
