"""Registering devices, changing them, their shadow (section 1.4)."""

from typing import Annotated, Any

from iot_northbound.core.fields import SECRET, JsonObject, Range, Text, Timestamp, request, response
from iot_northbound.core.received import Received
from iot_northbound.dto.common import KnownDevice

_CODE_TIMEOUT = Range(0, 2147483647)


@request
class _Product:
    """The product of a device to register, told by the fields of its profile.

    Attributes:
        manufacturer_id: up to 256 characters.
        manufacturer_name: up to 256 characters.
        device_type: in upper camel case, such as MultiSensor; up to 256 characters.
        model: up to 256 characters; needed unless a product id is given.
        protocol_type: CoAP, LWM2M, MQTT and others of the profile; up to 256 characters.
        name: the device's name.
    """

    manufacturer_id: Annotated[str | None, Text.up_to(256)] = None
    manufacturer_name: Annotated[str | None, Text.up_to(256)] = None
    device_type: Annotated[str | None, Text.up_to(256)] = None
    model: Annotated[str | None, Text.up_to(256)] = None
    protocol_type: Annotated[str | None, Text.up_to(256)] = None
    name: str | None = None


@request
class DeviceInfoDTO(_Product):
    """Which product a device is, told in five fields instead of a product id (section 1.4.1).

    The platform wants either a product id in the registration or all of these five; it judges that itself.
    """


@request
class RegDirectDeviceInDTO2:
    """A device to register (section 1.4.1).

    Attributes:
        device_info: the product in five fields, unless `product_id` names it.
        imsi: the SIM's IMSI; 1 to 64 characters.
        is_secure: whether the device talks encrypted; the platform takes false.
        verify_code: the code the device proves itself with; made by the platform where none is given. Up to 256.
        node_id: the id the device reports, such as its IMEI; up to 256 characters.
        end_user_id: the end user, for NB-IoT the IMSI; up to 256 characters.
        psk: the pre-shared key, 8 to 32 hexadecimal digits; made by the platform where none is given.
        timeout: seconds in which the device has to come online, up to 2,147,483,647; 0 for no limit. The platform takes
            180.
        product_id: the product the device belongs to; up to 256 characters.
    """

    device_info: DeviceInfoDTO | None = None
    imsi: Annotated[str | None, Text(1, 64)] = None
    is_secure: bool | None = None
    verify_code: Annotated[str | None, Text.up_to(256), SECRET] = None
    node_id: Annotated[str, Text.up_to(256)]
    end_user_id: Annotated[str | None, Text.up_to(256)] = None
    psk: Annotated[str | None, Text(8, 32), SECRET] = None
    timeout: Annotated[int | None, _CODE_TIMEOUT] = None
    product_id: Annotated[str | None, Text.up_to(256)] = None


@response
class RegDirectDeviceOutDTO(Received):
    """A registered device (section 1.4.1).

    Attributes:
        device_id: the id the platform gave the device.
        verify_code: the code the device proves itself with.
        timeout: seconds in which the device has to come online; 0 for no limit.
        psk: the device's pre-shared key.
    """

    device_id: str
    verify_code: Annotated[str | None, SECRET] = None
    timeout: int | None = None
    psk: Annotated[str | None, SECRET] = None


@request
class MqttDeviceInfoDTO(_Product):
    """The device's own part of a registration in password mode; the protocol is MQTT (section 1.4.2).

    Attributes:
        node_id: the id the device reports; up to 256 characters.
    """

    node_id: Annotated[str, Text.up_to(256)]


@request
class RegDeviceWithSecretInDTO:
    """A device to register in password mode, for MQTT (section 1.4.2; the Java SDK has no such call).

    Attributes:
        device_info: the device's id, and its product unless `product_id` names it.
        end_user_id: the end user; up to 256 characters.
        organization: the organization the device belongs to; up to 256 characters.
        region: up to 256 characters.
        timezone: such as Europe/Berlin; up to 256 characters.
        mqtt_connect: True for a device that connects by MQTT.
        product_id: the product the device belongs to; up to 256 characters.
        secret: the device's password; made by the platform where none is given.
    """

    device_info: MqttDeviceInfoDTO | None = None
    end_user_id: Annotated[str | None, Text.up_to(256)] = None
    organization: Annotated[str | None, Text.up_to(256)] = None
    region: Annotated[str | None, Text.up_to(256)] = None
    timezone: Annotated[str | None, Text.up_to(256)] = None
    mqtt_connect: bool | None = None
    product_id: Annotated[str | None, Text.up_to(256)] = None
    secret: Annotated[str | None, SECRET] = None


@response
class RegDeviceWithSecretOutDTO(Received):
    """A device registered in password mode (section 1.4.2).

    Attributes:
        device_id: the id the platform gave the device.
        psk: a pre-shared key the platform made.
        secret: the device's password.
    """

    device_id: str
    psk: Annotated[str | None, SECRET] = None
    secret: Annotated[str | None, SECRET] = None


@request
class RefreshDeviceKeyInDTO:
    """New credentials for a device (section 1.4.3).

    Attributes:
        verify_code: the new code; made by the platform where none is given. Up to 256 characters.
        node_id: a new id for another piece of hardware; unchanged where none is given. Up to 256 characters.
        timeout: seconds in which the device has to come online, up to 2,147,483,647; 0 for no limit. The platform takes
            180.
    """

    verify_code: Annotated[str | None, Text.up_to(256), SECRET] = None
    node_id: Annotated[str | None, Text.up_to(256)] = None
    timeout: Annotated[int | None, _CODE_TIMEOUT] = None


@response
class RefreshDeviceKeyOutDTO(Received):
    """A device's new code (section 1.4.3).

    Attributes:
        verify_code: the code the device proves itself with.
        timeout: seconds in which the device has to come online; 0 for no limit.
    """

    verify_code: Annotated[str | None, SECRET] = None
    timeout: int | None = None


@request
class CustomField:
    """A field of the application's own on a device (section 1.4.4).

    Attributes:
        field_name: up to 256 characters.
        field_type: up to 256 characters.
        field_value: any JSON value.
    """

    field_name: Annotated[str | None, Text.up_to(256)] = None
    field_type: Annotated[str | None, Text.up_to(256)] = None
    field_value: Any = None


@request
class DataConfigDTO:
    """How long a device's data are kept (section 1.4.4).

    Attributes:
        data_aging_time: days, 0 to 90.
    """

    data_aging_time: Annotated[int | None, Range(0, 90)] = None


@request
class DeviceConfigDTO:
    """A device's configuration (section 1.4.4).

    Attributes:
        data_config: how long its data are kept.
    """

    data_config: DataConfigDTO | None = None


@request
class Tag2:
    """A tag of a device (section 1.4.4).

    Attributes:
        tag_name: 1 to 128 characters.
        tag_value: 1 to 1,024 characters.
        tag_type: a number of the application's choice.
    """

    tag_name: Annotated[str, Text(1, 128)]
    tag_value: Annotated[str, Text(1, 1024)]
    tag_type: int | None = None


@request
class ModifyDeviceInforInDTO:
    """What to change of a device; what is not given stays (section 1.4.4).

    Attributes:
        custom_fields: fields of the application's own.
        imsi: the SIM's IMSI; up to 64 characters.
        name: 1 to 256 characters.
        end_user: 1 to 256 characters.
        mute: TRUE freezes the device, FALSE thaws it; see `TextFlag`.
        manufacturer_id: as the profile has it; 1 to 256 characters.
        manufacturer_name: as the profile has it; 1 to 256 characters.
        device_type: as the profile has it; 1 to 256 characters.
        model: as the profile has it; 1 to 256 characters.
        location: 1 to 1,024 characters.
        protocol_type: as the profile has it; 1 to 256 characters.
        device_config: how long its data are kept.
        region: 1 to 256 characters.
        organization: 1 to 256 characters.
        timezone: such as Asia/Shanghai; 1 to 256 characters.
        ip: the device's address; up to 128 characters.
        is_secure: whether the device talks encrypted.
        psk: the pre-shared key, 8 to 32 hexadecimal digits.
        tags: the device's tags.
        product_id: the product the device belongs to; up to 256 characters.
    """

    custom_fields: list[CustomField] | None = None
    imsi: Annotated[str | None, Text.up_to(64)] = None
    name: Annotated[str | None, Text(1, 256)] = None
    end_user: Annotated[str | None, Text(1, 256)] = None
    mute: Annotated[str | None, Text(1, 256)] = None
    manufacturer_id: Annotated[str | None, Text(1, 256)] = None
    manufacturer_name: Annotated[str | None, Text(1, 256)] = None
    device_type: Annotated[str | None, Text(1, 256)] = None
    model: Annotated[str | None, Text(1, 256)] = None
    location: Annotated[str | None, Text(1, 1024)] = None
    protocol_type: Annotated[str | None, Text(1, 256)] = None
    device_config: DeviceConfigDTO | None = None
    region: Annotated[str | None, Text(1, 256)] = None
    organization: Annotated[str | None, Text(1, 256)] = None
    timezone: Annotated[str | None, Text(1, 256)] = None
    ip: Annotated[str | None, Text.up_to(128)] = None
    is_secure: bool | None = None
    psk: Annotated[str | None, Text(8, 32), SECRET] = None
    tags: list[Tag2] | None = None
    product_id: Annotated[str | None, Text.up_to(256)] = None


@response
class QueryDeviceStatusOutDTO(Received):
    """Whether a device has been activated (section 1.4.7).

    Attributes:
        device_id: the device.
        activated: True once the device has proved itself to the platform.
        name: the device's name.
    """

    device_id: str | None = None
    activated: bool | None = None
    name: str | None = None


@request
class ServiceDesiredDTO:
    """The wished state of one service of a device (section 1.4.8).

    Attributes:
        service_id: the service's id in the profile; 1 to 256 characters.
        desired: property names and the values they shall have.
    """

    service_id: Annotated[str | None, Text(1, 256)] = None
    desired: JsonObject | None = None


@request
class ModifyDeviceShadowInDTO:
    """The wished state of a device (section 1.4.8).

    Attributes:
        service_desireds: one entry a service.
    """

    service_desireds: list[ServiceDesiredDTO]


@response
class DeviceServiceB(Received):
    """One service in a device's shadow (section 1.4.9).

    Attributes:
        service_id: the service's id in the profile.
        reported_props: the properties as the device last reported them.
        desired_props: the properties as applications wish them.
        event_time: when that was, UTC.
        service_type: the service's type.
    """

    service_id: str | None = None
    reported_props: JsonObject | None = None
    desired_props: JsonObject | None = None
    event_time: Timestamp | None = None
    service_type: str | None = None


@response
class QueryDeviceShadowOutDTO(KnownDevice):
    """A device's shadow: what it reported, and what is wished of it (section 1.4.9).

    Attributes:
        services: its services' states.
    """

    services: list[DeviceServiceB] | None = None


__all__ = [
    "CustomField",
    "DataConfigDTO",
    "DeviceConfigDTO",
    "DeviceInfoDTO",
    "DeviceServiceB",
    "ModifyDeviceInforInDTO",
    "ModifyDeviceShadowInDTO",
    "MqttDeviceInfoDTO",
    "QueryDeviceShadowOutDTO",
    "QueryDeviceStatusOutDTO",
    "RefreshDeviceKeyInDTO",
    "RefreshDeviceKeyOutDTO",
    "RegDeviceWithSecretInDTO",
    "RegDeviceWithSecretOutDTO",
    "RegDirectDeviceInDTO2",
    "RegDirectDeviceOutDTO",
    "ServiceDesiredDTO",
    "Tag2",
]
