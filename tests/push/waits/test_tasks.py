from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound.dto import BatchTaskCreateInDTO2, CreateUpgradeTaskInDTO, DeviceCmdParam, OperateDevices
from iot_northbound.dto.common import CommandDTO
from iot_northbound.errors import InvalidArgumentError, NotFoundError, WaitTimeoutError
from iot_northbound.push import PushMessageReceiver
from iot_northbound.push.waits.tasks import Tasks, Upgrades
from tests.clock import FakeClock
from tests.push.waits.platform import ByHand, Platform, batch_request, command_push, upgrade_push

HERE = "https://na.example:8686/v1.0.0/messageReceiver"
ROLL_OUT = CreateUpgradeTaskInDTO(file_id="f1", targets=OperateDevices(devices=["d1"]))


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.waits = ByHand(self.clock)
        self.platform = Platform()
        self.receiver = PushMessageReceiver(clock=self.clock, callback_url=HERE)
        self.tasks = Tasks(self.receiver, self.waits)
        self.upgrades = Upgrades(self.waits)

    def start(self, future: Any) -> Any:
        self.waits.all_steps()
        return future

    def command_ends(self, count: int) -> int:
        """Let pushes of that many commands' ends arrive, one by one; return how many looks they caused."""
        before = len(self.platform.looks)
        for number in range(count):
            self.waits.heard(command_push(f"unknown{number}", "SUCCESSFUL"))
            self.waits.all_steps()
        return len(self.platform.looks) - before

    def later(self, seconds: float) -> int:
        before = len(self.platform.looks)
        self.clock.advance(seconds)
        self.waits.all_steps()
        return len(self.platform.looks) - before


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.waits.stop()


def test_the_last_push_of_a_batch_task_ends_its_wait(world: World) -> None:
    world.platform.batch("Running", 2, 0)
    told: list[Any] = []
    future = world.start(world.tasks.submit(world.platform, batch_request(), on_progress=told.append))
    world.platform.batch("Running", 2, 1)
    assert world.command_ends(1) == 1
    world.platform.batch("Complete", 2, 2)
    assert world.command_ends(1) == 1
    assert future.result(0).status == "Complete"
    assert [task.complete_cnt for task in told] == [0, 1, 2]
    assert world.waits.is_empty


def test_a_large_task_is_looked_at_a_few_times_only(world: World) -> None:
    world.platform.batch("Running", 1_000, 0)
    future = world.start(world.tasks.submit(world.platform, batch_request(), timeout=math.inf))
    looks = 0
    for done in range(1, 1_001):
        world.platform.batch("Complete" if done == 1_000 else "Running", 1_000, done)
        looks += world.command_ends(1)
    assert future.done()
    assert looks <= 11


def test_pushes_of_other_commands_cause_one_look_in_vain_and_then_none_before_its_time(world: World) -> None:
    world.platform.batch("Running", 1, 0)
    future = world.start(world.tasks.submit(world.platform, batch_request()))
    assert world.command_ends(50) == 1
    world.platform.batch("Complete", 1, 1)
    world.later(10)
    assert future.done()


def test_steps_of_commands_before_their_ends_cause_no_look(world: World) -> None:
    world.platform.batch("Running", 1, 0)
    world.start(world.tasks.submit(world.platform, batch_request()))
    world.waits.heard(command_push("unknown", "DELIVERED"))
    world.waits.all_steps()
    assert len(world.platform.looks) == 1


def test_a_task_whose_counts_are_missing_is_looked_at_for_a_push(world: World) -> None:
    future = world.start(world.tasks.submit(world.platform, batch_request()))
    world.platform.batch("Complete", 5, 5)
    assert world.command_ends(1) == 1
    assert future.done()


@pytest.mark.parametrize("typed", [False, True])
def test_a_batch_task_gets_the_callback_url_of_the_receiver_if_it_has_none(world: World, typed: bool) -> None:
    def task(**param: Any) -> BatchTaskCreateInDTO2:
        if not typed:
            return batch_request(**({"callbackUrl": param["callback_url"]} if param else {}))
        command = CommandDTO(service_id="Valve", method="SET")
        made = DeviceCmdParam(type="DeviceList", device_list=["d1"], command=command, **param)
        return BatchTaskCreateInDTO2(app_id="a", timeout=10, task_name="t", task_type="DeviceCmd", param=made)

    for dto in (task(), task(callback_url="https://other.example/")):
        world.start(world.tasks.submit(world.platform, dto))
    urls = [each.param.callback_url if typed else each.param["callbackUrl"] for each in world.platform.sent]
    assert urls == [HERE, "https://other.example/"]


@pytest.mark.parametrize("kind", ["firmware", "software"])
def test_the_push_of_a_result_ends_the_wait_for_an_upgrade(world: World, kind: Any) -> None:
    world.platform.upgraded("processing", total=1, processing=1)
    future = world.start(world.upgrades.submit(world.platform, ROLL_OUT, kind=kind))
    assert world.platform.sent == [(kind, ROLL_OUT)]
    for push in (upgrade_push("another"), upgrade_push("o1", "fwUpgradeStateChangeNotify")):
        world.waits.heard(push)
        world.waits.all_steps()
    assert len(world.platform.looks) == 1
    world.platform.upgraded("success", total=1, success=1)
    world.waits.heard(upgrade_push("o1", f"{kind[0]}wUpgradeResultNotify"))
    world.waits.all_steps()
    assert future.result(0).status == "success"
    assert world.waits.is_empty


def test_a_result_that_overtakes_the_answer_is_found_by_the_first_look(world: World) -> None:
    world.platform.upgraded("failed", total=1, fail=1)
    assert world.start(world.upgrades.submit(world.platform, ROLL_OUT, kind="firmware")).result(0).status == "failed"


def test_without_pushes_the_looks_of_a_task_come_less_and_less_often(world: World) -> None:
    world.platform.upgraded("processing", total=1, processing=1)
    future = world.start(world.upgrades.follow(world.platform, "o1", timeout=8))
    assert [world.later(seconds) for seconds in (1.5, 0.5, 2.5, 0.5, 3)] == [0, 1, 0, 1, 1]
    error = future.exception(0)
    assert isinstance(error, WaitTimeoutError)
    assert (error.last_state.status, error.attempts) == ("processing", 4)
    assert "upgrade task o1 has not ended within 8 s" in str(error)


def test_a_task_that_is_not_there_fails(world: World) -> None:
    world.platform.error = NotFoundError("105005", "no such task")
    future = world.start(world.tasks.follow(world.platform, "t9"))
    assert isinstance(future.exception(0), NotFoundError)


def test_wrong_requests_are_refused_at_once(world: World) -> None:
    with pytest.raises(InvalidArgumentError, match="it must be a BatchTaskCreateInDTO2"):
        world.tasks.submit(world.platform, ROLL_OUT)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="it must be a CreateUpgradeTaskInDTO"):
        world.upgrades.submit(world.platform, batch_request(), kind="firmware")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="it must be software or firmware"):
        world.upgrades.submit(world.platform, ROLL_OUT, kind="fw")  # type: ignore[arg-type]
    assert world.waits.is_empty
