"""Documented values of request fields, as a type checker sees them: `make check` reads this; nothing runs it."""

from typing import Any, assert_type

from iot_northbound import NorthApiClient
from iot_northbound.dto import (
    CommandNA2CloudHeader,
    DeviceInfoDTO,
    ExecuteType,
    ModifyDeviceInforInDTO,
    NotifyType,
    NotifyTypeIn,
    OperatePolicy,
    QuerySingleDeviceInfoOutDTO,
    SubDeviceDataInDTO,
    SubDeviceManagementDataInDTO,
    UpdateDeviceCommandInDTO,
)

URL = "https://na.example/v1.0.0/messageReceiver"

# Where the platform refuses every other value: its text, a member, or a value of the platform's next version.
OperatePolicy(execute_type="now")
OperatePolicy(execute_type=ExecuteType.DEVICE_ONLINE)
OperatePolicy(execute_type=ExecuteType("at_night"))
OperatePolicy(execute_type="nwo")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
OperatePolicy(execute_type=NotifyType.BIND_DEVICE)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
UpdateDeviceCommandInDTO(status="CANCELED")
UpdateDeviceCommandInDTO(status="CANCELLED")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ModifyDeviceInforInDTO(mute="TRUE")
ModifyDeviceInforInDTO(mute="true")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ModifyDeviceInforInDTO(mute=None)
SubDeviceDataInDTO(notify_type="deviceAdded", callback_url=URL)
SubDeviceDataInDTO(notify_type="deviceAded", callback_url=URL)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
SubDeviceManagementDataInDTO(notify_type="swUpgradeResultNotify", callback_url=URL)
SubDeviceManagementDataInDTO(notify_type="deviceAdded", callback_url=URL)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def read_from_a_file(kind: str, mine: NotifyTypeIn, client: NorthApiClient) -> None:
    """What is only known when the program runs is made an open enumeration, which refuses nothing."""
    SubDeviceDataInDTO(notify_type=kind, callback_url=URL)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SubDeviceDataInDTO(notify_type=NotifyType(kind), callback_url=URL)
    SubDeviceDataInDTO(notify_type=mine, callback_url=URL)
    client.subscription_management.ensure(URL, [kind, "deviceAdded", NotifyType.BIND_DEVICE])


# Where a product model may say something else: any text.
DeviceInfoDTO(model="M1", protocol_type="CoAP")
DeviceInfoDTO(model="M1", protocol_type="ZigBee")
DeviceInfoDTO(model="M1", protocol_type=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
CommandNA2CloudHeader(mode="ACK", method="REBOOT")

# Every DTO is JSON with the platform's names, and comes back as its own class.
assert_type(OperatePolicy.from_json('{"executeType": "now"}'), OperatePolicy)
assert_type(QuerySingleDeviceInfoOutDTO.from_json({"deviceId": "d-1"}).to_json(), dict[str, Any])
OperatePolicy.from_json(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
