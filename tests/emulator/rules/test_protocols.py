"""A call that is for devices of another protocol on a real platform is accepted, with one hint per device."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.rules import devices, models
from tests.emulator.calling import Caller
from tests.emulator.scene import COMMANDS, TASKS, settle

PROTOCOLS = ("CoAP", "LWM2M", "MQTT", "ZigBee")
SERVICE = {
    "serviceId": "Lamp",
    "commands": [{"commandName": "ON"}],
    "properties": [{"propertyName": "level", "dataType": "int", "method": "RW"}],
}
COMMAND = {"serviceId": "Lamp", "method": "ON"}


def product(app: Caller, protocol: str) -> str:
    identity = {"manufacturerId": "M", "manufacturerName": "M", "deviceType": "Lamp", "model": protocol}
    model = {"productId": protocol, **identity, "protocolType": protocol, "services": [SERVICE]}
    models.add_model(app.platform, app.app_id, model)
    return protocol


def lamp(app: Caller, protocol: str, node_id: str = "lamp") -> str:
    device_id = app.register(node_id, productId=product(app, protocol), timeout=0)
    devices.set_online(app.platform, device_id)
    return device_id


def cached(app: Caller, device_id: str) -> Answer:
    return app.call("POST", COMMANDS, {"deviceId": device_id, "command": COMMAND})


def immediate(app: Caller, device_id: str) -> Answer:
    return app.call("POST", COMMANDS, {"deviceId": device_id, "command": COMMAND, "expireTime": 0})


def batch(app: Caller, device_id: str) -> Answer:
    param = {"type": "DeviceList", "deviceList": [device_id], "command": COMMAND}
    name = f"task-{app.platform.next_seq()}"
    body = {"appId": app.app_id, "taskName": name, "taskType": "DeviceCmd", "timeout": 10, "param": param}
    answer = app.call("POST", TASKS, body)
    settle(app.platform)
    return answer


def desire(app: Caller, device_id: str) -> Answer:
    body = {"serviceDesireds": [{"serviceId": "Lamp", "desired": {"level": 3}}]}
    return app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{device_id}", body)


def invoke(app: Caller, device_id: str) -> Answer:
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Lamp/sendCommand"
    return app.call("POST", path, {"header": {"mode": "ACK", "method": "ON"}})


@pytest.mark.parametrize(
    ("call", "fitting", "instead"),
    [
        (cached, ("CoAP", "LWM2M"), "1.7.7"),
        (immediate, ("CoAP", "LWM2M"), "1.7.7"),
        (batch, ("CoAP", "LWM2M"), "1.7.7"),
        (desire, ("LWM2M",), "command"),
        (invoke, ("MQTT", "ZigBee"), "1.7.1"),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_is_taken_and_hinted_at_once_per_device(
    app: Caller,
    caplog: pytest.LogCaptureFixture,
    call: Callable[[Caller, str], Answer],
    fitting: tuple[str, ...],
    instead: str,
    protocol: str,
) -> None:
    ids = [lamp(app, protocol, "one"), lamp(app, protocol, "two")]
    for device_id in ids * 2:
        assert call(app, device_id).status < 300
    told = [record.getMessage() for record in caplog.records if "on a real platform" in record.getMessage()]
    assert len(told) == (0 if protocol in fitting else 2)
    for device_id, text in zip(ids, told, strict=False):
        assert f"device {device_id} speaks {protocol}" in text
        assert instead in text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_registration_by_secret_is_not_for_nb_iot_devices(
    app: Caller, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    for node_id in ("one", "two"):  # the hint comes once per product model
        body = {"deviceInfo": {"nodeId": node_id}, "productId": product(app, protocol)}
        assert app.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", body).status == 200
    assert caplog.text.count("registration by secret") == (protocol in ("CoAP", "LWM2M"))


def test_a_refused_call_gives_no_hint(app: Caller, caplog: pytest.LogCaptureFixture) -> None:
    device_id = lamp(app, "MQTT")
    command = {"serviceId": "Lamp", "method": "OFF"}
    assert app.call("POST", COMMANDS, {"deviceId": device_id, "command": command}).status == 400
    assert "on a real platform" not in caplog.text
