"""Compare the public API with that of the last release, and fail on a break that CHANGELOG.md does not announce.

The baseline is `.ci/api-baseline.json`. `python .ci/api.py write` makes it; docs/versioning.md says when.
"""

import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".ci" / "api-baseline.json"
MODULES = (
    "", "bulk", "device", "device.agentlite", "device.hub", "dto", "emulator", "error_codes", "push", "telemetry",
)  # fmt: skip
"""Where public names live, below the package; the names are those of each module's `__all__`."""

ADVICE = """\
These are breaks for users of the last release. If a break is a mistake, undo it. If it is meant, name it in
the first section of CHANGELOG.md, in backticks under Changed or Removed, and say there what a user has to do.
"""


def public_api(package: str = "iot_northbound", modules: Iterable[str] = MODULES) -> griffe.Module:
    """Return the public names of a package as one tree: modules, what their `__all__` names, and public members."""
    source = griffe.load(package)
    root = griffe.Module(package)
    for module in modules:
        place = source[module] if module else source
        here = root
        for name in module.split(".") if module else ():
            if name not in here.members:
                here.set_member(name, griffe.Module(name))
            here = here[name]
        for name in importlib.import_module(place.path).__all__:
            if not name.startswith("_"):
                here.set_member(name, _stripped(place.members[name]))
    return root


def _stripped(member: griffe.Object | griffe.Alias) -> griffe.Object:
    """Follow an alias to its end, and take private members and prose away."""
    found = member.final_target if isinstance(member, griffe.Alias) else member
    found.docstring = None
    for name, each in list(found.members.items()):
        if each.is_alias or each.is_private:
            found.del_member(name)
        else:
            _stripped(each)
    return found


def unannounced(old: griffe.Object, new: griffe.Object, changelog: str) -> list[str]:
    """Return each break that the changelog's first section does not name."""
    section = changelog.split("\n## ", 2)[1]
    told = re.findall(r"^### (?:Changed|Removed)\n(.*?)(?=^### |\Z)", section, re.MULTILINE | re.DOTALL)
    names = set(re.findall(r"`([\w.]+)", "".join(told)))
    return [
        f"{each.obj.path}: {each.kind.value}"
        for each in griffe.find_breaking_changes(old, new)
        if not {each.obj.path, each.obj.name, ".".join(each.obj.path.split(".")[-2:])} & names
    ]


def main(arguments: list[str]) -> int:
    """Run the check, or write the baseline."""
    if arguments == ["write"]:
        BASELINE.write_text(public_api().as_json(full=False) + "\n", "utf-8")
        return 0
    if not BASELINE.exists():
        sys.stdout.write("Public API: no release yet, so there is nothing to compare with.\n")
        return 0
    old = griffe.Module.from_json(BASELINE.read_text("utf-8"))
    breaks = unannounced(old, public_api(), (ROOT / "CHANGELOG.md").read_text("utf-8"))
    sys.stdout.write("".join(f"{each}\n" for each in breaks) + (ADVICE if breaks else ""))
    return int(bool(breaks))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
