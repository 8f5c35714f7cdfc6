"""The client, as a type checker sees it: `make check` reads this with mypy and pyright; nothing runs it."""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_type

from iot_northbound import (
    ClientInfo,
    DeviceManagement,
    HttpConfig,
    NorthApiClient,
    NorthApiException,
    SSLConfig,
    parse_time,
)
from iot_northbound.dto import (
    CommandDTOV4,
    DeviceCommandRespV4,
    PostDeviceCommandInDTO2,
    PostDeviceCommandOutDTO2,
    QuerySingleDeviceInfoOutDTO,
    RegDirectDeviceInDTO2,
    RegDirectDeviceOutDTO,
)

info = ClientInfo(platform_ip="platform.example", platform_port=8743, app_id="app", secret="not-a-real-one")
tls = SSLConfig(hostname_verifier=lambda host, certificate: certificate.common_name == host)

with NorthApiClient(info, tls, HttpConfig(deadline=5.0)) as client:
    assert_type(client, NorthApiClient)
    assert_type(client.device_management, DeviceManagement)
    client.with_options(deadline=None, connect_timeout=1.5)
    client.with_options(deadline="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    made = client.device_management.reg_direct_device(RegDirectDeviceInDTO2(node_id="n-1"))
    assert_type(made, RegDirectDeviceOutDTO)
    assert_type(made.device_id, str)
    assert_type(client.device_management.delete_direct_device(made.device_id), None)

    RegDirectDeviceInDTO2()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    RegDirectDeviceInDTO2(node_id=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    RegDirectDeviceInDTO2(node_id="n-1", nod_id="n-1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.device_management.reg_direct_device("n-1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert_type(client.data_collection.query_single_device_info(made.device_id), QuerySingleDeviceInfoOutDTO)
    assert_type(client.data_collection.iter_devices(), Iterator[QuerySingleDeviceInfoOutDTO])

    command = CommandDTOV4(service_id="Brightness", method="SET", paras={"value": 1})
    sent = client.signal_delivery.post_device_command(PostDeviceCommandInDTO2(device_id="d", command=command))
    assert_type(sent, PostDeviceCommandOutDTO2)
    assert_type(client.signal_delivery.wait_for_device_command(sent.command_id, "d"), DeviceCommandRespV4)

NorthApiClient.from_profile("iot.toml", "test", hooks=None, token_store=None)
NorthApiClient.from_profile("iot.toml", clock=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
NorthApiClient.from_profile("iot.toml", hoks=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
NorthApiClient.from_env(hoks=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

try:
    client.authentication.get_auth_token()
except NorthApiException as error:
    assert_type(error.error_code, str)
    assert_type(error.http_status_code, int | None)
assert_type(parse_time("20260101T000000Z"), datetime)
