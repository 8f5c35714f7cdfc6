"""A gateway with one sensor behind it: it binds, connects, reports, and takes a command for the sensor.

    python examples/gateway.py [PROFILE]

PROFILE is a TOML profile. The default is the one of the embedded platform (start it with ``iot-northbound emulator``).
The program plays both sides: the application registers the gateway and sends the command.
"""

import argparse
import uuid
from pathlib import Path

from iot_northbound import NorthApiClient, load_profile
from iot_northbound.device import Command, DeviceCredentials, DeviceSide
from iot_northbound.dto import (
    CommandDTOV4,
    PostDeviceCommandInDTO2,
    RegDirectDeviceInDTO2,
)

DEFAULT_PROFILE = Path("~/.iot-northbound/emulator/profile.toml").expanduser()


def gateway_info(node_id: str) -> dict[str, str]:
    return {
        "nodeId": node_id,
        "manufacturerId": "NETZWERK",
        "deviceType": "Gateway",
        "model": "NG-2",
        "protocolType": "MQTT",
    }


SENSOR = {
    "nodeId": "climate-hall",
    "manufacturerId": "NETZWERK",
    "deviceType": "ClimateSensor",
    "model": "NC-1",
    "protocolType": "ZigBee",
}


def register(client: NorthApiClient, node_id: str) -> str:
    """Register the gateway, as the application does, and return the code that it binds with."""
    gateway = RegDirectDeviceInDTO2(
        node_id=node_id, verify_code=node_id, product_id="home-gateway-mqtt"
    )
    return client.device_management.reg_direct_device(gateway).verify_code or node_id


def command_the_sensor(client: NorthApiClient, sensor: str) -> None:
    """Send a command, as the application does, and show how it ended."""
    command = CommandDTOV4(
        service_id="Climate", method="SET_REPORT_INTERVAL", paras={"seconds": 60}
    )
    sent = client.signal_delivery.post_device_command(
        PostDeviceCommandInDTO2(device_id=sensor, command=command)
    )
    ended = client.signal_delivery.wait_for_device_command(
        sent.command_id, sensor, timeout=30
    )
    print(f"application: the command ended as {ended.status}: {ended.result}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", nargs="?", type=Path, default=DEFAULT_PROFILE)
    profile = parser.parse_args().profile

    side = DeviceSide.from_profile(profile)
    node_id = f"gateway-{uuid.uuid4().hex[:8]}"
    with NorthApiClient(*load_profile(profile)) as client:
        code = register(client, node_id)

        # From here on this is what runs in the gateway. It binds once, and keeps what it gets.
        with side.field_http() as http:
            bound = http.bind(code, gateway_info(node_id))
        print(f"gateway: bound as {bound.device_id}")
        gateway = side.gateway(
            DeviceCredentials(bound.device_id, bound.secret), bound.app_id
        )

        @gateway.on_child_command("Climate", "SET_REPORT_INTERVAL")
        def set_interval(command: Command) -> dict[str, int]:
            print(
                f"gateway: {command.device_id} is to report every {command.paras['seconds']} s"
            )
            return {"result": 0}

        with gateway:
            sensor = gateway.add_child(SENSOR).device_id
            print(f"gateway: the sensor is {sensor}")
            gateway.report("Gateway", {"subDevices": 1}).result(10)
            gateway.report_child(sensor, "Climate", {"temperature": 21.5}).result(10)
            seen = client.data_collection.query_single_device_info(sensor)
            print(
                f"application: the sensor reported {[each.data for each in seen.services or []]}"
            )
            command_the_sensor(client, sensor)
            gateway.remove_child(sensor)
        client.device_management.delete_direct_device(bound.device_id)


if __name__ == "__main__":
    main()
