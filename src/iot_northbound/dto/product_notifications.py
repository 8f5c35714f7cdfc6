"""What the platform pushes about products: their models and what their devices can do (sections 1.6.7 and 2.3.5)."""

from iot_northbound.core.fields import response
from iot_northbound.dto.common import NotifyType


@response
class NotifyDeviceModelAddedDTO:
    """A product was added (section 2.3.5.11).

    Attributes:
        notify_type: ``deviceModelAdded``.
        app_id: the application.
        device_type: the product's device type.
        manufacturer_name: the manufacturer's name.
        manufacturer_id: the manufacturer's id.
        model: the model.
        protocol_type: the protocol its devices speak.
    """

    notify_type: NotifyType | None = None
    app_id: str | None = None
    device_type: str | None = None
    manufacturer_name: str | None = None
    manufacturer_id: str | None = None
    model: str | None = None
    protocol_type: str | None = None


@response
class NotifyDeviceModelDeletedDTO:
    """A product was deleted (section 2.3.5.12).

    Attributes:
        notify_type: ``deviceModelDeleted``.
        app_id: the application.
        device_type: the product's device type.
        manufacturer_name: the manufacturer's name.
        manufacturer_id: the manufacturer's id.
        model: the model.
        protocol_type: the protocol its devices speak.
    """

    notify_type: NotifyType | None = None
    app_id: str | None = None
    device_type: str | None = None
    manufacturer_name: str | None = None
    manufacturer_id: str | None = None
    model: str | None = None
    protocol_type: str | None = None


@response
class NotifyDeviceCapabilitiesChangedDTO:
    """What the devices of a product can do changed (section 1.6.7.6).

    Attributes:
        notify_type: ``deviceCapabilitiesChanged``.
        app_id: the application.
        device_type: the product's device type.
        manufacturer_name: the manufacturer's name.
        manufacturer_id: the manufacturer's id.
        model: the model.
        protocol_type: the protocol its devices speak.
    """

    notify_type: NotifyType | None = None
    app_id: str | None = None
    device_type: str | None = None
    manufacturer_name: str | None = None
    manufacturer_id: str | None = None
    model: str | None = None
    protocol_type: str | None = None


@response
class NotifyDeviceCapabilitiesAddedDTO:
    """A product gained services its devices can do (section 1.6.7.7).

    Attributes:
        notify_type: ``deviceCapabilitiesAdded``.
        app_id: the application.
        device_type: the product's device type.
        manufacturer_name: the manufacturer's name.
        manufacturer_id: the manufacturer's id.
        model: the model.
        protocol_type: the protocol its devices speak.
    """

    notify_type: NotifyType | None = None
    app_id: str | None = None
    device_type: str | None = None
    manufacturer_name: str | None = None
    manufacturer_id: str | None = None
    model: str | None = None
    protocol_type: str | None = None


@response
class NotifyDeviceCapabilitiesDeletedDTO:
    """A product lost services its devices could do (section 1.6.7.8).

    Attributes:
        notify_type: ``deviceCapabilitiesDeleted``.
        app_id: the application.
        device_type: the product's device type.
        manufacturer_name: the manufacturer's name.
        manufacturer_id: the manufacturer's id.
        model: the model.
        protocol_type: the protocol its devices speak.
    """

    notify_type: NotifyType | None = None
    app_id: str | None = None
    device_type: str | None = None
    manufacturer_name: str | None = None
    manufacturer_id: str | None = None
    model: str | None = None
    protocol_type: str | None = None


__all__ = [
    "NotifyDeviceCapabilitiesAddedDTO",
    "NotifyDeviceCapabilitiesChangedDTO",
    "NotifyDeviceCapabilitiesDeletedDTO",
    "NotifyDeviceModelAddedDTO",
    "NotifyDeviceModelDeletedDTO",
]
