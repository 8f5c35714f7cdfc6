"""Packages that are installed only with an extra of this package."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

_PACKAGES = ("uvicorn", "httptools")


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Name the extra to install if the block imports the server and one of its packages is missing.

    Raises:
        ModuleNotFoundError: The package is missing; the message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        what = f"{error.name} is not installed: pip install 'iot-northbound[{extra}]'"
        raise ModuleNotFoundError(what, name=error.name) from error
