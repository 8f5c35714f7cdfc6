"""Processes share the limit of a platform that counts, in real time: minutes each, so these are chaos tests."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator
from tests.shared.callers import made, start

CALLS = 100
pytestmark = pytest.mark.chaos


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(port=0, control_port=None, folder=tmp_path, flow_control=True, calls_per_minute=CALLS) as running:
        yield running


@pytest.fixture(params=["file", "redis", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file:{tmp_path}/shared.sqlite3"
    url: str = request.getfixturevalue(f"{request.param}_server").url
    return url


def tell(name: str, **figures: float) -> None:
    """Print the figures of a run."""
    sys.stdout.write(f"\n{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()) + "\n")


def counted(platform: Emulator) -> tuple[int, int]:
    """Return how many calls the platform served and how many it refused, by its own count."""
    answers = [answer for endpoint, answer in platform.control.calls().items() if endpoint.endswith("/devices")]
    return sum(each.get("200", 0) for each in answers), sum(each.get("1010009", 0) for each in answers)


def test_eight_greedy_processes_use_three_windows_and_none_of_their_calls_is_refused(
    platform: Emulator, shared: str
) -> None:
    settings = {"profile": str(platform.profile_path), "shared": shared, "calls": CALLS}
    made([start(**settings, seconds=180) for _ in range(8)])
    good, refused = counted(platform)
    tell(f"three windows on {shared.partition(':')[0]}", used=good / (3 * CALLS), refused=refused)
    assert refused == 0
    assert good >= 0.97 * 3 * CALLS


def test_killed_processes_cost_their_slots_and_no_refusal(platform: Emulator, tmp_path: Path) -> None:
    """One is killed every five seconds, in the middle of whatever it does, and another takes its place."""
    shared = f"file:{tmp_path}/shared.sqlite3"
    settings = {"profile": str(platform.profile_path), "shared": shared, "calls": CALLS}
    began = time.monotonic()
    running = [start(**settings, seconds=180) for _ in range(8)]
    while (gone := time.monotonic() - began) < 170:
        time.sleep(5)
        running[0].kill()
        running[0].communicate()
        running = [*running[1:], start(**settings, seconds=175 - gone)]
    made(running)
    good, refused = counted(platform)
    tell("one of eight killed every 5 s", used=good / (3 * CALLS), refused=refused)
    assert refused == 0
    assert good >= 0.9 * 3 * CALLS


def test_calls_beside_a_greedy_bulk_job_hardly_wait(platform: Emulator, shared: str) -> None:
    settings = {"profile": str(platform.profile_path), "shared": shared, "calls": CALLS, "seconds": 190}
    bulk = start(**settings, threads=32, bulk=True)
    others = made([start(**settings, threads=1, every=8.0) for _ in range(7)])
    made([bulk])
    good, refused = counted(platform)
    waits = sorted(wait for each in others for wait in each.waits)
    half, nearly_all = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    used = good / (CALLS * 190 / 60)
    name = f"{len(waits)} calls beside bulk on {shared.partition(':')[0]}"
    tell(name, used=used, refused=refused, p50=half, p99=nearly_all)
    assert refused == 0
    assert used >= 0.95
    assert half <= 0.1
    assert nearly_all <= 5
