"""The capabilities of devices (section 1.5.5)."""

from iot_northbound.core.fields import request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.received import Received


@request
class QueryDeviceCapabilitiesInDTO(JsonForm):
    """Whose capabilities to read (section 1.5.5).

    Attributes:
        gateway_id: the devices of this gateway.
        app_id: another application that granted access; by default the client's own.
        device_id: this device.
    """

    gateway_id: str | None = None
    app_id: str | None = None
    device_id: str | None = None


@response
class _ValueRange(Received, JsonForm):
    """The values that the profile allows.

    Attributes:
        data_type: the type in the profile.
        required: whether a value must always be there.
        min: the smallest value, as text.
        max: the largest value, as text.
        step: the distance between two values.
        max_length: the largest length.
        unit: the unit's symbol.
        enum_list: the allowed values.
    """

    data_type: str | None = None
    required: bool | None = None
    min: str | None = None
    max: str | None = None
    step: float | None = None
    max_length: int | None = None
    unit: str | None = None
    enum_list: list[str] | None = None


@response
class ServiceCommandPara(_ValueRange):
    """A parameter of a command or of its response (section 1.5.5).

    Attributes:
        para_name: the parameter's name.
    """

    para_name: str | None = None


@response
class ServiceCommandResponse(Received, JsonForm):
    """An answer of a device to a command (section 1.5.5).

    Attributes:
        response_name: the answer's name.
        paras: its parameters.
    """

    response_name: str | None = None
    paras: list[ServiceCommandPara] | None = None


@response
class ServiceCommand(Received, JsonForm):
    """A command of a service (section 1.5.5).

    Attributes:
        command_name: the command's name.
        paras: its parameters.
        responses: the answers to it.
    """

    command_name: str | None = None
    paras: list[ServiceCommandPara] | None = None
    responses: list[ServiceCommandResponse] | None = None


@response
class ServiceProperty(_ValueRange):
    """A property of a service (section 1.5.5).

    Attributes:
        property_name: the property's name.
        method: how it can be used: R read, W write, E observe, in any combination.
    """

    property_name: str | None = None
    method: str | None = None


@response
class ServiceCapabilityDTO(Received, JsonForm):
    """The capabilities of a service of a device (section 1.5.5).

    Attributes:
        service_id: the service's id in the profile.
        service_type: the service's type.
        option: whether the service is mandatory or optional in the profile.
        description: what the service is for.
        commands: its commands.
        properties: its properties.
    """

    service_id: str | None = None
    service_type: str | None = None
    option: str | None = None
    description: str | None = None
    commands: list[ServiceCommand] | None = None
    properties: list[ServiceProperty] | None = None


@response
class DeviceCapabilityDTO(Received, JsonForm):
    """The capabilities of a device (section 1.5.5).

    Attributes:
        device_id: the device.
        service_capabilities: one entry per service.
    """

    device_id: str | None = None
    service_capabilities: list[ServiceCapabilityDTO] | None = None


@response
class QueryDeviceCapabilitiesOutDTO(Received, JsonForm):
    """The capabilities of devices (section 1.5.5).

    Attributes:
        device_capabilities: one entry per device.
    """

    device_capabilities: list[DeviceCapabilityDTO] | None = None


__all__ = [
    "DeviceCapabilityDTO",
    "QueryDeviceCapabilitiesInDTO",
    "QueryDeviceCapabilitiesOutDTO",
    "ServiceCapabilityDTO",
    "ServiceCommand",
    "ServiceCommandPara",
    "ServiceCommandResponse",
    "ServiceProperty",
]
