"""Each command of the Makefile installs what it needs, with uv or pip, and nothing twice."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETS = dict(re.findall(r"^\$\(VENV\)/\.(\w+): +SET = (.*)", MAKEFILE, re.MULTILINE))
INSTALLED_BY_DEV = {each["include-group"] for each in PROJECT["dependency-groups"]["dev"]}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what make reads, where nothing is installed."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def recipe(clone: Path, target: str, *tools: str) -> list[str]:
    """Return what `make target` would run if these tools were the only ones on the path."""
    folder = clone / "path"
    folder.mkdir(exist_ok=True)
    for tool in tools:
        (folder / tool).write_text("#!/bin/sh\n")
        (folder / tool).chmod(0o755)
    make, shell = shutil.which("make"), shutil.which("sh")
    assert make
    assert shell
    run = subprocess.run(
        [make, f"SHELL={shell}", "-n", "-C", str(clone), "--no-print-directory", target],
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | {"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


def groups(wanted: str) -> set[str]:
    return set(re.findall(r"--group (\w+)", wanted))


def test_the_demo_installs_neither_test_tools_nor_documentation_tools(clone: Path) -> None:
    venv, install, *_ = recipe(clone, "demo")
    assert venv == "python3 -m venv .venv"
    assert install == '.venv/bin/pip install --quiet --editable ".[emulator,receiver,device]"'


def test_uv_is_used_if_it_is_on_the_path(clone: Path) -> None:
    lines = recipe(clone, "test", "uv")
    assert lines[0] == "uv venv --quiet --allow-existing --python python3 .venv"
    assert lines[1].startswith('uv pip install --quiet --python .venv --editable ".[all]" --group test')
    assert not any("bin/pip" in line for line in lines)


def test_pip_is_made_new_enough_where_groups_are_installed(clone: Path) -> None:
    assert '.venv/bin/pip install --quiet --upgrade "pip>=25.1" && ' in "\n".join(recipe(clone, "test"))


def test_an_environment_that_uv_made_gets_pip_when_uv_is_gone(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").touch()
    assert recipe(clone, "demo")[0] == "python3 -m venv .venv"
    assert recipe(clone, "demo", "uv")[0].startswith("uv pip install")


@pytest.mark.parametrize("name", [name for name in SETS if name != "installed"])
def test_nothing_is_installed_again_until_pyproject_changes(clone: Path, name: str) -> None:
    stamp = clone / ".venv" / f".{name}"
    (stamp.parent / "bin").mkdir(parents=True)
    (stamp.parent / "bin" / "pip").touch()
    stamp.touch()
    assert "up to date" in recipe(clone, f".venv/.{name}")[0]
    os.utime(stamp, (0, 0))
    assert " install " in recipe(clone, f".venv/.{name}")[0]


def test_a_developers_set_contains_the_others(clone: Path) -> None:
    lines = recipe(clone, ".venv/.installed")
    parts = {stamp.removeprefix(".venv/.") for stamp in lines[-1].split()[1:]}
    assert parts == set(SETS) - {"bench"}
    assert set().union(*(groups(SETS[part]) for part in parts - {"installed"})) == INSTALLED_BY_DEV


def test_each_set_exists() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    for wanted in SETS.values():
        assert groups(wanted) <= set(PROJECT["dependency-groups"])
        assert set(re.findall(r"[\w]+", "".join(re.findall(r"\[(.*)\]", wanted)))) <= set(extras)
