"""The programs that the pages show: files, or named sections of files."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SNIPPETS = DOCS / "snippets"
INCLUDE = re.compile(r'^--8<-- "([^":]+)(?::([\w-]+))?"$', re.MULTILINE)


def included(code: str) -> str:
    """Return a block of a page with the files that it includes, as the built page shows it."""
    return INCLUDE.sub(lambda found: section(ROOT / found[1], found[2]), code)


def section(file: Path, name: str | None) -> str:
    """Return a section of a file without its indentation, or the file.

    Raises:
        ValueError: the file has no such section, or has it twice.
    """
    text = file.read_text("utf-8")
    if name is None:
        return text.rstrip("\n")
    marked = rf"^ *# --8<-- \[start:{re.escape(name)}\]\n(.*?)^ *# --8<-- \[end:{re.escape(name)}\]$"
    found = re.findall(marked, text, re.DOTALL | re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"{file.name} has the section {name!r} {len(found)} times")
    return textwrap.dedent(found[0]).rstrip("\n")
