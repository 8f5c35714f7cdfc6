"""On the emulator, which pushes over HTTPS: commands, batch tasks and upgrades end by push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from iot_northbound import NorthApiClient, WaitStoppedError
from iot_northbound.dto import (
    BatchTaskCreateInDTO2,
    CommandDTOV4,
    CreateUpgradeTaskInDTO,
    NotifyType,
    OperateDevices,
    OperatePolicy,
    PostDeviceCommandInDTO2,
)
from iot_northbound.emulator import Emulator
from iot_northbound.push import PushMessageReceiver, SqliteInbox
from iot_northbound.services.waiting import Polling
from tests.clock import eventually
from tests.push.helpers import PATIENCE

NEVER = Polling(start=10_000, factor=1, cap=10_000)
"""No look in the time of a test: only a push can end the wait."""


@attrs.frozen
class World:
    emulator: Emulator
    client: NorthApiClient
    receiver: PushMessageReceiver
    lamps: list[str]

    def looks(self, endpoint: str) -> int:
        calls = self.emulator.control.journal(kind="call")
        return sum(each["endpoint"].startswith("GET") and endpoint in each["endpoint"] for each in calls)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def world(emulator: Emulator, tmp_path: Path) -> Iterator[World]:
    emulator.control.reset()
    emulator.control.add_devices(8, product_id="street-lamp-nb", prefix="lamp")
    receiver = PushMessageReceiver(SqliteInbox(tmp_path / "inbox"))
    with (
        NorthApiClient.from_profile(emulator.profile_path) as client,
        receiver.server("localhost", 0, ssl=emulator.home.server_context()) as server,
    ):
        receiver.callback_url = server.url
        lamps = [str(device.device_id) for device in client.data_collection.iter_devices()]
        for lamp in lamps:
            emulator.control.script(lamp)
        yield World(emulator, client, receiver, lamps)


def command(lamp: str) -> PostDeviceCommandInDTO2:
    dimmed = CommandDTOV4(service_id="Lamp", method="SET_BRIGHTNESS", paras={"value": 30})
    return PostDeviceCommandInDTO2(device_id=lamp, command=dimmed)


def test_commands_end_by_push_although_pushes_come_late_twice_and_in_any_order(world: World) -> None:
    world.emulator.control.seed_faults(7)
    world.emulator.control.add_fault("push_double", probability=0.3)
    world.emulator.control.add_fault("push_reorder", probability=0.3, seconds=0.05)
    world.emulator.control.add_fault("push_delay", probability=0.3, seconds=0.02)
    futures = [
        world.receiver.commands.submit(world.client, command(lamp), polling=NEVER)
        for lamp in world.lamps
        for _ in range(10)
    ]
    assert {each.result(PATIENCE).status for each in futures} == {"SUCCESSFUL"}
    assert world.looks("deviceCommands") == 0


def test_lost_pushes_are_made_up_for_by_looks(world: World) -> None:
    world.emulator.control.add_fault("push_lost")
    quick = Polling(start=0.2, factor=1, cap=0.2)
    futures = [world.receiver.commands.submit(world.client, command(lamp), polling=quick) for lamp in world.lamps]
    assert {each.result(PATIENCE).status for each in futures} == {"SUCCESSFUL"}
    assert world.looks("deviceCommands") >= 1


def test_a_batch_task_ends_by_the_pushes_of_its_commands(world: World) -> None:
    world.emulator.control.change_settings(transitions="timed")
    for lamp in world.lamps:
        world.emulator.control.script(lamp, after=0.05)
    dimmed = {"serviceId": "Lamp", "method": "SET_BRIGHTNESS", "paras": {"value": 30}}
    task = BatchTaskCreateInDTO2(
        app_id=world.client.client_info.app_id,
        task_name="dim",
        task_type="DeviceCmd",
        timeout=10,
        param={"type": "DeviceList", "deviceList": world.lamps, "command": dimmed},
    )
    told: list[Any] = []
    done = world.receiver.tasks.send(world.client, task, on_progress=told.append, polling=NEVER, timeout=PATIENCE)
    assert (done.status, done.success_cnt) == ("Complete", 8)
    assert told[-1] == done
    assert world.looks("batchtask") <= 5


def test_an_upgrade_ends_by_the_pushes_of_its_results(world: World) -> None:
    world.emulator.control.change_settings(transitions="timed", transition_delay=0.05)
    for lamp in world.lamps:
        world.emulator.control.script(lamp, after=0.05)
    assert world.receiver.callback_url is not None
    world.client.subscription_management.ensure(
        world.receiver.callback_url, [NotifyType.FW_UPGRADE_STATE_CHANGE_NOTIFY, NotifyType.FW_UPGRADE_RESULT_NOTIFY]
    )
    kind = {"deviceType": "StreetLamp", "model": "LF-LED60", "manufacturerName": "Lumenfeld Lighting"}
    package = world.emulator.control.add_package({"name": "fw", "version": "V2", "fileType": "firmwarePackage", **kind})
    task = CreateUpgradeTaskInDTO(
        file_id=package["fileId"],
        targets=OperateDevices(devices=world.lamps),
        policy=OperatePolicy(execute_type="now"),
    )
    upgrades = world.receiver.upgrades
    done = upgrades.send(world.client, task, kind="firmware", polling=NEVER, timeout=PATIENCE)
    assert done.status == "success"
    assert done.sta_result is not None
    assert done.sta_result.success == 8
    again = upgrades.follow(world.client, done.operation_id or "")
    assert again.result(PATIENCE) == done


def test_the_close_of_a_real_client_ends_its_waits(world: World) -> None:
    world.emulator.control.script(world.lamps[0], answer="never")
    future = world.receiver.commands.submit(world.client, command(world.lamps[0]))
    eventually(lambda: world.emulator.control.pushes()["delivered"] >= 2)
    world.client.close()
    error = future.exception(PATIENCE)
    assert isinstance(error, WaitStoppedError)
    assert "the client was closed" in str(error)
