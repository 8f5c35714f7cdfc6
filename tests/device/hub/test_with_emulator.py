"""HubClient with the emulator: the whole loop over real TLS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from iot_northbound import InvalidArgumentError, NotAuthorizedError, NotFoundError
from iot_northbound.core.retry import Backoff
from iot_northbound.device.hub import AddDevice, CommandResult, HubClient, HubCommand, Measure, Param, ServerStatus
from iot_northbound.emulator.home import prepare
from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire
from tests.emulator.hub.conftest import TOKEN, register_hub

KINDS: tuple[Literal["hub_err", "hub_lost"], ...] = ("hub_err", "hub_lost")
WHEN: tuple[Literal["before", "after"], ...] = ("before", "after")
COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("hub-home")
    prepare(folder)
    with Emulator(folder=folder, hub_port=0, hub_models={"11": "climate-sensor-zigbee"}) as running:
        yield running


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[Wire]:
    emulator.control.reset()
    client = Wire(emulator).login()
    register_hub(client)
    yield client
    client.close()


@pytest.fixture
def connect(emulator: Emulator, wire: Wire) -> Iterator[Callable[..., HubClient]]:
    made: list[HubClient] = []

    def make(hub_id: str = "hub-1", token: str = TOKEN, **rest: Any) -> HubClient:
        given = {"ca_path": str(emulator.device_ca), "backoff": Backoff(0.0, 0.0), **rest}
        made.append(HubClient(hub_id, token, str(emulator.hub_url), **given))
        return made[-1]

    yield make
    for each in made:
        each.close()


def child_of(wire: Wire, node_id: str) -> dict[str, Any]:
    rows = wire.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=250")[1]["devices"]
    found: dict[str, Any] = next(row for row in rows if row["deviceInfo"]["nodeId"] == node_id)
    return found


def history(wire: Wire, node_id: str) -> list[int]:
    """Return every humidity that a device has reported."""
    child = child_of(wire, node_id)
    ids = f"deviceId={child['deviceId']}&gatewayId={child['gatewayId']}"
    answer = wire.call("GET", f"/iocm/app/data/v1.2.0/deviceDataHistory?pageNo=0&pageSize=250&{ids}")[1]
    return sorted(row["data"]["humidity"] for row in answer["deviceDataHistoryDTOs"])


def test_a_hub_measures_hears_and_answers(emulator: Emulator, wire: Wire, connect: Callable[..., HubClient]) -> None:
    hub = connect()
    heard = []

    @hub.on_command("SET_REPORT_INTERVAL")
    def set_interval(asked: HubCommand) -> CommandResult:
        heard.append((asked.device_id, asked.service, asked.values))
        return CommandResult.EXECUTED

    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    measure = Measure("d-1", [Param("temperature", 21.5), Param("humidity", 40)], when)
    answer = hub.post(measure, Measure("d-9", {"humidity": 1}), adds=[AddDevice("d-1", 11)])
    assert (answer.status, answer.unknown) == (ServerStatus.ACK, ("d-9",))
    child = child_of(wire, "d-1")
    [climate] = [each for each in child["services"] if each["serviceId"] == "Climate"]
    assert (climate["data"], climate["eventTime"]) == ({"temperature": 21.5, "humidity": 40}, "20260102T030405Z")
    for seconds in (10, 20, 30):
        asked = {"serviceId": "Climate", "method": "SET_REPORT_INTERVAL", "paras": {"seconds": seconds}}
        assert wire.call("POST", COMMANDS, {"deviceId": child["deviceId"], "command": asked})[0] == 201
    hub.post()
    # Each result brings the next command, in the same post.
    assert heard == [("d-1", "Climate", {"seconds": each}) for each in ("10", "20", "30")]
    rows = wire.call("GET", COMMANDS)[1]["data"]
    assert [row["status"] for row in rows] == ["SUCCESSFUL"] * 3
    emulator.control.watch_hub("hub-1", 600)
    hub.post()
    assert hub.watching


def test_every_refusal_of_the_emulator_is_an_exception(connect: Callable[..., HubClient]) -> None:
    with pytest.raises(NotAuthorizedError, match="UNAUTHORIZED"):
        connect(token="wrong").post()
    with pytest.raises(NotFoundError, match="UNKNOWN"):
        connect("hub-9").post()
    with pytest.raises(InvalidArgumentError, match="ERR_FORMAT"):
        connect().post(Measure("x" * 257, {}))


def test_lost_answers_and_err_change_nothing(emulator: Emulator, wire: Wire, connect: Callable[..., HubClient]) -> None:
    hub = connect(attempts=20)
    hub.add("d-1", 11)
    emulator.control.seed_faults(7)
    for kind in KINDS:
        for when in WHEN:
            emulator.control.add_fault(kind, when=when, probability=0.2)
    for humidity in range(40):
        hub.post(Measure("d-1", {"humidity": humidity}))
    assert sum(fault["struck"] for fault in emulator.control.faults()) > 10
    assert history(wire, "d-1") == list(range(40))


def test_many_hubs_post_at_once(emulator: Emulator, wire: Wire, connect: Callable[..., HubClient]) -> None:
    hubs = []
    for number in range(20):
        register_hub(wire, f"many-{number}")
        hubs.append(connect(f"many-{number}"))

    def work(hub: HubClient) -> None:
        hub.add("d", 11)
        for humidity in range(10):
            hub.post(Measure("d", {"humidity": humidity}))

    threads = [threading.Thread(target=work, args=(hub,)) for hub in hubs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(hub.pending for hub in hubs)
    rows = wire.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=250")[1]["devices"]
    data = [row["services"][0]["data"] for row in rows if row["deviceInfo"]["nodeId"] == "d"]
    assert data == [{"humidity": 9}] * 20


def test_a_hub_goes_on_with_an_emulator_that_was_started_again(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"data_dir": tmp_path, "hub_models": {"11": "climate-sensor-zigbee"}}
    with Emulator(hub_port=0, **settings) as first:
        wire = Wire(first).login()
        register_hub(wire)
        wire.close()
        port = int(str(first.hub_url).rpartition(":")[2])
        hub = HubClient("hub-1", TOKEN, str(first.hub_url), ca_path=str(first.device_ca), backoff=Backoff(0.0, 0.0))
        hub.add("d-1", 11)
    with pytest.raises(Exception, match="1003"):
        hub.post(Measure("d-1", {"humidity": 1}))
    with Emulator(hub_port=port, **settings) as second, hub:
        hub.post(Measure("d-1", {"humidity": 2}))
        assert hub.pending == 0
        wire = Wire(second).login()
        assert history(wire, "d-1") == [1, 2]
        wire.close()
