from __future__ import annotations

import subprocess
import sys

import pytest

import iot_northbound.emulator


def test_its_names_are_seen_before_they_are_loaded() -> None:
    program = (
        "import iot_northbound.emulator as e; print({'Emulator', 'Control'} <= set(dir(e)), 'Emulator' in vars(e))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == ["True", "False"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Simulator'"):
        _ = iot_northbound.emulator.Simulator  # type: ignore[attr-defined]


@pytest.mark.parametrize("missing", ["uvicorn", "httptools", "sortedcontainers"])
def test_without_the_extra_the_error_names_it(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None\nfrom iot_northbound.emulator import Emulator"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.endswith(f"MissingExtraError: {missing} is not installed: pip install 'iot-northbound[emulator]'")
