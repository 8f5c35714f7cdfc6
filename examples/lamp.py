"""An application that turns on a lamp when a sensor reports that somebody is there.

    python examples/lamp.py

The sensor and the lamp are MQTT devices. The application hears the sensor's report as a push, and sends the lamp a
command. The lamp's answer comes as a push too. The program plays all parts, on an embedded platform of its own, and
leaves nothing behind.
"""

import threading
from typing import Any

from iot_northbound import NorthApiClient, PushMessageReceiver, load_profile
from iot_northbound.device import Command, DeviceClient, DeviceCredentials, DeviceSide
from iot_northbound.dto import (
    CommandDTO2,
    CommandMode,
    CommandNA2CloudHeader,
    MqttDeviceInfoDTO,
    NotifyCommandRspDTO,
    NotifyDeviceDataChangedDTO,
    NotifyType,
    RegDeviceWithSecretInDTO,
)
from iot_northbound.emulator import Emulator
from iot_northbound.push import MemoryInbox, server_context

KINDS = (NotifyType.DEVICE_DATA_CHANGED, NotifyType.COMMAND_RSP)
PROPERTY = {"propertyName": "presence", "dataType": "boolean", "method": "RE"}
SWITCH = {
    "commandName": "SWITCH",
    "paras": [{"paraName": "state", "dataType": "enum", "enumList": ["ON", "OFF"]}],
}
SENSOR = {"serviceId": "Presence", "properties": [PROPERTY]}
LAMP = {"serviceId": "Lamp", "commands": [SWITCH]}


def model(name: str, service: dict[str, Any]) -> dict[str, Any]:
    """Return a product model with one service."""
    identity = {
        "manufacturerId": "HALL",
        "manufacturerName": "Hall Light",
        "deviceType": name,
        "model": name,
    }
    return {
        "productId": name,
        **identity,
        "protocolType": "MQTT",
        "services": [service],
    }


class Application(PushMessageReceiver):
    """Turns on the lamp when the sensor reports that somebody is there."""

    def __init__(self, client: NorthApiClient, sensor: str, lamp: str) -> None:
        super().__init__(MemoryInbox())
        self.client, self.sensor, self.lamp = client, sensor, lamp
        self.done = threading.Event()

    def handle_device_data_changed(self, body: NotifyDeviceDataChangedDTO) -> None:
        """Take a report of any device."""
        if (
            body.device_id != self.sensor
            or body.service is None
            or not (body.service.data or {}).get("presence")
        ):
            return
        print("application: somebody is there")
        switch = CommandDTO2(
            header=CommandNA2CloudHeader(mode=CommandMode.ACK, method="SWITCH"),
            body={"state": "ON"},
        )
        self.client.signal_delivery.invoke_device_service(self.lamp, "Lamp", switch)

    def handle_command_rsp(self, body: NotifyCommandRspDTO) -> None:
        """Take the lamp's answer."""
        print(f"application: the lamp answers {body.body}")
        self.done.set()


def register(client: NorthApiClient, side: DeviceSide, name: str) -> DeviceClient:
    """Register a device, and return it as a client that is not connected yet."""
    info = MqttDeviceInfoDTO(node_id=f"{name}-1")
    given = client.device_management.reg_device_with_secret(
        RegDeviceWithSecretInDTO(device_info=info, product_id=name)
    )
    return side.device(DeviceCredentials(given.device_id, given.secret or ""))


def main() -> None:
    with (
        Emulator(mqtt_port=0) as platform,
        NorthApiClient(*load_profile(platform.profile_path)) as client,
    ):
        for name, service in (("sensor", SENSOR), ("lamp", LAMP)):
            platform.control.add_model(model(name, service))
        side = DeviceSide.from_profile(platform.profile_path)
        sensor, lamp = register(client, side, "sensor"), register(client, side, "lamp")

        @lamp.on_command("Lamp", "SWITCH")
        def switch(command: Command) -> dict[str, Any]:
            print(f"lamp: {command.paras['state']}")
            return {"state": command.paras["state"]}

        application = Application(client, sensor.credentials.id, lamp.credentials.id)
        tls = server_context(
            platform.home.folder / "server.pem", platform.home.folder / "server.key"
        )
        with application.server(port=0, ssl=tls) as server, sensor, lamp:
            client.subscription_management.ensure(server.url, KINDS)
            print("sensor: somebody comes")
            sensor.report("Presence", {"presence": True}).result(10)
            if not application.done.wait(30):
                raise SystemExit("the lamp did not go on")


if __name__ == "__main__":
    main()
