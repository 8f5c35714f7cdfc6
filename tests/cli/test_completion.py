"""``iot-northbound completion``, and what a shell gets from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iot_northbound.cli import main
from iot_northbound.cli.app import COMPLETE


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"{COMPLETE}={shell}_complete" in script
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=script, text=True, timeout=60, check=True)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "bash" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("iot-northbound basic", "basic-test"),
        ("iot-northbound inbox re", "replay"),
        ("iot-northbound basic-test --prof", "--profile"),
        ("iot-northbound errors -o js", "jsonl"),
    ],
)
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(words: str, offered: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    program = tmp_path / "iot-northbound"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m iot_northbound "$@"\n')
    program.chmod(0o755)
    script = f"""
PATH={tmp_path}:$PATH
{capsys.readouterr().out}
COMP_WORDS=({words}) COMP_CWORD={len(words.split()) - 1}
_iot_northbound_completion iot-northbound
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert offered in done.stdout.splitlines()
