"""Where the embedded platform keeps its certificates and its profile, for the platform and its clients."""

import os
from os import PathLike
from pathlib import Path

EMULATOR_HOME = "IOT_NORTHBOUND_EMULATOR_HOME"
"""The environment variable that names another folder."""
EMULATOR_FOLDER = "~/.iot-northbound/emulator"


def emulator_home(folder: str | PathLike[str] | None = None) -> Path:
    """Return the platform's folder: the given one, that of `IOT_NORTHBOUND_EMULATOR_HOME`, or the default.

    Raises:
        ValueError: The path begins with the home of a user that this machine does not know.
    """
    return expanded(folder or os.environ.get(EMULATOR_HOME) or EMULATOR_FOLDER)


def expanded(path: str | PathLike[str]) -> Path:
    """Return a path with the user's home in place of a `~` at the beginning.

    Raises:
        ValueError: This machine does not know the user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: there is no such user here; write the folder without ~") from None
