"""The programs of docs/device/hub.md."""

# --8<-- [start:hubs]
from iot_northbound import NorthApiClient
from iot_northbound.dto import MqttDeviceInfoDTO, RegDeviceWithSecretInDTO
from iot_northbound.emulator import Emulator

models = {"11": "climate-sensor-zigbee"}  # what the deviceType 11 is
platform = Emulator(hub_port=0, hub_models=models)
platform.start()
with NorthApiClient.from_profile(platform.profile_path) as application:
    given = application.device_management.reg_device_with_secret(
        RegDeviceWithSecretInDTO(
            device_info=MqttDeviceInfoDTO(node_id="hub-1"),
            product_id="home-gateway-mqtt",
        )
    )
# --8<-- [end:hubs]


# --8<-- [start:hubs-2]
from iot_northbound.device import DeviceSide
from iot_northbound.device.hub import (
    AddDevice,
    CommandResult,
    HubClient,
    HubCommand,
    Measure,
)

side = DeviceSide.from_profile(platform.profile_path)
assert side.hub_url
assert given.secret
with HubClient("hub-1", given.secret, side.hub_url, ca_path=side.ca_path) as hub:

    @hub.on_command("SET_REPORT_INTERVAL")
    def set_interval(command: HubCommand) -> CommandResult:
        print(command.device_id, command.values)  # {'seconds': '60'}
        return CommandResult.EXECUTED

    hub.post(adds=[AddDevice("sensor-1", 11)])
    values = {"temperature": 21.5, "humidity": 40}
    answer = hub.post(Measure("sensor-1", values))
    answer.unknown  # devices that were not added
    hub.interval  # seconds until the next message; fewer if a user watches

platform.stop()
# --8<-- [end:hubs-2]
