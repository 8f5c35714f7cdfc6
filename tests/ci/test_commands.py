"""Commits are checked as `make check` does it, and tests of the wheel import the wheel."""

import re
import sysconfig
from pathlib import Path

import pytest

import iot_northbound

ROOT = Path(__file__).parents[2]


def test_pre_commit_runs_the_commands_of_make_check() -> None:
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    commands = {line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()}
    hooks = re.findall(r"entry: (?:env )?([^,}\n]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert commands == {hook.strip() for hook in hooks}


@pytest.mark.skipif((ROOT / "src").exists(), reason="the source tree is here; `make test-wheel` removes it")
def test_without_the_source_tree_the_installed_package_is_tested() -> None:
    assert Path(iot_northbound.__file__).is_relative_to(sysconfig.get_path("purelib"))
