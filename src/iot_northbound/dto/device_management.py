"""Devices: registration, changes, shadows (section 1.4)."""

from typing import Annotated, Any

from iot_northbound.core.fields import SECRET, JsonObject, Range, Text, Timestamp, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.received import Received
from iot_northbound.dto.common import KnownDevice, ProtocolType, TextFlagIn

_CODE_TIMEOUT = Range(0, 2147483647)


@request
class _Product(JsonForm):
    """The product of a new device, by the fields of its profile.

    Attributes:
        manufacturer_id: up to 256 characters.
        manufacturer_name: up to 256 characters.
        device_type: in upper camel case, for example MultiSensor; up to 256 characters.
        model: up to 256 characters; needed unless a product id is given.
        protocol_type: CoAP, LWM2M, MQTT and others of the profile; up to 256 characters.
        name: the device's name.
    """

    manufacturer_id: Annotated[str | None, Text.up_to(256)] = None
    manufacturer_name: Annotated[str | None, Text.up_to(256)] = None
    device_type: Annotated[str | None, Text.up_to(256)] = None
    model: Annotated[str | None, Text.up_to(256)] = None
    protocol_type: Annotated[ProtocolType | None, Text.up_to(256)] = None
    name: str | None = None


@request
class DeviceInfoDTO(_Product):
    """The product of a device, by five fields instead of a product id (section 1.4.1).

    The platform needs either a product id in the registration or all of these five fields. It checks this itself.
    """


@request
class RegDirectDeviceInDTO2(JsonForm):
    """A device to register (section 1.4.1).

    Attributes:
        device_info: the product by five fields; not needed with `product_id`.
        imsi: the IMSI of the SIM; 1 to 64 characters.
        is_secure: whether the device uses encryption; false by default.
        verify_code: the code with which the device logs in; by default the platform makes one. Up to 256 characters.
        node_id: the id that the device reports, for example its IMEI; up to 256 characters.
        end_user_id: the end user, for NB-IoT the IMSI; up to 256 characters.
        psk: the pre-shared key, 8 to 32 hexadecimal digits; by default the platform makes one.
        timeout: seconds in which the device must come online, up to 2,147,483,647; 0 for no limit; 180 by default.
        product_id: the product of the device; up to 256 characters.
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
class RegDirectDeviceOutDTO(Received, JsonForm):
    """A registered device (section 1.4.1).

    Attributes:
        device_id: the device's id, which the platform has made.
        verify_code: the code with which the device logs in.
        timeout: seconds in which the device must come online; 0 for no limit.
        psk: the device's pre-shared key.
    """

    device_id: str
    verify_code: Annotated[str | None, SECRET] = None
    timeout: int | None = None
    psk: Annotated[str | None, SECRET] = None


@request
class MqttDeviceInfoDTO(_Product):
    """The device in a registration in password mode; the protocol is MQTT (section 1.4.2).

    Attributes:
        node_id: the id that the device reports; up to 256 characters.
    """

    node_id: Annotated[str, Text.up_to(256)]


@request
class RegDeviceWithSecretInDTO(JsonForm):
    """A device to register in password mode, for MQTT (section 1.4.2; the Java SDK has no such call).

    Attributes:
        device_info: the device's id, and its product if there is no `product_id`.
        end_user_id: the end user; up to 256 characters.
        organization: the organization of the device; up to 256 characters.
        region: up to 256 characters.
        timezone: for example Europe/Berlin; up to 256 characters.
        mqtt_connect: True for a device that uses MQTT.
        product_id: the product of the device; up to 256 characters.
        secret: the device's password; by default the platform makes one.
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
class RegDeviceWithSecretOutDTO(Received, JsonForm):
    """A device registered in password mode (section 1.4.2).

    Attributes:
        device_id: the device's id, which the platform has made.
        psk: a pre-shared key that the platform has made.
        secret: the device's password.
    """

    device_id: str
    psk: Annotated[str | None, SECRET] = None
    secret: Annotated[str | None, SECRET] = None


@request
class RefreshDeviceKeyInDTO(JsonForm):
    """New credentials for a device (section 1.4.3).

    Attributes:
        verify_code: the new code; by default the platform makes one. Up to 256 characters.
        node_id: a new id if the hardware is replaced; by default it does not change. Up to 256 characters.
        timeout: seconds in which the device must come online, up to 2,147,483,647; 0 for no limit; 180 by default.
    """

    verify_code: Annotated[str | None, Text.up_to(256), SECRET] = None
    node_id: Annotated[str | None, Text.up_to(256)] = None
    timeout: Annotated[int | None, _CODE_TIMEOUT] = None


@response
class RefreshDeviceKeyOutDTO(Received, JsonForm):
    """A device's new code (section 1.4.3).

    Attributes:
        verify_code: the code with which the device logs in.
        timeout: seconds in which the device must come online; 0 for no limit.
    """

    verify_code: Annotated[str | None, SECRET] = None
    timeout: int | None = None


@request
class CustomField(JsonForm):
    """An application's own field of a device (section 1.4.4).

    Attributes:
        field_name: up to 256 characters.
        field_type: up to 256 characters.
        field_value: any JSON value.
    """

    field_name: Annotated[str | None, Text.up_to(256)] = None
    field_type: Annotated[str | None, Text.up_to(256)] = None
    field_value: Any = None


@request
class DataConfigDTO(JsonForm):
    """How long the data of a device is kept (section 1.4.4).

    Attributes:
        data_aging_time: days, 0 to 90.
    """

    data_aging_time: Annotated[int | None, Range(0, 90)] = None


@request
class DeviceConfigDTO(JsonForm):
    """A device's configuration (section 1.4.4).

    Attributes:
        data_config: how long its data is kept.
    """

    data_config: DataConfigDTO | None = None


@request
class Tag2(JsonForm):
    """A tag of a device (section 1.4.4).

    Attributes:
        tag_name: 1 to 128 characters.
        tag_value: 1 to 1,024 characters.
        tag_type: a number that the application chooses.
    """

    tag_name: Annotated[str, Text(1, 128)]
    tag_value: Annotated[str, Text(1, 1024)]
    tag_type: int | None = None


@request
class ModifyDeviceInforInDTO(JsonForm):
    """The changes to a device; fields that are not given do not change (section 1.4.4).

    Attributes:
        custom_fields: the application's own fields.
        imsi: the IMSI of the SIM; up to 64 characters.
        name: 1 to 256 characters.
        end_user: 1 to 256 characters.
        mute: TRUE freezes the device, FALSE unfreezes it; see `TextFlag`.
        manufacturer_id: as in the profile; 1 to 256 characters.
        manufacturer_name: as in the profile; 1 to 256 characters.
        device_type: as in the profile; 1 to 256 characters.
        model: as in the profile; 1 to 256 characters.
        location: 1 to 1,024 characters.
        protocol_type: as in the profile; 1 to 256 characters.
        device_config: how long its data is kept.
        region: 1 to 256 characters.
        organization: 1 to 256 characters.
        timezone: for example Asia/Shanghai; 1 to 256 characters.
        ip: the device's address; up to 128 characters.
        is_secure: whether the device uses encryption.
        psk: the pre-shared key, 8 to 32 hexadecimal digits.
        tags: the device's tags.
        product_id: the product of the device; up to 256 characters.
    """

    custom_fields: list[CustomField] | None = None
    imsi: Annotated[str | None, Text.up_to(64)] = None
    name: Annotated[str | None, Text(1, 256)] = None
    end_user: Annotated[str | None, Text(1, 256)] = None
    mute: Annotated[TextFlagIn | None, Text(1, 256)] = None
    manufacturer_id: Annotated[str | None, Text(1, 256)] = None
    manufacturer_name: Annotated[str | None, Text(1, 256)] = None
    device_type: Annotated[str | None, Text(1, 256)] = None
    model: Annotated[str | None, Text(1, 256)] = None
    location: Annotated[str | None, Text(1, 1024)] = None
    protocol_type: Annotated[ProtocolType | None, Text(1, 256)] = None
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
class QueryDeviceStatusOutDTO(Received, JsonForm):
    """Whether a device has been activated (section 1.4.7).

    Attributes:
        device_id: the device.
        activated: True if the device has logged in with its code.
        name: the device's name.
    """

    device_id: str | None = None
    activated: bool | None = None
    name: str | None = None


@request
class ServiceDesiredDTO(JsonForm):
    """The desired values of one service of a device (section 1.4.8).

    Attributes:
        service_id: the service's id in the profile; 1 to 256 characters.
        desired: property names and their desired values.
    """

    service_id: Annotated[str | None, Text(1, 256)] = None
    desired: JsonObject | None = None


@request
class ModifyDeviceShadowInDTO(JsonForm):
    """The desired values of a device (section 1.4.8).

    Attributes:
        service_desireds: one entry per service.
    """

    service_desireds: list[ServiceDesiredDTO]


@response
class DeviceServiceB(Received, JsonForm):
    """One service in a device's shadow (section 1.4.9).

    Attributes:
        service_id: the service's id in the profile.
        reported_props: the last reported values of the properties.
        desired_props: the desired values of the properties.
        event_time: the time of the report, UTC.
        service_type: the service's type.
    """

    service_id: str | None = None
    reported_props: JsonObject | None = None
    desired_props: JsonObject | None = None
    event_time: Timestamp | None = None
    service_type: str | None = None


@response
class QueryDeviceShadowOutDTO(KnownDevice):
    """A device's shadow: its reported and its desired values (section 1.4.9).

    Attributes:
        services: the values of each service.
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
