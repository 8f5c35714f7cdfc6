from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from iot_northbound.device import DeviceCredentials
from iot_northbound.device.simulate import Answer, Scenario, Simulation
from iot_northbound.device.simulate.values import value_of
from tests.clock import FakeClock, eventually
from tests.device.fleet.broker import Broker

COMMAND = b'{"msgType":"cloudReq","serviceId":"Valve","cmd":"SET","paras":{},"mid":9}'
MODEL = [
    {
        "serviceId": "Valve",
        "properties": [{"propertyName": "n", "dataType": "int", "min": "1", "max": "1"}],
        "commands": [
            {
                "commandName": "SET",
                "responses": [{"paras": [{"paraName": "result", "dataType": "int", "min": 7, "max": 7}]}],
            }
        ],
    }
]

Make = Callable[..., Simulation]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def simulation(broker: Broker, clock: FakeClock) -> Iterator[Make]:
    made: list[Simulation] = []

    def make(devices: int = 1, **scenario: Any) -> Simulation:
        credentials = [DeviceCredentials(f"pump-{number}", "s3cret") for number in range(devices)]
        made.append(
            Simulation(
                Scenario(**scenario),
                credentials,
                "localhost",
                broker.port,
                ca_path=broker.ca_path,
                model=MODEL,
                random=Random(5),
                clock=clock,
            )
        )
        made[-1].start()
        eventually(lambda: made[-1].fleet.counts().connected == devices)
        return made[-1]

    yield make
    for each in made:
        each.close()


def pass_time(simulation: Simulation, clock: FakeClock, seconds: float) -> None:
    clock.advance(seconds)
    simulation.fleet.call_soon(lambda: None)
    simulation.fleet.counts()  # waits for the fleet's thread
    simulation.fleet.counts()


def test_devices_report_at_the_interval_and_spread_over_it(broker: Broker, clock: FakeClock, simulation: Make) -> None:
    run = simulation(4, interval=8.0, services={"Valve": {"n": value_of("n", {"increment": 1})}})
    reported = []
    for _ in range(8):
        pass_time(run, clock, 2.0)
        reported.append(run.fleet.counts().reports)
    assert [after - before for before, after in pairwise(reported)] == [1] * 7
    assert run.finish(30).lost == 0
    assert broker.values("pump-1") == list(range(len(broker.values("pump-1"))))


def test_a_finished_run_reports_no_more(clock: FakeClock, simulation: Make) -> None:
    run = simulation(interval=1.0)
    pass_time(run, clock, 1.0)
    counts = run.finish(30)
    pass_time(run, clock, 10.0)
    assert run.fleet.counts().reports == counts.reports == counts.acknowledged > 0


@pytest.mark.parametrize(
    ("how", "errcode", "body"), [("success", 0, {"result": 7}), ("fail", 1, {"error": "simulated failure"})]
)
def test_commands_are_answered_as_the_scenario_says(
    broker: Broker, simulation: Make, clock: FakeClock, how: str, errcode: int, body: dict[str, Any]
) -> None:
    run = simulation(answer=Answer.read(how))
    broker.send("pump-0", COMMAND)
    eventually(lambda: run.fleet.counts().commands)
    pass_time(run, clock, 0.0)
    eventually(lambda: broker.answers("pump-0"))
    assert broker.answers("pump-0") == [{"msgType": "deviceRsp", "mid": 9, "errcode": errcode, "body": body}]


def test_a_command_is_never_answered_if_the_scenario_says_so(
    broker: Broker, clock: FakeClock, simulation: Make
) -> None:
    run = simulation(answer=Answer.read("never"))
    broker.send("pump-0", COMMAND)
    eventually(lambda: run.fleet.counts().commands)
    pass_time(run, clock, 3600)
    assert run.fleet.counts().answers == 0


def test_a_slow_answer_comes_after_its_time(broker: Broker, clock: FakeClock, simulation: Make) -> None:
    run = simulation(answer=Answer.read("slow:2"))
    broker.send("pump-0", COMMAND)
    eventually(lambda: run.fleet.counts().commands)
    pass_time(run, clock, 1.9)
    assert run.fleet.counts().answers == 0
    pass_time(run, clock, 0.2)
    eventually(lambda: run.fleet.counts().answers == 1)
