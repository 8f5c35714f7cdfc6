"""What the platform pushes about products and the capabilities of their devices (sections 1.6.7 and 2.3.5)."""

from iot_northbound.core.fields import response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.received import Received
from iot_northbound.dto.common import NotifyType


@response
class _ProductNotification(Received, JsonForm):
    """Something has happened to a product.

    Attributes:
        notify_type: what happened.
        app_id: the application.
        device_type: the product's device type.
        manufacturer_name: the manufacturer's name.
        manufacturer_id: the manufacturer's id.
        model: the model.
        protocol_type: the protocol of its devices.
    """

    notify_type: NotifyType | None = None
    app_id: str | None = None
    device_type: str | None = None
    manufacturer_name: str | None = None
    manufacturer_id: str | None = None
    model: str | None = None
    protocol_type: str | None = None


@response
class NotifyDeviceModelAddedDTO(_ProductNotification):
    """A product was added: ``deviceModelAdded`` (section 2.3.5.11)."""


@response
class NotifyDeviceModelDeletedDTO(_ProductNotification):
    """A product was deleted: ``deviceModelDeleted`` (section 2.3.5.12)."""


@response
class NotifyDeviceCapabilitiesChangedDTO(_ProductNotification):
    """The capabilities of a product's devices have changed: ``deviceCapabilitiesChanged`` (section 1.6.7.6)."""


@response
class NotifyDeviceCapabilitiesAddedDTO(_ProductNotification):
    """The devices of a product have new services: ``deviceCapabilitiesAdded`` (section 1.6.7.7)."""


@response
class NotifyDeviceCapabilitiesDeletedDTO(_ProductNotification):
    """The devices of a product have lost services: ``deviceCapabilitiesDeleted`` (section 1.6.7.8)."""


__all__ = [
    "NotifyDeviceCapabilitiesAddedDTO",
    "NotifyDeviceCapabilitiesChangedDTO",
    "NotifyDeviceCapabilitiesDeletedDTO",
    "NotifyDeviceModelAddedDTO",
    "NotifyDeviceModelDeletedDTO",
]
