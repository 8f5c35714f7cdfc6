"""The programs of docs/from-java.md."""

import os

from iot_northbound import ClientInfo, NorthApiClient, SSLConfig
from iot_northbound.dto import RegDirectDeviceInDTO2


def register() -> str:
    # --8<-- [start:register]
    info = ClientInfo(
        platform_ip="iot.example",
        platform_port=8743,
        app_id="my-app",
        secret=os.environ["NA_SECRET"],
    )
    tls = SSLConfig(
        self_cert_path="client.p12",
        self_cert_pwd=os.environ["NA_CERT_PASSWORD"],
        trust_ca_path="ca.jks",
        trust_ca_pwd=os.environ["NA_TRUST_PASSWORD"],
    )
    with NorthApiClient(info, tls) as client:  # logs in and keeps the token fresh
        lamp = RegDirectDeviceInDTO2(node_id="lamp-0001", timeout=0)
        device = client.device_management.reg_direct_device(lamp)
    # --8<-- [end:register]
    return device.device_id
