"""Processes that end without a word, and the files that they leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.push.helpers import PATIENCE

Delivered = list[tuple[int, str]]


def leave(path: Path, program: str) -> None:
    """Run a program with an open inbox and end it without a word, as kill -9 does."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from iot_northbound.push import SqliteInbox\n"
        "from tests.clock import FakeClock\n"
        "from tests.push.helpers import data_message, taken\n"
        "inbox = SqliteInbox(sys.argv[1], clock=FakeClock())\n"
        "ids = []\n"
        "inbox.start(lambda message_id, device: ids.append(message_id))\n"
        f"{program}\n"
        "os._exit(9)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 9, done.stderr


def left_by_others(path: Path) -> None:
    leave(
        path,
        "for number in range(6): taken(inbox.put(data_message(f'd{number % 2}', number)))\n"
        "inbox.done(ids[0]); inbox.bury(ids[1], 4, 'ValueError: no'); inbox.dead_letters()",
    )
