"""What the test kit costs: per test, at the start of a run, and in runs that do not use it.

python -m benchmarks.testkit
"""

from __future__ import annotations

import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

TESTS = 200
CASES = {
    "iot_platform": "iot_platform",
    "north_client": "north_client",
    "north_client and a scripted device": "north_client, iot_device",
    "north_client, device and push_receiver": "north_client, iot_device, push_receiver",
}


class Times:
    """The seconds that the fixtures of each test took, start and end together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when in ("setup", "teardown"):
            self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


def per_test(fixtures: str) -> tuple[float, list[float]]:
    """Return the seconds of the first test, which starts the platform, and those of each of the others."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        used = "; ".join(name.strip() + "()" for name in fixtures.split(",") if name.strip() == "iot_device") or "pass"
        test = f"import pytest\n\n@pytest.mark.parametrize('n', range({TESTS}))\ndef test_it(n, {fixtures}): {used}\n"
        # A name of its own, since Python loads a module of one name once.
        (Path(folder) / f"test_{Path(folder).name}.py").write_text(test)
        times = Times()
        assert (
            pytest.main(
                ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--import-mode=importlib", folder], [times]
            )
            == 0
        )
    first, *others = times.seconds.values()
    return first, others


def unused() -> float:
    """Return the seconds of CPU that loading the plugin adds to a run of pytest: the median of 15 processes."""
    program = "from time import process_time as t; s = t(); import iot_northbound.testing.plugin; print(t() - s)"
    command = [sys.executable, "-c", f"import pytest; {program}"]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(15)]
    return statistics.median(float(run.stdout) for run in runs)


def main() -> None:
    print(f"a run that uses nothing of it: {unused() * 1000:.1f} ms of CPU more")
    for name, fixtures in CASES.items():
        started = time.process_time()
        first, others = per_test(fixtures)
        busy = (time.process_time() - started) / (len(others) + 1)
        cuts = statistics.quantiles(others, n=20)
        print(
            f"{name}: median {statistics.median(others) * 1000:.1f} ms, 95% within {cuts[18] * 1000:.1f} ms, "
            f"{busy * 1000:.1f} ms of CPU; the first test {first:.2f} s"
        )


if __name__ == "__main__":
    main()
