"""The programs of docs/device/agentlite.md."""

# --8<-- [start:from-the-first-start-to-a-report]
from iot_northbound import NorthApiClient
from iot_northbound.dto import RegDirectDeviceInDTO2

profile = "~/.iot-northbound/emulator/profile.toml"
with NorthApiClient.from_profile(profile) as application:
    application.device_management.reg_direct_device(
        RegDirectDeviceInDTO2(
            node_id="gateway-1",
            verify_code="gateway-1",
            product_id="home-gateway-mqtt",
        )
    )
# --8<-- [end:from-the-first-start-to-a-report]


# --8<-- [start:from-the-first-start-to-a-report-2]
from pathlib import Path

from iot_northbound.device import DeviceSide
from iot_northbound.device.agentlite import (
    AgentLite,
    BindConfig,
    IotaDeviceInfo,
    IotaMessage,
    Topic,
)

side = DeviceSide.from_profile(profile)
assert side.agentlite_port
work_path = Path("gateway-1")
work_path.mkdir(exist_ok=True)
agent = AgentLite(
    work_path,
    ca_path=side.ca_path,
    bind_config=BindConfig(side.mqtt_host, side.agentlite_port),
)


@agent.on(Topic.COMMAND_RECEIVE)
def command(message: IotaMessage) -> None:
    print(message.method, message.content)
    assert message.device_id
    assert message.service_id
    agent.data_trans_service.data_report(
        message.device_id,
        message.service_id,
        {"result": 0},
        request_id=message.request_id,
    )


info = IotaDeviceInfo("gateway-1", "NETZWERK", "Gateway", "NG-2", "MQTT")
bound = agent.bind_service.bind("gateway-1", info).result()
agent.login_service.login().result(60)  # where to log in, the bind has told it
assert bound.device_id
values = {"uptime": 5}
report = agent.data_trans_service.data_report(bound.device_id, "Gateway", values)
report.result(10)
agent.close()
# --8<-- [end:from-the-first-start-to-a-report-2]


# --8<-- [start:from-the-first-start-to-a-report-3]
with NorthApiClient.from_profile(profile) as application:
    application.device_management.delete_direct_device(bound.device_id)
# --8<-- [end:from-the-first-start-to-a-report-3]
