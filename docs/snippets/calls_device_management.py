"""An example per method of client.device_management, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    CustomField,
    ModifyDeviceInforInDTO,
    ModifyDeviceShadowInDTO,
    MqttDeviceInfoDTO,
    RefreshDeviceKeyInDTO,
    RegDeviceWithSecretInDTO,
    RegDirectDeviceInDTO2,
    ServiceDesiredDTO,
)
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    # --8<-- [start:reg_direct_device]
    meter = RegDirectDeviceInDTO2(node_id="meter-0001", product_id="water-meter-nb")
    registered = client.device_management.reg_direct_device(meter)
    device_id = registered.device_id
    print(device_id, "has to connect in", registered.timeout, "seconds")
    # --8<-- [end:reg_direct_device]

    # --8<-- [start:reg_device_with_secret]
    gateway = RegDeviceWithSecretInDTO(
        device_info=MqttDeviceInfoDTO(node_id="house-0001"),
        product_id="home-gateway-mqtt",
        mqtt_connect=True,
    )
    given = client.device_management.reg_device_with_secret(gateway)
    secret = given.secret  # no other call returns it
    # --8<-- [end:reg_device_with_secret]

    platform.control.set_online(device_id)

    platform.control.set_online(device_id, False)

    # --8<-- [start:refresh_device_key]
    code = RefreshDeviceKeyInDTO(verify_code="meter-0001-new", timeout=0)
    client.device_management.refresh_device_key(code, device_id)
    # --8<-- [end:refresh_device_key]

    # --8<-- [start:ensure_device]
    same = client.device_management.ensure_device(meter)
    print(same.device_id == device_id)
    # --8<-- [end:ensure_device]

    # --8<-- [start:find_device]
    found = client.device_management.find_device("meter-0001")
    print(found.device_id, found.device_info and found.device_info.status)
    # --8<-- [end:find_device]

    # --8<-- [start:modify_device_info]
    client.device_management.modify_device_info(
        ModifyDeviceInforInDTO(
            name="Cellar",
            location="Mill Lane 4",
            custom_fields=[CustomField(field_name="floor", field_value="-1")],
        ),
        device_id,
    )
    # --8<-- [end:modify_device_info]

    # --8<-- [start:query_device_status]
    status = client.device_management.query_device_status(device_id)
    print(status.name, "has been online:", status.activated)
    # --8<-- [end:query_device_status]

    # --8<-- [start:modify_device_shadow]
    wish = ServiceDesiredDTO(service_id="WaterMeter", desired={"reportInterval": 3600})
    client.device_management.modify_device_shadow(
        ModifyDeviceShadowInDTO(service_desireds=[wish]), device_id
    )
    # --8<-- [end:modify_device_shadow]

    # --8<-- [start:query_device_shadow]
    shadow = client.device_management.query_device_shadow(device_id)
    for service in shadow.services or []:
        print(service.service_id, service.desired_props, service.reported_props)
    # --8<-- [end:query_device_shadow]

    # --8<-- [start:delete_direct_device]
    client.device_management.delete_direct_device(device_id)
    # --8<-- [end:delete_direct_device]
