"""The programs of docs/simulating-devices.md."""

# --8<-- [start:in-python]
from iot_northbound import NorthApiClient
from iot_northbound.device import Command, DeviceCredentials, DeviceSide, FleetDevice
from iot_northbound.dto import MqttDeviceInfoDTO, RegDeviceWithSecretInDTO

profile = "~/.iot-northbound/emulator/profile.toml"


def obey(device: FleetDevice, command: Command) -> None:
    device.answer(command, 0)


fleet = DeviceSide.from_profile(profile).fleet(on_command=obey)
with NorthApiClient.from_profile(profile) as application:
    for number in range(10):
        info = MqttDeviceInfoDTO(node_id=f"house-{number:04}")
        given = application.device_management.reg_device_with_secret(
            RegDeviceWithSecretInDTO(
                device_info=info,
                product_id="home-gateway-mqtt",
                mqtt_connect=True,
            )
        )
        assert given.secret
        fleet.add(DeviceCredentials(given.device_id, given.secret))

with fleet:
    for device in fleet.devices:
        device.report([("Gateway", {"cpuLoad": 5})])
    fleet.drain(30)  # True if every report is acknowledged in 30 s
    print(fleet.counts())  # connects, reports, refusals by code, latencies …
# --8<-- [end:in-python]
