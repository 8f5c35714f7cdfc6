"""Calls beside bulk calls of another process, in real time: minutes, so this is a chaos test."""

import sys
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
