"""The closed loop: devices report over MQTT, the application hears them, commands one, and hears its answer.

    python examples/closed_loop.py

It starts a platform with its own certificates in a temporary folder. Twelve simulated gateways connect over MQTT and
report, and a receiver of pushes shows what they say as typed events. The application restarts one of them, and the
answer comes back as a push. Then one more gateway binds, adds a sensor, and reports for it.
"""

import tempfile
from queue import Empty, SimpleQueue
from typing import TypeVar

from rich.console import Console

from iot_northbound import NorthApiClient, PushMessageReceiver, load_profile
from iot_northbound.device import Command, DeviceCredentials, DeviceSide
from iot_northbound.device.fleet import FleetDevice
from iot_northbound.dto import (
    CommandDTO2,
    CommandNA2CloudHeader,
    MqttDeviceInfoDTO,
    NotifyCommandRspDTO,
    NotifyDeviceAddedDTO,
    NotifyDeviceDataChangedDTO,
    NotifyType,
    RegDeviceWithSecretInDTO,
    RegDirectDeviceInDTO2,
)
from iot_northbound.emulator import Emulator
from iot_northbound.push import MemoryInbox, server_context

GATEWAYS = 12
PRODUCT = "home-gateway-mqtt"
GATEWAY = {
    "manufacturerId": "NETZWERK",
    "deviceType": "Gateway",
    "model": "NG-2",
    "protocolType": "MQTT",
}
SENSOR = {
    "manufacturerId": "NETZWERK",
    "deviceType": "ClimateSensor",
    "model": "NC-1",
    "protocolType": "ZigBee",
}
KINDS = (
    NotifyType.DEVICE_ADDED,
    NotifyType.DEVICE_DATA_CHANGED,
    NotifyType.COMMAND_RSP,
)

T = TypeVar("T")


class Listener(PushMessageReceiver):
    """Keeps the events of each kind until somebody asks for them."""

    def __init__(self) -> None:
        super().__init__(MemoryInbox())
        self.added = SimpleQueue[NotifyDeviceAddedDTO]()
        self.data = SimpleQueue[NotifyDeviceDataChangedDTO]()
        self.answers = SimpleQueue[NotifyCommandRspDTO]()

    def handle_device_added(self, body: NotifyDeviceAddedDTO) -> None:
        self.added.put(body)

    def handle_device_data_changed(self, body: NotifyDeviceDataChangedDTO) -> None:
        self.data.put(body)

    def handle_command_rsp(self, body: NotifyCommandRspDTO) -> None:
        self.answers.put(body)


def next_of(events: SimpleQueue[T], what: str) -> T:
    try:
        return events.get(timeout=20)
    except Empty:
        raise SystemExit(f"no push of {what} arrived in 20 s") from None


def data_of(report: NotifyDeviceDataChangedDTO) -> object:
    return None if report.service is None else report.service.data


def register(client: NorthApiClient, node_id: str) -> DeviceCredentials:
    """Register a gateway that logs in with a secret, and return what it logs in with."""
    device = RegDeviceWithSecretInDTO(
        device_info=MqttDeviceInfoDTO(node_id=node_id),
        product_id=PRODUCT,
        mqtt_connect=True,
    )
    made = client.device_management.reg_device_with_secret(device)
    if made.secret is None:
        raise SystemExit("the platform gave the device no secret")
    return DeviceCredentials(made.device_id, made.secret)


def restart(client: NorthApiClient, device_id: str) -> None:
    header = CommandNA2CloudHeader(mode="ACK", method="RESTART", request_id="restart-1")
    client.signal_delivery.invoke_device_service(
        device_id, "Gateway", CommandDTO2(header=header, body={})
    )


def simulated_devices(
    client: NorthApiClient, side: DeviceSide, listener: Listener, console: Console
) -> None:
    """Let a fleet report, and command one of its devices."""

    def obey(device: FleetDevice, command: Command) -> None:
        device.answer(command, body={"result": 0})

    fleet = side.fleet(on_command=obey)
    names = {}
    for number in range(GATEWAYS):
        credentials = register(client, f"house-{number + 1:02}")
        names[credentials.id] = f"house-{number + 1:02}"
        fleet.add(credentials)
    with fleet:
        for number, device in enumerate(fleet.devices):
            device.report([("Gateway", {"subDevices": number, "cpuLoad": 5 + number})])
        if not fleet.drain(20):
            raise SystemExit("the platform did not acknowledge every report in 20 s")
        for _ in fleet.devices:
            event = next_of(listener.data, "deviceDataChanged")
            name = names[event.device_id or ""]
            console.print(f"  push: {name} reported {data_of(event)}")
        device_id = next(iter(names))
        restart(client, device_id)
        answer = next_of(listener.answers, "commandRsp")
        console.print(f"  push: {names[device_id]} answered RESTART with {answer.body}")


def gateway_with_a_sensor(
    client: NorthApiClient, side: DeviceSide, listener: Listener, console: Console
) -> None:
    """Bind a gateway, add a sensor behind it, and report for the sensor."""
    gateway = RegDirectDeviceInDTO2(
        node_id="house-13", verify_code="house-13", product_id=PRODUCT
    )
    code = client.device_management.reg_direct_device(gateway).verify_code or "house-13"
    with side.field_http() as http:
        bound = http.bind(code, {"nodeId": "house-13", **GATEWAY})
    while (
        event := next_of(listener.added, "deviceAdded")
    ).device_id != bound.device_id:
        pass
    with side.gateway(
        DeviceCredentials(bound.device_id, bound.secret), bound.app_id
    ) as device:
        sensor = device.add_child({"nodeId": "house-13-climate", **SENSOR}).device_id
        event = next_of(listener.added, "deviceAdded")
        console.print(f"  push: house-13 has a new device {event.device_id}")
        device.report_child(
            sensor, "Climate", {"temperature": 21.5, "humidity": 48}
        ).result(20)
    report = next_of(listener.data, "deviceDataChanged")
    console.print(f"  push: it reported {data_of(report)}")
    if (event.device_id, report.device_id) != (sensor, sensor):
        raise SystemExit("the pushes are not about the sensor")


def closed_loop(platform: Emulator, console: Console) -> None:
    """Play it on a running platform that has ports for devices."""
    listener = Listener()
    tls = server_context(
        platform.home.folder / "server.pem", platform.home.folder / "server.key"
    )
    side = DeviceSide.from_profile(platform.profile_path)
    with (
        listener.server(port=0, ssl=tls) as server,
        NorthApiClient(*load_profile(platform.profile_path)) as client,
    ):
        url = f"https://127.0.0.1:{server.address[1]}/v1.0.0/messageReceiver"
        client.subscription_management.ensure(url, KINDS)
        console.print(f"{GATEWAYS} simulated gateways at {platform.mqtt_url}")
        simulated_devices(client, side, listener, console)
        console.print(f"a gateway that binds at {platform.agentlite_url}")
        gateway_with_a_sensor(client, side, listener, console)
        client.subscription_management.ensure(url, [])


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="iot-northbound-loop-") as folder,
        Emulator(folder=folder, mqtt_port=0, agentlite_port=0) as platform,
    ):
        closed_loop(platform, Console())


if __name__ == "__main__":
    main()
