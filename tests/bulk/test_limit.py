"""Jobs within the limit of calls, and what they say of their progress."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import Hooks, NorthApiClient, RequestEvent
from iot_northbound.bulk import BulkInterrupted, BulkProgress
from iot_northbound.core.signal_safe import Flag
from iot_northbound.emulator import Emulator
from iot_northbound.services.device_management import REGISTER
from tests.bulk.test_jobs import calls, lamps
from tests.clock import FakeClock, eventually


class ParkingClock(FakeClock):
    """A clock that stands still while the threads of a job wait, until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.parked = 0
        self.go = threading.Event()

    def sleep(self, seconds: float, wake: Flag | None = None) -> None:
        if threading.current_thread().name.startswith("iot-bulk"):
            self.parked += 1
            assert self.go.wait(60)
        super().sleep(seconds, wake)


@pytest.mark.parametrize("shared", [False, True])
def test_an_interactive_call_never_waits_behind_a_bulk_job(
    connect: Callable[..., NorthApiClient], tmp_path: Path, shared: bool
) -> None:
    clock = ParkingClock()
    rest = {"shared": f"file:{tmp_path}/shared.sqlite3"} if shared else {}
    client = connect(calls_per_minute=30, deadline=None, clock=clock, **rest)
    clock.advance(120)  # past the first minute, in which an engine gives slots at the pace only
    reports: list[Any] = []
    job = threading.Thread(target=lambda: reports.append(client.bulk.register(lamps(20))))
    job.start()
    eventually(lambda: clock.parked)
    before = clock.slept.copy()
    for _ in range(10):
        client.data_collection.query_batch_devices_info()
    assert clock.slept == before
    clock.go.set()
    job.join()
    assert len(reports[0].done) == 20
    assert sum(clock.slept) > 20


def test_few_threads_wait_if_the_limit_is_low(connect: Callable[..., NorthApiClient]) -> None:
    clock = FakeClock()
    at_once: list[int] = []

    def hook(_: RequestEvent) -> None:
        at_once.append(sum(each.name.startswith("iot-bulk") for each in threading.enumerate()))

    client = connect(calls_per_minute=8, clock=clock, hooks=Hooks(before_request=hook))
    assert len(client.bulk.register(lamps(10), threads=50).done) == 10
    assert max(at_once) == 2


def test_rows_that_the_platform_throttles_are_sent_again(
    connect: Callable[..., NorthApiClient], platform: Emulator
) -> None:
    clock = FakeClock()
    client = connect(clock=clock)
    body = {"error_code": "1010009", "error_desc": "too many"}
    platform.control.add_fault("answer", endpoint=REGISTER.name, status=429, body=body, count=5)
    report = client.bulk.register(lamps(6), threads=2)
    assert len(report.done) == 6
    assert 5.0 in clock.slept
    assert calls(platform, REGISTER) == 11


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_the_pause_of_throttled_rows(client: NorthApiClient, platform: Emulator) -> None:
    body = {"error_code": "1010009", "error_desc": "too many"}
    platform.control.add_fault("answer", endpoint=REGISTER.name, status=429, body=body)

    def interrupt() -> None:
        eventually(lambda: calls(platform, REGISTER) >= 8)
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(BulkInterrupted) as caught:
        client.bulk.register(lamps(100))
    other.join()
    assert not list(caught.value.report)


def test_the_rate_and_the_remaining_time_are_those_of_this_run(
    connect: Callable[..., NorthApiClient], journal: Path
) -> None:
    clock = FakeClock()
    client = connect(clock=clock)
    client.bulk.register(lamps(10), journal=journal)
    seen: list[BulkProgress] = []

    def progress(now: BulkProgress) -> None:
        seen.append(now)
        clock.advance(1)

    client.bulk.register(lamps(30), journal=journal, progress=progress, threads=1)
    last = seen[-1]
    assert (last.done, last.failed, last.total, last.remaining) == (30, 0, 30, 0)
    assert last.rate == pytest.approx(20 / (len(seen) - 1))
    (at_ten,) = [each for each in seen if each.done == 10]
    assert (at_ten.rate, at_ten.remaining) == (0.0, None)
    client.bulk.register(iter([*lamps(31)][30:]), progress=seen.append)
    assert seen[-1].total == 1
    client.bulk.register(({"nodeId": "z"} for _ in range(1)), progress=seen.append)
    assert (seen[-1].total, seen[-1].remaining) == (None, None)
