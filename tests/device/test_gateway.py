from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device import (
    Backoff,
    Bound,
    Command,
    CommandFailed,
    DeviceClient,
    DeviceCredentials,
    DeviceRefusedError,
    DeviceSide,
    DeviceState,
    GatewayClient,
    SqliteQueue,
)
from iot_northbound.emulator.server import Emulator
from iot_northbound.errors import ConnectionFailedError, InvalidArgumentError, NotFoundError
from tests.clock import eventually
from tests.emulator.conftest import Wire
from tests.servers.process import free_port

GATEWAY = {
    "nodeId": "gw-1", "manufacturerId": "NETZWERK", "deviceType": "Gateway", "model": "NG-2", "protocolType": "MQTT",
}  # fmt: skip
CHILD = {
    "nodeId": "climate-1", "manufacturerId": "NETZWERK", "deviceType": "ClimateSensor", "model": "NC-1",
    "protocolType": "ZigBee",
}  # fmt: skip
REGISTRATION = "/iocm/app/reg/v1.1.0/deviceCredentials"
COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands"
AT_ONCE = Backoff(first=0.001)
Make = Callable[..., GatewayClient]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("home"), agentlite_port=0, mqtt_port=0) as running:
        yield running


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[Wire]:
    emulator.control.reset()
    made = Wire(emulator).login()
    yield made
    made.close()


def bind(wire: Wire) -> Bound:
    body = {"nodeId": "gw-1", "verifyCode": "gw-1", "timeout": 0}
    status, answer = wire.call("POST", REGISTRATION, body)
    assert status == 200, answer
    http = DeviceSide.from_profile(wire.emulator.profile_path).field_http()
    try:
        return http.bind("gw-1", GATEWAY)
    finally:
        http.close()


@pytest.fixture
def bound(wire: Wire) -> Bound:
    return bind(wire)


@pytest.fixture
def make(emulator: Emulator) -> Iterator[Make]:
    made: list[GatewayClient] = []

    def gateway(bound: Bound, **options: Any) -> GatewayClient:
        side = DeviceSide.from_profile(emulator.profile_path)
        credentials = DeviceCredentials(bound.device_id, bound.secret)
        made.append(side.gateway(credentials, bound.app_id, **{"backoff": AT_ONCE, **options}))
        return made[-1]

    yield gateway
    for each in made:
        each.close(1)


def device(wire: Wire, device_id: str) -> dict[str, Any]:
    status, answer = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
    assert status == 200, answer
    return dict(answer)


def send(wire: Wire, device_id: str, service_id: str, method: str, **paras: Any) -> str:
    command = {"serviceId": service_id, "method": method, "paras": paras}
    status, answer = wire.call("POST", COMMANDS, {"deviceId": device_id, "command": command})
    assert status == 201, answer
    return str(answer["commandId"])


def ended(wire: Wire, device_id: str, command_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        _, answer = wire.call("GET", f"{COMMANDS}?deviceId={device_id}")
        row = next(each for each in answer["data"] if each["commandId"] == command_id)
        return dict(row) if row["status"] in ("SUCCESSFUL", "FAILED") else {}

    return eventually(look)


def test_a_gateway_reports_for_itself_and_for_a_child(wire: Wire, bound: Bound, make: Make) -> None:
    with make(bound) as gateway:
        child = gateway.add_child(CHILD)
        gateway.report_child(child.device_id, "Climate", {"temperature": 21.5}, "20260102T030405Z").result(10)
        gateway.report("Gateway", {"subDevices": 1}).result(10)
        told = device(wire, child.device_id)
        assert told["gatewayId"] == bound.device_id
        assert told["deviceInfo"]["status"] == "ONLINE"
        [service] = told["services"]
        assert (service["data"], service["eventTime"]) == ({"temperature": 21.5}, "20260102T030405Z")
        assert device(wire, bound.device_id)["services"][0]["data"] == {"subDevices": 1}


def test_commands_reach_the_handler_of_the_child_or_of_the_gateway(wire: Wire, bound: Bound, make: Make) -> None:
    gateway = make(bound)
    heard: list[Command] = []

    @gateway.on_child_command("Climate", "SET_REPORT_INTERVAL")
    def set_interval(command: Command) -> dict[str, Any]:
        heard.append(command)
        if command.paras["seconds"] > 100:
            raise CommandFailed(7, {"why": "too long"})
        return {"result": 1}

    @gateway.on_command("Gateway")
    def restart(command: Command) -> dict[str, Any]:
        heard.append(command)
        return {"result": 2}

    with gateway:
        child = gateway.add_child(CHILD).device_id
        good = ended(wire, child, send(wire, child, "Climate", "SET_REPORT_INTERVAL", seconds=60))
        bad = ended(wire, child, send(wire, child, "Climate", "SET_REPORT_INTERVAL", seconds=600))
        own = ended(wire, bound.device_id, send(wire, bound.device_id, "Gateway", "RESTART"))
    assert (good["status"], good["result"]["resultDetail"]) == ("SUCCESSFUL", {"result": 1})
    assert (bad["status"], bad["result"]["resultDetail"]) == ("FAILED", {"errcode": 7, "why": "too long"})
    assert (own["status"], own["result"]["resultDetail"]) == ("SUCCESSFUL", {"result": 2})
    assert [(each.device_id, each.method) for each in heard] == [
        (child, "SET_REPORT_INTERVAL"), (child, "SET_REPORT_INTERVAL"), (None, "RESTART"),
    ]  # fmt: skip


def test_a_command_for_a_child_without_a_handler_is_answered_as_failed(wire: Wire, bound: Bound, make: Make) -> None:
    with make(bound) as gateway:
        child = gateway.add_child(CHILD).device_id
        told = ended(wire, child, send(wire, child, "Climate", "SET_REPORT_INTERVAL", seconds=60))
    assert (told["status"], told["result"]["resultDetail"]["error"]) == ("FAILED", "not supported")


def test_a_call_of_a_childs_service_is_answered(wire: Wire, bound: Bound, make: Make) -> None:
    gateway = make(bound)
    gateway.on_child_command()(lambda command: {"result": command.paras["seconds"]})
    with gateway:
        child = gateway.add_child(CHILD).device_id
        path = f"/iocm/app/signaltrans/v1.1.0/devices/{child}/services/Climate/sendCommand"
        header = {"mode": "ACK", "method": "SET_REPORT_INTERVAL"}
        status, answer = wire.call("POST", path, {"header": header, "body": {"seconds": 30}})
        assert status == 202, answer
        eventually(lambda: wire.emulator.control.service_calls(child)[0]["status"] == "executed")


def test_what_waits_for_a_child_goes_out_when_the_gateway_connects(wire: Wire, bound: Bound, make: Make) -> None:
    gateway = make(bound)
    child = gateway.add_child(CHILD).device_id
    command = send(wire, child, "Climate", "SET_REPORT_INTERVAL", seconds=60)
    gateway.on_child_command()(lambda command: {"result": 0})
    with gateway:
        assert ended(wire, child, command)["status"] == "SUCCESSFUL"


def test_after_a_connect_the_statuses_of_children_go_before_what_was_queued(
    wire: Wire, bound: Bound, make: Make, emulator: Emulator
) -> None:
    gateway = make(bound)
    children = [gateway.add_child({**CHILD, "nodeId": f"climate-{number}"}).device_id for number in range(3)]
    gateway.update_child_status(children[1], "OFFLINE", "BRIDGE_OFFLINE")
    first = gateway.report_child(children[0], "Climate", {"temperature": 1})
    emulator.control.clear_journal()
    with gateway:
        first.result(10)
        gateway.report_child(children[0], "Climate", {"temperature": 2}).result(10)
    entries = [
        each.get("packet") or each["method"]
        for each in emulator.control.journal()
        if each.get("packet") in ("CONNECT", "PUBLISH") or each["kind"] == "agentlite"
    ]
    assert entries == ["CONNECT", "PUT", "PUT", "PUT", "PUBLISH", "PUBLISH"]
    assert device(wire, children[1])["deviceInfo"]["statusDetail"] == "BRIDGE_OFFLINE"


def test_a_slow_status_of_an_earlier_connection_does_not_let_the_queue_go_early(
    wire: Wire, bound: Bound, make: Make, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make(bound)
    child = gateway.add_child(CHILD).device_id
    begun, go_on = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]
    tell = gateway.field.update_child
    calls = iter(range(2))

    def slow(*given: str) -> None:
        number = next(calls)
        begun[number].set()
        assert go_on[number].wait(10)
        tell(*given)

    monkeypatch.setattr(gateway.field, "update_child", slow)
    states: list[DeviceState] = []
    gateway.on_state(states.append)
    with gateway:
        report = gateway.report_child(child, "Climate", {"temperature": 1})
        assert begun[0].wait(10)
        emulator.control.mqtt_kick(bound.device_id)
        eventually(lambda: states.count(DeviceState.CONNECTED) == 2)
        go_on[0].set()
        assert begun[1].wait(10)
        assert not report.done()
        go_on[1].set()
        report.result(10)


def test_a_status_that_could_not_be_told_is_told_after_the_next_connect(tmp_path: Path) -> None:
    ports: dict[str, Any] = {name: free_port() for name in ("port", "control_port", "agentlite_port", "mqtt_port")}
    emulator = Emulator(data_dir=tmp_path, **ports)
    with emulator:
        wire = Wire(emulator).login()
        bound = bind(wire)
        side = DeviceSide.from_profile(emulator.profile_path)
        gateway = side.gateway(DeviceCredentials(bound.device_id, bound.secret), bound.app_id, backoff=AT_ONCE)
        child = gateway.add_child(CHILD).device_id
        wire.close()
    with pytest.raises(ConnectionFailedError):
        gateway.update_child_status(child, "OFFLINE", "NOT_ACTIVE")
    with emulator:
        wire = Wire(emulator).login()
        with gateway:
            gateway.report("Gateway", {"subDevices": 1}).result(10)
            assert device(wire, child)["deviceInfo"]["statusDetail"] == "NOT_ACTIVE"
        wire.close()


def test_reports_go_out_even_if_no_status_can_be_told(
    bound: Bound, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make(bound, agentlite_port=free_port())
    with pytest.raises(ConnectionFailedError):
        gateway.update_child_status("some-child", "ONLINE")
    with gateway:
        gateway.report("Gateway", {"subDevices": 1}).result(10)
    assert "cannot be reported" in caplog.text
    assert bound.secret not in caplog.text


def test_a_child_that_the_platform_no_longer_has_is_forgotten(
    wire: Wire, bound: Bound, make: Make, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make(bound)
    child = gateway.add_child(CHILD).device_id
    emulator.control.remove_sub_device(bound.device_id, child)
    with gateway:
        gateway.report("Gateway", {"subDevices": 0}).result(10)
        assert "has no device" in caplog.text
        emulator.control.clear_journal()
        emulator.control.mqtt_kick(bound.device_id)
        eventually(lambda: [each for each in emulator.control.journal(kind="mqtt") if each["packet"] == "SUBSCRIBE"])
        gateway.report("Gateway", {"subDevices": 0}).result(10)
        assert emulator.control.journal(kind="agentlite") == []
        with pytest.raises(NotFoundError):
            gateway.remove_child(child)


def test_children_are_added_together_and_removed(wire: Wire, bound: Bound, make: Make) -> None:
    gateway = make(bound)
    both = gateway.sync_children([CHILD, {**CHILD, "nodeId": "climate-2"}])
    assert [each.existed for each in both] == [False, False]
    gateway.remove_child(both[0].device_id)
    with pytest.raises(NotFoundError):
        gateway.update_child_status(both[0].device_id, "ONLINE")
    with pytest.raises(InvalidArgumentError):
        gateway.update_child_status(both[1].device_id, "SLEEPY")
    assert sorted(wire.devices()) == sorted([bound.device_id, both[1].device_id])


def test_a_gateway_that_is_unbound_is_told_and_can_neither_connect_nor_log_in(
    wire: Wire, bound: Bound, make: Make, emulator: Emulator
) -> None:
    gateway = make(bound)
    told: list[str] = []
    gateway.on_unbind(lambda: told.append("unbound"))
    with gateway:
        gateway.add_child(CHILD)
        emulator.control.unbind_gateway(bound.device_id)
        eventually(lambda: told and gateway.state is DeviceState.REFUSED)
        assert isinstance(gateway.last_error, DeviceRefusedError)
        assert gateway.last_error.return_code == 4
        with pytest.raises(NotFoundError):
            gateway.field.login(bound.app_id, bound.device_id, bound.secret)
    assert wire.devices() == []


def test_deleting_a_gateway_by_the_api_unbinds_it(wire: Wire, bound: Bound, make: Make) -> None:
    gateway = make(bound)
    told: list[str] = []
    gateway.on_unbind(lambda: told.append("unbound"))
    with gateway:
        assert wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{bound.device_id}")[0] == 204
        eventually(lambda: told and gateway.state is DeviceState.REFUSED)


def test_a_device_that_has_to_bind_is_refused_until_it_has_bound(wire: Wire, emulator: Emulator) -> None:
    body = {"deviceInfo": {"nodeId": "gw-1", "model": "NG-2"}, "mqttConnect": False}
    status, given = wire.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", body)
    assert status == 200, given
    side = DeviceSide.from_profile(emulator.profile_path)
    credentials = DeviceCredentials(given["deviceId"], given["secret"])
    with pytest.raises(DeviceRefusedError) as refused:
        side.device(credentials).start(timeout=10)
    assert refused.value.return_code == 5
    http = side.field_http()
    assert http.bind(given["verifyCode"], GATEWAY).secret == given["secret"]
    http.close()
    with side.device(credentials) as bound:
        assert isinstance(bound, DeviceClient)
        assert bound.state is DeviceState.CONNECTED


def test_a_gateway_logs_in_with_its_device_id_only(emulator: Emulator) -> None:
    side = DeviceSide.from_profile(emulator.profile_path)
    with pytest.raises(InvalidArgumentError, match="nodeId"):
        side.gateway(DeviceCredentials.by_node_id("gw-1", "s3cr3t"), "app")
    with pytest.raises(InvalidArgumentError, match="app_id"):
        side.gateway(DeviceCredentials("gw-1", "s3cr3t"), "")


def test_no_secret_reaches_the_log_or_a_repr(
    wire: Wire, bound: Bound, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), make(bound) as gateway:
        child = gateway.add_child(CHILD)
        gateway.report_child(child.device_id, "Climate", {"temperature": 1}).result(10)
        shown = f"{gateway} {gateway!r} {gateway.field!r} {bound!r} {caplog.text}"
    assert bound.secret not in shown
    assert "Bearer" not in shown


def test_a_platform_without_one_of_the_ports_makes_no_gateway() -> None:
    for side in (DeviceSide(mqtt_host="localhost", mqtt_port=1), DeviceSide(mqtt_host="localhost", agentlite_port=1)):
        with pytest.raises(InvalidArgumentError, match="needs both"):
            side.gateway(DeviceCredentials("gw-1", "s3cr3t"), "app")
    with pytest.raises(InvalidArgumentError, match="no port for AgentLite"):
        DeviceSide(mqtt_host="localhost").field_http()


def test_a_gateway_that_cannot_be_made_leaves_its_queue_to_the_next(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "credentials": DeviceCredentials("gw", "s"),
        "host": "localhost",
        "queue": SqliteQueue(tmp_path / "queue"),
    }
    with pytest.raises(InvalidArgumentError, match="app_id"):
        GatewayClient(**given, app_id="")
    GatewayClient(**given, app_id="app").close()
