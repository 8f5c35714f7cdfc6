"""The Pythons that the classifiers promise are the ones that are tested."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PYTHONS = runpy.run_path(str(ROOT / ".ci" / "pythons.py"), run_name="pythons")


def test_tox_runs_what_the_classifiers_name() -> None:
    named = PYTHONS["supported"]()
    assert PROJECT["tool"]["tox"]["env_list"] == named
    assert f">={named[0]}" == PROJECT["project"]["requires-python"]


@pytest.mark.parametrize(
    ("present", "tested", "others"),
    [
        (["3.11", "3.12", "3.13"], "3.11", ["3.13"]),
        (["3.11", "3.12", "3.13"], "3.12", ["3.11", "3.13"]),
        (["3.12", "3.13"], "3.13", ["3.12"]),
        (["3.12"], "3.12", ["3.12"]),
        ([], "3.99", ["3.99"]),
    ],
)
def test_the_gate_takes_the_oldest_and_the_newest(present: list[str], tested: str, others: list[str]) -> None:
    assert PYTHONS["ends"](present, tested) == others


def test_the_only_python_is_tested_again(tmp_path: Path) -> None:
    hidden = {name: "" for name in os.environ if name.startswith(("PYENV", "UV_", "MISE", "ASDF"))}
    said = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "pythons.py")],
        env={**os.environ, **hidden, "PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"3\.\d+\n", said.stdout)
    assert said.stderr == f"Pythons found: {said.stdout.strip()}; to test: {said.stdout}"
