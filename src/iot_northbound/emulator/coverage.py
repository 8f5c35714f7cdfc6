"""What the emulator covers: each endpoint with each documented error code, and how it is reached.

The page docs/emulator-coverage.md is made from the rule modules' CODES::

    python -m iot_northbound.emulator.coverage docs/emulator-coverage.md
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from iot_northbound.emulator import rules
from iot_northbound.emulator.kernel.calls import meaning
from iot_northbound.emulator.kernel.routing import ROUTES

_HEAD = """\
# What the emulator covers

Every endpoint of the reference's first chapter with each error code documented for it. A code is reached

- **by state or input**: the platform answers it by itself, as a real one does; each of these has a test;
- **by a fault**: it reports a failure inside a real platform that cannot happen here, so the control plane's
  faults produce it (with any status and body);
- **not at all**, for the reason given.

This page is generated (`python -m iot_northbound.emulator.coverage docs/emulator-coverage.md`); a test keeps it true.
"""


def codes() -> dict[tuple[str, str], str]:
    """Return how each documented code is reached, by the endpoint's section and the code."""
    found: dict[tuple[str, str], str] = {}
    for module in rules.MODULES:
        found |= getattr(module, "CODES", {})
    return found


def kind_of(how: str) -> str:
    """Return "state", "fault" or "unreachable"."""
    prefix = how.partition(":")[0]
    return prefix if prefix in ("fault", "unreachable") else "state"


def page(found: Mapping[tuple[str, str], str] | None = None) -> str:
    """Return the whole page as Markdown."""
    known = codes() if found is None else found
    endpoints = {route.section: f"{route.method} {route.template}" for route in ROUTES.routes}
    kinds = [kind_of(how) for how in known.values()]
    lines = [
        _HEAD,
        f"{len(endpoints)} endpoints, {len(kinds)} codes: {kinds.count('state')} by state or input, "
        f"{kinds.count('fault')} by a fault, {kinds.count('unreachable')} not at all.",
    ]
    for section in sorted(endpoints, key=_order):
        lines += [
            "",
            f"## {section} {endpoints[section]}",
            "",
            "| code | meaning | reached | how |",
            "|---|---|---|---|",
        ]
        rows = {code: how for (where, code), how in known.items() if where == section}
        for code, how in sorted(rows.items(), key=lambda row: int(row[0])):
            kind = kind_of(how)
            text = how if kind == "state" else how.partition(":")[2].strip()
            reached = {"state": "state", "fault": "fault", "unreachable": "no"}[kind]
            lines.append(f"| {code} | {_cell(meaning(code))} | {reached} | {_cell(text)} |")
    return "\n".join(lines) + "\n"


def _order(section: str) -> list[int]:
    return [int(number) for number in section.split(".")]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").rstrip(".")


def main(arguments: list[str]) -> int:
    """Write the page to a file."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m iot_northbound.emulator.coverage FILE\n")
        return 2
    Path(arguments[0]).write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
