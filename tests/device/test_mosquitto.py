"""A device on a broker that knows nothing of this project."""

import json
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device import (
    Backoff,
    Command,
    DeviceClient,
    DeviceCredentials,
    DeviceRefusedError,
    DeviceState,
    SqliteQueue,
)
from tests.clock import FakeClock, eventually
from tests.device.conftest import COMMAND, CREDENTIALS, DATA
from tests.mosquitto import Mosquitto, found, mosquitto, needs_mosquitto

AT_ONCE = Backoff(first=0.02, longest=0.02)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


def connect(broker: Mosquitto, **options: Any) -> DeviceClient:
    return DeviceClient(CREDENTIALS, "localhost", broker.port, ca_path=broker.ca_path, backoff=AT_ONCE, **options)


def values(payloads: list[bytes]) -> list[int]:
    return [json.loads(each)["data"][0]["serviceData"]["n"] for each in payloads]


@needs_mosquitto("mosquitto", "mosquitto_sub", "mosquitto_pub")
def test_reports_reach_a_subscriber_and_a_command_is_answered(broker: Mosquitto) -> None:
    common = ["-h", "localhost", "-p", str(broker.port), "--cafile", str(broker.ca_path), "-V", "311", "-q", "1"]
    with (
        subprocess.Popen(
            [str(found("mosquitto_sub")), *common, "-t", DATA, "-C", "3", "-W", "30"], stdout=subprocess.PIPE
        ) as listener,
        connect(broker) as device,
    ):

        @device.on_command("WaterMeter")
        def handle(command: Command) -> dict[str, Any]:
            return {"was": command.method}

        eventually(lambda: f" {DATA}" in broker.log)  # the subscriber is there
        device.report("A", {"n": 1}).result(30)
        device.report("A", {"n": 2}, qos=0).result(30)
        wire = {"msgType": "cloudReq", "serviceId": "WaterMeter", "cmd": "SET", "paras": {}, "mid": 7}
        subprocess.run([str(found("mosquitto_pub")), *common, "-t", COMMAND, "-m", json.dumps(wire)], check=True)
        assert listener.stdout is not None
        lines = listener.stdout.read().splitlines()
    assert values(lines[:2]) == [1, 2]
    assert json.loads(lines[2]) == {"msgType": "deviceRsp", "mid": 7, "errcode": 0, "body": {"was": "SET"}}


@needs_mosquitto()
def test_reports_of_an_offline_time_arrive_in_order_when_the_broker_is_back(broker: Mosquitto, tmp_path: Path) -> None:
    got: list[bytes] = []
    with connect(broker, queue=SqliteQueue(tmp_path / "queue")) as device:
        broker.stop(kill=True)
        eventually(lambda: device.state is DeviceState.WAITING)
        results = [device.report("A", {"n": number}) for number in range(40)]
        heard = device.subscribe(DATA, lambda topic, payload: got.append(payload))
        broker.start()
        heard.result(30)
        for each in results:
            each.result(30)
        eventually(lambda: len(got) == 40)
        assert values(got) == [*range(40)]
        assert device.last_error is None


@needs_mosquitto()
def test_threads_and_a_broker_that_dies_in_between_lose_nothing(broker: Mosquitto) -> None:
    got: list[bytes] = []
    with connect(broker) as device:
        device.subscribe(DATA, lambda topic, payload: got.append(payload)).result(30)

        def work(first: int) -> None:
            for number in range(first, first + 20):
                device.report("A", {"n": number}).result(60)

        threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 400, 20)]
        for each in threads:
            each.start()
        for _ in range(2):
            size = len(got)
            eventually(partial(lambda size: len(got) >= size + 20, size))
            broker.stop(kill=True)
            broker.start()
        for each in threads:
            each.join(60)
        assert device.pending == 0


@needs_mosquitto()
def test_a_broker_that_checks_passwords_gets_that_of_the_hour(tmp_path: Path) -> None:
    clock = FakeClock()
    users = tmp_path / "users"
    users.touch(mode=0o600)
    subprocess.run(
        [str(found("mosquitto_passwd")), "-b", str(users), CREDENTIALS.id, CREDENTIALS.password(clock.now())],
        check=True,
        capture_output=True,
    )
    with mosquitto(tmp_path, ["allow_anonymous false", f"password_file {users}"]) as broker:
        with connect(broker, clock=clock) as device:
            device.report("A", {"n": 1}).result(30)
        wrong = DeviceCredentials(CREDENTIALS.id, "wrong")
        with (
            pytest.raises(DeviceRefusedError, match=r"CONNACK 5|CONNACK 4"),
            DeviceClient(wrong, "localhost", broker.port, ca_path=broker.ca_path, clock=clock),
        ):
            pass


@needs_mosquitto()
def test_the_broker_hears_of_the_end(broker: Mosquitto) -> None:
    with connect(broker) as device:
        device.report("A", {"n": 1})
    eventually(lambda: "Received DISCONNECT from pump-02_0_1_" in broker.log)
