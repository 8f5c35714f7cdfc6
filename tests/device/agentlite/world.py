"""What the tests of AgentLite on the emulator have in common."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound.device.agentlite import AgentLite, AgentLiteError, HwErr, IotaDeviceInfo, IotaMessage, Topic
from tests.emulator.conftest import Wire

GATEWAY = IotaDeviceInfo("gw-1", "NETZWERK", "Gateway", "NG-2", "MQTT")
SENSOR = IotaDeviceInfo("sensor-1", "NETZWERK", "ClimateSensor", "NC-1", "ZigBee")
CODE = "code-7531"
WAIT = 30


class Heard:
    """Every message of an agent, by event."""

    def __init__(self, agent: AgentLite) -> None:
        self.order: list[Topic] = []
        self._messages: dict[Topic, queue.Queue[IotaMessage]] = {topic: queue.Queue() for topic in Topic}
        for topic in Topic:
            agent.on(topic)(self._put)

    def _put(self, message: IotaMessage) -> None:
        self.order.append(message.topic)
        self._messages[message.topic].put(message)

    def next(self, topic: Topic) -> IotaMessage:
        return self._messages[topic].get(timeout=WAIT)


MakeAgent = Callable[..., AgentLite]


def register(wire: Wire) -> str:
    body = {"nodeId": "gw-1", "verifyCode": CODE, "timeout": 60}
    status, answer = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", body)
    assert status == 200, answer
    return str(answer["deviceId"])


def bind(agent: AgentLite, wire: Wire) -> str:
    """Register and bind the gateway, and return its id."""
    device_id = register(wire)
    assert agent.bind_service.bind(CODE, GATEWAY).result(WAIT).device_id == device_id
    return device_id


def login(agent: AgentLite, wire: Wire) -> str:
    device_id = bind(agent, wire)
    agent.login_service.login().result(WAIT)
    return device_id


def add_sensor(agent: AgentLite) -> str:
    return str(agent.hub_service.add_device(SENSOR).result(WAIT).device_id)


def history(wire: Wire, gateway_id: str, device_id: str) -> list[Any]:
    path = f"/iocm/app/data/v1.2.0/deviceDataHistory?deviceId={device_id}&gatewayId={gateway_id}&pageNo=0&pageSize=100"
    status, answer = wire.call("GET", path)
    assert status == 200, answer
    return [each["data"] for each in answer["deviceDataHistoryDTOs"]]


def command(wire: Wire, device_id: str, service_id: str, method: str) -> str:
    body = {
        "deviceId": device_id,
        "command": {"serviceId": service_id, "method": method, "paras": {"seconds": 60}},
        "expireTime": 0,
    }
    status, answer = wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", body)
    assert status == 201, answer
    return str(answer["commandId"])


def ended(wire: Wire, device_id: str, command_id: str) -> dict[str, Any] | None:
    """A command, once it has a result."""
    _, answer = wire.call("GET", f"/iocm/app/cmd/v1.4.0/deviceCommands?deviceId={device_id}&pageNo=0&pageSize=10")
    found = next(each for each in answer["data"] if each["commandId"] == command_id)
    return dict(found) if found["status"] in ("SUCCESSFUL", "FAILED") else None


def refused(code: HwErr, call: Callable[[], Any]) -> AgentLiteError:
    with pytest.raises(AgentLiteError) as failure:
        call()
    assert failure.value.code is code, failure.value
    return failure.value
