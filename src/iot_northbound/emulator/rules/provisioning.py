"""One secret for all devices of a product model: a device shows it once, and gets an id and a secret of its own.

The reference names the mode (authType 1 in 8.2.2) and nothing else; the rest was seen in the field. A product model
has such a secret if it is given one (`secret`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iot_northbound.emulator.rules import devices, models

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row


def model(platform: Platform, product_id: str) -> Row | None:
    """Return the product model of this id if it has a secret, or None."""
    row = platform.table(models.MODELS).get(product_id)
    return row if row is not None and row.get("secret") and row["appId"] is not None else None


def device(platform: Platform, product: Row, node_id: str) -> Row | None:
    """Return the device that a product's secret may speak for, registered now if its nodeId is new.

    A device that has confirmed its own secret, and one that was registered otherwise, give None.
    """
    row = devices.same_node(platform, node_id)
    if row is None:
        return devices.create(
            platform,
            product["appId"],
            node_id,
            productId=product["productId"],
            psk=platform.ids.hex(32),
            secret=platform.ids.hex(20),
            secretUnconfirmed=True,
        )
    is_waiting = row.get("secretUnconfirmed") and row.get("productId") == product["productId"]
    return row if is_waiting else None


def confirmed(platform: Platform, device_id: str) -> None:
    """Note that a device has got its secret: from now on it logs in with it."""
    if (devices.find(platform, device_id) or {}).get("secretUnconfirmed"):
        platform.table(devices.DEVICES).change(device_id, secretUnconfirmed=False)
