"""The guide for authors of rules is complete and correct."""

from __future__ import annotations

import re
from pathlib import Path

import iot_northbound.emulator

ROOT = Path(iot_northbound.emulator.__file__).parent
GUIDE = Path(__file__).parents[2] / "docs" / "emulator-rules.md"


def test_its_table_of_events_is_complete() -> None:
    source = "".join(module.read_text("utf-8") for module in ROOT.rglob("*.py"))
    listed = re.findall(r"^\| `(\w+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(set(re.findall(r'\bemit\(\s*"(\w+)"', source)))


def test_the_files_it_names_exist() -> None:
    for name in re.findall(r"`((?:kernel|rules)/\w+\.py)`", GUIDE.read_text("utf-8")):
        assert (ROOT / name).exists(), name
