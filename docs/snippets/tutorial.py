"""The application of docs/tutorial.md, in two steps, and a device that it talks to."""

# --8<-- [start:application]
import threading

from iot_northbound import NorthApiClient
from iot_northbound.device import Command, DeviceCredentials, DeviceSide
from iot_northbound.dto import (
    CommandDTO2,
    CommandNA2CloudHeader,
    MqttDeviceInfoDTO,
    NotifyCommandRspDTO,
    NotifyDeviceDataChangedDTO,
    RegDeviceWithSecretInDTO,
)
from iot_northbound.push import PushMessageReceiver

PROFILE = "~/.iot-northbound/emulator/profile.toml"
heard, answered = threading.Event(), threading.Event()


class Application(PushMessageReceiver):
    def handle_device_data_changed(self, body: NotifyDeviceDataChangedDTO) -> None:
        if body.service:
            print("pushed:", body.device_id, body.service.data)
            heard.set()

    def handle_command_rsp(self, body: NotifyCommandRspDTO) -> None:
        print("answered:", body.body)
        answered.set()


# --8<-- [end:application]


# --8<-- [start:register]
def register(client: NorthApiClient) -> DeviceCredentials:
    """Register a gateway that speaks MQTT, and return what it logs in with."""
    gateway = RegDeviceWithSecretInDTO(
        device_info=MqttDeviceInfoDTO(node_id="tutorial-1"),
        product_id="home-gateway-mqtt",
        mqtt_connect=True,
    )
    given = client.device_management.reg_device_with_secret(gateway)
    assert given.secret
    return DeviceCredentials(given.device_id, given.secret)


# --8<-- [end:register]


# --8<-- [start:device]
def permit_join(command: Command) -> dict[str, int]:
    print("device: open for", command.paras["seconds"], "seconds")
    return {"result": 0}


# --8<-- [end:device]


# --8<-- [start:main]
def main() -> None:
    with (
        NorthApiClient.from_profile(PROFILE) as client,
        Application().server("127.0.0.1", 0) as server,
    ):
        host, port = server.address
        url = f"http://{host}:{port}/v1.0.0/messageReceiver"
        client.subscription_management.ensure(url, ["deviceDataChanged", "commandRsp"])
        credentials = register(client)
        device = DeviceSide.from_profile(PROFILE).device(credentials)
        device.on_command("Gateway", "PERMIT_JOIN")(permit_join)
        try:
            device.start(timeout=30)
            device.report("Gateway", {"cpuLoad": 5}).result(10)
            heard.wait(10)

            order = CommandDTO2(
                header=CommandNA2CloudHeader(mode="ACK", method="PERMIT_JOIN"),
                body={"seconds": 60},
            )
            client.signal_delivery.invoke_device_service(
                credentials.id, "Gateway", order
            )
            answered.wait(10)
        finally:
            device.close()
            client.device_management.delete_direct_device(credentials.id)


if __name__ == "__main__":
    main()
# --8<-- [end:main]
