"""What tests of the MQTT port ask the platform about its devices."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import resources
from typing import Any

from iot_northbound.emulator import Emulator
from tests.emulator.conftest import Wire

from .wire import Device, Peer

Connect = Callable[..., Peer]
EARLIER = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 3600))


def status(wire: Wire, device: Device) -> str:
    _, answer = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device.device_id}")
    return str(answer["deviceInfo"]["status"])


def history(wire: Wire, device: Device, page: int = 0) -> list[dict[str, Any]]:
    query = f"deviceId={device.device_id}&gatewayId={device.device_id}&pageNo={page}&pageSize=250"
    code, answer = wire.call("GET", f"/iocm/app/data/v1.2.0/deviceDataHistory?{query}")
    assert code == 200, answer
    return list(answer["deviceDataHistoryDTOs"])


def journal(emulator: Emulator, packet: str) -> list[dict[str, Any]]:
    return [each for each in emulator.control.journal(kind="mqtt") if each["packet"] == packet]


def send_command(wire: Wire, device: Device, **more: Any) -> str:
    body = {
        "deviceId": device.device_id,
        "command": {"serviceId": "Gateway", "method": "PERMIT_JOIN", "paras": {"seconds": 60}},
        **more,
    }
    code, answer = wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", body)
    assert code == 201, answer
    return str(answer["commandId"])


def command_status(wire: Wire, device: Device, command_id: str) -> tuple[str, Any]:
    _, answer = wire.call("GET", f"/iocm/app/cmd/v1.4.0/deviceCommands?deviceId={device.device_id}")
    row = next(each for each in answer["data"] if each["commandId"] == command_id)
    return row["status"], row["result"]


def shipped_model(name: str) -> str:
    return (resources.files("iot_northbound.emulator") / "models" / f"{name}.json").read_text()
