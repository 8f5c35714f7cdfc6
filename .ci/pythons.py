"""Print the oldest and the newest supported Python of this machine, separated by a comma, as `tox run -e` takes them.

The one that runs this is left out, because `make test` uses it already; it is printed only if there is no other one.
"""

import re
import sys
import tomllib
from pathlib import Path

from python_discovery import get_interpreter


def supported() -> list[str]:
    """Return the versions that the classifiers name, oldest first."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in project["classifiers"])
    return sorted((each[1] for each in found if each), key=lambda version: int(version.partition(".")[2]))


def ends(present: list[str], tested: str) -> list[str]:
    """Return the first and the last of the versions without the one that is tested already, or that one alone."""
    return [each for each in dict.fromkeys([*present[:1], *present[-1:]]) if each != tested] or [tested]


if __name__ == "__main__":
    here = "{}.{}".format(*sys.version_info)
    present = [each for each in supported() if each == here or get_interpreter(each) is not None]
    chosen = ends(present, here)
    # On stderr, for the reader of the log: stdout is for tox.
    sys.stderr.write(f"Pythons found: {', '.join(present)}; to test: {', '.join(chosen)}\n")
    sys.stdout.write(",".join(chosen) + "\n")
