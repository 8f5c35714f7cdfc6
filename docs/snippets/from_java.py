"""The new side of docs/from-java.md, together with coming_from.py."""

# fmt: off
# Two columns of code stand beside each other on the page: each is narrow.

import os

from iot_northbound import ClientInfo, NorthApiClient, SSLConfig


def connect() -> NorthApiClient:
    secret = os.environ["NA_SECRET"]
    cert_password = os.environ["NA_CERT_PASSWORD"]
    trust_password = os.environ["NA_TRUST_PASSWORD"]
    # --8<-- [start:connect]
    info = ClientInfo(
        platform_ip="iot.example",
        platform_port=8743,
        app_id="my-app",
        secret=secret,
    )
    tls = SSLConfig(
        self_cert_path="client.p12",
        self_cert_pwd=cert_password,
        trust_ca_path="ca.jks",
        trust_ca_pwd=trust_password,
    )
    client = NorthApiClient(info, tls)
    client.start_timer()  # logs in, stays logged in
    # --8<-- [end:connect]
    return client


client = NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml")
client.start_timer()

# --8<-- [start:pages]
from iot_northbound.dto import (
    QueryBatchDevicesInfoInDTO,
)

query = QueryBatchDevicesInfoInDTO(page_size=100)
data = client.data_collection
for each in data.iter_devices(query):
    print(each.device_id)
# --8<-- [end:pages]

from iot_northbound.dto import RegDirectDeviceInDTO2

meter = RegDirectDeviceInDTO2(
    node_id="meter-0003", product_id="water-meter-nb", timeout=0
)
device_id = client.device_management.reg_direct_device(meter).device_id

# --8<-- [start:command]
from iot_northbound.dto import (
    CommandDTOV4,
    PostDeviceCommandInDTO2,
)

close = CommandDTOV4(
    service_id="WaterMeter",
    method="SET_VALVE",
    paras={"state": "CLOSED"},
)
command = PostDeviceCommandInDTO2(
    device_id=device_id, command=close
)
delivery = client.signal_delivery
posted = delivery.post_device_command(command)
print(posted.command_id)
# --8<-- [end:command]

client.close()
