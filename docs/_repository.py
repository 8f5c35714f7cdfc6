"""For mkdocs: the pages link to the repository that they were built from, if its address can be opened in a browser."""

import re
import subprocess
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[1]


def on_config(config: MkDocsConfig) -> None:
    """Show the address of git's remote "origin" at the top of each page."""
    asked = ["git", "-C", str(ROOT), "config", "--get", "remote.origin.url"]
    try:
        origin = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git
        return
    found = re.fullmatch(r"(?:https://|ssh://git@|git@)([\w.-]+)[:/](.+?)(?:\.git)?/?", origin)
    if found:
        config.repo_url = f"https://{found[1]}/{found[2]}"
        config.repo_name = found[2].rpartition("/")[2]
