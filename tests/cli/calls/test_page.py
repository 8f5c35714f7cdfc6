"""docs/command-line-calls.md: its commands run, in their order, and print what it says."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator

from .conftest import PRODUCT, Run, file_with

PAGE = Path(__file__).parents[3] / "docs" / "command-line-calls.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
KEPT = re.compile(r"(\w+)=\$\((.*) \| jq -r \.(\w+)\)")


def examples() -> Iterator[tuple[str, str, int]]:
    """Yield each command with what it prints, in which … stands for anything, and its exit status."""
    for block in BLOCK.findall(PAGE.read_text("utf-8").replace("\\\n", " ")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            text, *status = re.split(r"^exit status (\d+)\n", shown, flags=re.MULTILINE)
            yield command, text or "…", int(status[0]) if status else 0


def test_the_commands_of_the_page_print_what_it_says(
    emulator: Emulator, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_with(tmp_path, "meters.csv", f"nodeId,productId\n900000000000001,{PRODUCT}\n900000000000002,{PRODUCT}\n")
    file_with(tmp_path, "names.csv", "deviceId,name\na,A\n")
    file_with(tmp_path, "commands.csv", "deviceId,serviceId,method,paras\na,WaterMeter,READ_TOTAL,{}\n")
    model = {"deviceType": "WaterMeter", "model": "HM20", "manufacturerName": "Hydralis Metering"}
    package = {"fileType": "firmwarePackage", "name": "meter", "version": "2.0", **model}
    monkeypatch.setenv("PACKAGE", emulator.control.add_package(package)["fileId"])
    try:
        for command, shown, status in examples():
            kept = KEPT.fullmatch(command)
            program, *arguments = shlex.split(os.path.expandvars(kept[2] if kept else command))
            assert program == "iot-northbound"
            ended = run(*arguments)
            printed = re.sub(r"^iot-northbound: no platform is given.*\n", "", ended.err) + ended.out
            assert ended.status == status, f"$ {command}\n{printed}"
            if kept:
                monkeypatch.setenv(kept[1], ended.json[kept[3]])
                continue
            pattern = re.sub(r"(\\ )+", " +", re.escape(shown.strip())).replace("…", ".*")
            assert re.fullmatch(pattern, printed.strip(), re.DOTALL), f"$ {command}\n{printed}"
    finally:
        emulator.control.change_settings(transitions="immediate")
