"""A break of the public API is found, unless the changelog announces it."""

import importlib
import re
import runpy
from pathlib import Path
from typing import Any

import griffe
import pytest

API = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "api.py"), run_name="api")
BEFORE = '''
__all__ = ["Meter", "read"]

class Meter:
    """A meter."""

    unit: str = "m3"

    def reset(self, *, to: float = 0.0) -> None: ...

    def _spare(self) -> None: ...

def read(meter: Meter, at: str) -> float: ...

def internal() -> None: ...
'''
CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n### Added\n\n- `Pump`\n\n{announced}\n## 0.1.0\n\n### Removed\n\n- `read`\n"
)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function from a module's source to its public API."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def public_api(source: str) -> griffe.Module:
        made.append(f"made_{tmp_path.name}_{len(made)}")
        (tmp_path / f"{made[-1]}.py").write_text(source)
        found: griffe.Module = API["public_api"](made[-1], [""])
        found.name = "made"
        return found

    return public_api


def found(api: Any, old: str, new: str, announced: str = "") -> list[str]:
    assert old in BEFORE
    changelog = CHANGELOG.format(announced=announced)
    baseline = griffe.Module.from_json(api(BEFORE).as_json(full=False))
    breaks: list[str] = API["unannounced"](baseline, api(BEFORE.replace(old, new)), changelog)
    return breaks


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("def reset(self, *, to", "def clear(self, *, to", "made.Meter.reset: Public object was removed"),
        ("to: float = 0.0", "to: float", "made.Meter.reset: Parameter is now required"),
        ("at: str", "when: str", "made.read: Parameter was removed"),
        ('"Meter", "read"', '"Meter"', "made.read: Public object was removed"),
        ("    unit: str", "    _unit: str", "made.Meter.unit: Public object was removed"),
    ],
)
def test_a_break_is_found(api: Any, old: str, new: str, line: str) -> None:
    assert line in found(api, old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A meter.", "A water meter."),
        ("at: str)", "at: str, unit: str | None = None)"),
        ("def _spare", "def _other"),
        ("def internal", "def hidden"),
        ("class Meter:", "class Pump: ...\n\nclass Meter:"),
    ],
)
def test_what_breaks_nothing_is_no_break(api: Any, old: str, new: str) -> None:
    assert found(api, old, new) == []


@pytest.mark.parametrize("name", ["reset", "Meter.reset"])
@pytest.mark.parametrize("heading", ["Changed", "Removed"])
def test_a_break_that_the_changelog_announces_passes(api: Any, name: str, heading: str) -> None:
    announced = f"### {heading}\n\n- `{name}` is now `clear`: rename your calls.\n"
    assert found(api, "def reset", "def clear", announced) == []


@pytest.mark.parametrize("announced", ["### Added\n\n- `reset`\n", "### Changed\n\n- `set`, reset\n"])
def test_only_a_name_in_backticks_under_changed_or_removed_announces_a_break(api: Any, announced: str) -> None:
    assert found(api, "def reset", "def clear", announced)


def test_every_public_name_of_the_package_is_compared() -> None:
    import iot_northbound

    public = API["public_api"]()
    assert set(iot_northbound.__all__) - {"__version__"} <= set(public.members)
    page = (Path(__file__).parents[2] / "docs" / "versioning.md").read_text("utf-8")
    promised = re.findall(
        r"`iot_northbound\.([\w.]+)`", page.partition("- the names in `__all__`")[2].partition("\n- ")[0]
    )
    assert set(promised) == set(API["MODULES"]) - {""}
    for name in promised:
        names = importlib.import_module(f"iot_northbound.{name}").__all__
        assert set(names) <= set(public[name].members), name
    assert "reg_direct_device" in public["DeviceManagement"].members
