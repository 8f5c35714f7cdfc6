"""What the platform pushes about devices: registered, bound, changed, reported, deleted (section 1.6.7)."""

from typing import Annotated

from iot_northbound.core.fields import JsonObject, Wire, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import DeviceInfo, DeviceService, NodeType, NotifyType, ServiceInfo


class BindResult(OpenEnum):
    """Whether a device came online in time to be bound."""

    SUCCEEDED = "succeeded"
    EXPIRED = "expired"


class DesiredStatus(OpenEnum):
    """Whether desired values have reached the device."""

    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@response
class _DeviceNotification(Received, JsonForm):
    """Something has happened to a device.

    Attributes:
        notify_type: what happened.
        device_id: the device.
        gateway_id: its gateway; its own id if it is connected directly.
    """

    notify_type: NotifyType | None = None
    device_id: str | None = None
    gateway_id: str | None = None


@response
class NotifyDeviceAddedDTO(_DeviceNotification):
    """A device was registered: ``deviceAdded`` (section 1.6.7.1).

    Attributes:
        node_type: endpoint or gateway.
        device_info: what the platform knows about it.
    """

    node_type: NodeType | None = None
    device_info: DeviceInfo | None = None


@response
class NotifyBindDeviceDTO(Received, JsonForm):
    """A device has come online for the first time, or has not come online in time (section 1.6.7.2).

    Attributes:
        notify_type: ``bindDevice``.
        device_id: the device.
        result_code: succeeded or expired.
        device_info: what the platform knows about it.
    """

    notify_type: NotifyType | None = None
    device_id: str | None = None
    result_code: BindResult | None = None
    device_info: DeviceInfo | None = None


@response
class NotifyDeviceInfoChangedDTO(_DeviceNotification):
    """The information about a device has changed: ``deviceInfoChanged`` (section 1.6.7.3).

    Attributes:
        device_info: what the platform knows about it now.
    """

    device_info: DeviceInfo | None = None


@response
class NotifyDeviceDataChangedDTO(_DeviceNotification):
    """A device has reported data of one service: ``deviceDataChanged`` (section 1.6.7.4).

    Attributes:
        request_id: the message's id; often null.
        service: the service and its data.
    """

    request_id: str | None = None
    service: DeviceService | None = None


@response
class NotifyDeviceDatasChangedDTO(_DeviceNotification):
    """A device has reported data of several services: ``deviceDatasChanged`` (section 1.6.7.5).

    Attributes:
        request_id: the message's id; often null.
        services: the services and their data; the key service is also read.
    """

    request_id: str | None = None
    services: Annotated[list[DeviceService] | None, Wire("services", also=("service",))] = None


@response
class NotifyServiceInfoChangedDTO(_DeviceNotification):
    """The muted parts of a device's service have changed: ``serviceInfoChanged`` (section 2.3.5.6).

    Attributes:
        service_id: the service's id in the profile.
        service_type: the service's type.
        service_info: the muted parts.
    """

    service_id: str | None = None
    service_type: str | None = None
    service_info: ServiceInfo | None = None


@response
class NotifyDeviceDeletedDTO(_DeviceNotification):
    """A device was deleted: ``deviceDeleted`` (section 1.6.7.9)."""


@response
class NotifyDeviceDesiredStatusChangedDTO(Received, JsonForm):
    """Desired values have reached the device, or have failed (section 1.6.7.14).

    Attributes:
        notify_type: ``deviceDesiredPropertiesModifyStatusChanged``.
        device_id: the device.
        service_id: the service's id in the profile.
        properties: property names and their desired values.
        status: DELIVERED or FAILED.
    """

    notify_type: NotifyType | None = None
    device_id: str | None = None
    service_id: str | None = None
    properties: JsonObject | None = None
    status: DesiredStatus | None = None


__all__ = [
    "BindResult",
    "DesiredStatus",
    "NotifyBindDeviceDTO",
    "NotifyDeviceAddedDTO",
    "NotifyDeviceDataChangedDTO",
    "NotifyDeviceDatasChangedDTO",
    "NotifyDeviceDeletedDTO",
    "NotifyDeviceDesiredStatusChangedDTO",
    "NotifyDeviceInfoChangedDTO",
    "NotifyServiceInfoChangedDTO",
]
