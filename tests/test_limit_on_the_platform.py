"""The limit against the platform's flow control, with a clock that both share: none of the calls is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound import HttpConfig, NorthApiClient, NotFoundError, ThrottledError, dto
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile
from iot_northbound.shared.slots import MINUTE
from tests.clock import FakeClock

CALLS = 20


class CommonClock(FakeClock):
    """Time that passes for the platform too."""

    def __init__(self, platform: Emulator) -> None:
        self._platform = platform
        super().__init__()
        platform.control.freeze(self.now())

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._platform.control.advance(seconds)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(
        port=0, control_port=None, folder=tmp_path, flow_control=True, calls_per_minute=CALLS, token_lifetime=100_000
    ) as running:
        yield running


@pytest.fixture
def clock(platform: Emulator) -> CommonClock:
    return CommonClock(platform)


@pytest.fixture(params=["own", "file"])
def client(
    request: pytest.FixtureRequest, platform: Emulator, clock: CommonClock, tmp_path: Path
) -> Iterator[NorthApiClient]:
    info, tls, *_ = load_profile(platform.profile_path)
    http = HttpConfig(calls_per_minute=CALLS, deadline=None, max_attempts=1)
    shared = f"file:{tmp_path}/shared.sqlite3" if request.param == "file" else None
    with NorthApiClient(info, tls, http, shared=shared, clock=clock) as running:
        clock.advance(60)
        clock.slept.clear()
        yield running


def look(client: NorthApiClient) -> None:
    client.data_collection.query_batch_devices_info()


def test_no_call_is_refused_and_nearly_all_that_are_allowed_are_made(
    client: NorthApiClient, clock: CommonClock
) -> None:
    began = clock.monotonic()
    for _ in range(3 * CALLS):
        look(client)
    assert clock.monotonic() - began == pytest.approx(120.1, abs=0.1)  # the third minute begins then


def test_without_the_limit_the_platform_refuses_calls(platform: Emulator, clock: CommonClock) -> None:
    info, tls, *_ = load_profile(platform.profile_path)
    with NorthApiClient(info, tls, HttpConfig(max_attempts=1), clock=clock) as other:
        for _ in range(CALLS):
            look(other)
        with pytest.raises(ThrottledError):
            look(other)


def test_bulk_calls_come_evenly_and_others_pass_them(client: NorthApiClient, clock: CommonClock) -> None:
    with client.bulk():
        for _ in range(CALLS // 2):
            look(client)
    paced = sum(clock.slept)
    assert paced == pytest.approx(CALLS // 2 * MINUTE / CALLS, abs=2 * MINUTE / CALLS)
    look(client)
    assert sum(clock.slept) == paced


def test_iterators_and_waiters_are_bulk_by_themselves_and_what_runs_between_is_not(
    client: NorthApiClient, clock: CommonClock
) -> None:
    for number in range(4):
        client.device_management.reg_direct_device(dto.RegDirectDeviceInDTO2(node_id=f"node-{number}", timeout=0))
    clock.advance(60)
    clock.slept.clear()
    query = dto.QueryBatchDevicesInfoInDTO(page_size=1)
    between = 0.0
    for _ in client.data_collection.iter_devices(query):
        before = sum(clock.slept)
        look(client)
        between += sum(clock.slept) - before
    assert between == 0
    assert sum(clock.slept) > 4 * MINUTE / CALLS
    clock.advance(60)
    clock.slept.clear()
    for _ in range(CALLS // 2):
        look(client)
    with pytest.raises(NotFoundError):
        client.batch_process.wait_for_batch_task("no-such-task", timeout=0)
    assert sum(clock.slept) > 5
