"""Eight processes for minutes on each engine: how often they log in, what is lost, what the platform refuses."""

import itertools
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator.server import Emulator
from tests.servers import RedisServer, run_redis
from tests.shared.fleet import LOGIN, REFRESH, processes, told

pytestmark = pytest.mark.chaos
LIFETIME, EARLIEST = 5, 0.75
LIMIT = 100
QUERY = "GET /iocm/app/dm/v1.4.0/devices"


@pytest.fixture(params=["file", "redis", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file:{tmp_path}/shared.sqlite3"
    elif request.param == "redis":
        (tmp_path / "redis").mkdir()
        with run_redis(tmp_path / "redis") as server:
            yield server.url
    else:
        yield request.getfixturevalue("postgres_server").url


def of(counts: dict[str, dict[str, int]], *endpoints: str) -> int:
    """Return how many calls of these endpoints the platform answered well."""
    return sum(counts.get(endpoint, {}).get("200", 0) for endpoint in endpoints)


def refused(counts: dict[str, dict[str, int]]) -> int:
    return sum(codes.get("1010009", 0) for codes in counts.values())


@pytest.mark.parametrize("kill_each", [0, 3], ids=["calm", "killed between the answer and the save"])
def test_one_grant_a_renewal_and_no_call_lost(shared: str, tmp_path: Path, kill_each: int) -> None:
    seconds = 60.0
    with Emulator(folder=tmp_path / "platform", token_lifetime=LIFETIME) as platform:
        settings: dict[str, Any] = {
            "profile": str(tmp_path / "platform" / "profile.toml"), "shared": shared, "threads": 16, "seconds": seconds
        }  # fmt: skip
        began = time.monotonic()
        crew = [processes(1, **settings, kill_at=kill_each)[0] for _ in range(8)]
        ends = [told(each) for each in crew]
        lasted = time.monotonic() - began
        counts = platform.control.calls()
    kills = ends.count(None)
    alive = [each for each in ends if each is not None]
    failed = [each.failed for each in alive if each.failed]
    grants, due = of(counts, LOGIN, REFRESH), math.floor(lasted / (LIFETIME * EARLIEST)) + 1
    dead = sum(codes.get("1010005", 0) for codes in counts.values())
    slowest = max((each.slowest for each in alive), default=0.0)
    sys.stdout.write(
        f"\n{shared.partition(':')[0]}: {grants} grants in {lasted:.0f} s, {due} due, {kills} kills; "
        f"{sum(each.good for each in alive)} calls, failed {failed}, repeated {dead}, slowest {slowest:.1f} s"
    )
    assert failed == []
    assert grants <= due + kills


@pytest.mark.parametrize("kill", [False, True], ids=["calm", "a process killed every 5 s"])
def test_the_platform_refuses_no_call_in_three_minutes(shared: str, tmp_path: Path, kill: bool) -> None:
    with Emulator(folder=tmp_path / "platform", flow_control=True, calls_per_minute=LIMIT) as platform:
        settings: dict[str, Any] = {
            "profile": str(tmp_path / "platform" / "profile.toml"), "shared": shared, "threads": 4, "limit": LIMIT
        }  # fmt: skip
        end = time.monotonic() + 180
        crew = processes(8, **settings, seconds=180.0)
        if kill:
            for number in itertools.cycle(range(8)):
                if time.monotonic() + 5 > end:
                    break
                time.sleep(5)
                crew[number].kill()
                crew[number].communicate()
                crew[number] = processes(1, **settings, seconds=end - time.monotonic())[0]
        time.sleep(max(0.0, end - time.monotonic()))
        counts = platform.control.calls()
        for each in crew:
            each.kill()
            each.communicate()
    used = sum(codes.get("200", 0) for codes in counts.values())
    sys.stdout.write(f"\n{shared.partition(':')[0]}: {used} of {3 * LIMIT} used, {refused(counts)} refused; {counts}")
    assert refused(counts) == 0
    assert used >= (0.90 if kill else 0.97) * 3 * LIMIT


def test_a_redis_that_is_emptied_and_stopped_costs_three_refusals_at_most(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with (
        run_redis(tmp_path / "redis") as server,
        Emulator(folder=tmp_path / "platform", flow_control=True, calls_per_minute=LIMIT) as platform,
    ):
        profile = str(tmp_path / "platform" / "profile.toml")
        crew = processes(8, profile=profile, shared=server.url, threads=4, limit=LIMIT, seconds=120.0)
        harm(server)
        counts = platform.control.calls()
        for each in crew:
            each.kill()
            each.communicate()
    sys.stdout.write(f"\nredis: {refused(counts)} refused; {counts}")
    assert refused(counts) <= 3


def harm(server: RedisServer) -> None:
    time.sleep(30)
    server.command("FLUSHALL")
    time.sleep(30)
    server.stop()
    time.sleep(20)
    server.start()
    time.sleep(35)
