"""The programs of docs/device/index.md."""

# --8<-- [start:a-device]
from iot_northbound import NorthApiClient
from iot_northbound.device import Command, DeviceCredentials, DeviceSide
from iot_northbound.dto import MqttDeviceInfoDTO, RegDeviceWithSecretInDTO

profile = "~/.iot-northbound/emulator/profile.toml"
with NorthApiClient.from_profile(profile) as application:
    given = application.device_management.reg_device_with_secret(
        RegDeviceWithSecretInDTO(
            device_info=MqttDeviceInfoDTO(node_id="gateway-0001"),
            product_id="home-gateway-mqtt",
            mqtt_connect=True,
        )
    )
assert given.secret
credentials = DeviceCredentials(given.device_id, given.secret)
# --8<-- [end:a-device]


# --8<-- [start:a-device-2]
device = DeviceSide.from_profile(profile).device(credentials)


@device.on_command("Gateway", "PERMIT_JOIN")
def permit_join(command: Command) -> dict[str, int]:
    print("open for", command.paras["seconds"], "seconds")
    return {"result": 0}


device.start(timeout=30)
device.report("Gateway", {"cpuLoad": 5}).result(10)
# --8<-- [end:a-device-2]


# --8<-- [start:a-device-3]
from iot_northbound.dto import CommandDTOV4, PostDeviceCommandInDTO2

command = CommandDTOV4(
    service_id="Gateway",
    method="PERMIT_JOIN",
    paras={"seconds": 60},
)
with NorthApiClient.from_profile(profile) as application:
    sent = application.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(device_id=given.device_id, command=command)
    )
    done = application.signal_delivery.wait_for_device_command(
        sent.command_id,
        given.device_id,
        timeout=30,
    )
    print(done.status, done.result)
    device.close()
    application.device_management.delete_direct_device(given.device_id)
# --8<-- [end:a-device-3]


# --8<-- [start:a-secret-from-the-product-model]
from iot_northbound.device import DeviceClient
from iot_northbound.emulator import Emulator

service = {"serviceId": "Lamp", "commands": [{"commandName": "SWITCH"}]}
lamp = {
    "productId": "hall-lamp",
    "manufacturerId": "HALL",
    "manufacturerName": "Hall Light",
    "model": "L1",
    "deviceType": "Lamp",
    "protocolType": "MQTT",
    "services": [service],
    "secret": "secret-of-all-lamps",
}

with Emulator(mqtt_port=0, mqtt_model_secrets=True) as platform:
    platform.control.add_model(lamp)
    host, port = platform.mqtt_address
    kept: list[DeviceCredentials] = []
    credentials = DeviceClient.provision(
        "hall-lamp",
        "lamp-0001",
        "secret-of-all-lamps",
        host,
        port,
        ca_path=platform.device_ca,
        keep=kept.append,
    )
# --8<-- [end:a-secret-from-the-product-model]
