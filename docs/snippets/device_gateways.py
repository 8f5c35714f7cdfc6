"""The programs of docs/device/gateways.md."""

# --8<-- [start:from-the-registration-to-the-first-report]
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
# --8<-- [end:from-the-registration-to-the-first-report]


# --8<-- [start:from-the-registration-to-the-first-report-2]
from iot_northbound.device import Command, DeviceCredentials, DeviceSide

side = DeviceSide.from_profile(profile)
http = side.field_http()
bound = http.bind(
    "gateway-1",
    {
        "nodeId": "gateway-1",
        "manufacturerId": "NETZWERK",
        "deviceType": "Gateway",
        "model": "NG-2",
        "protocolType": "MQTT",
    },
)
http.close()
# --8<-- [end:from-the-registration-to-the-first-report-2]


# --8<-- [start:from-the-registration-to-the-first-report-3]
credentials = DeviceCredentials(bound.device_id, bound.secret)
gateway = side.gateway(credentials, bound.app_id)


@gateway.on_child_command("Climate", "SET_REPORT_INTERVAL")
def set_interval(command: Command) -> dict[str, int]:
    print("tell", command.device_id, "by radio:", command.paras["seconds"])
    return {"result": 0}


with gateway:
    child = gateway.add_child(
        {
            "nodeId": "climate-hall",
            "manufacturerId": "NETZWERK",
            "deviceType": "ClimateSensor",
            "model": "NC-1",
            "protocolType": "ZigBee",
        }
    )
    values = {"temperature": 21.5}
    gateway.report_child(child.device_id, "Climate", values).result(10)
# --8<-- [end:from-the-registration-to-the-first-report-3]


# --8<-- [start:from-the-registration-to-the-first-report-4]
with NorthApiClient.from_profile(profile) as application:
    application.device_management.delete_direct_device(bound.device_id)
# --8<-- [end:from-the-registration-to-the-first-report-4]
