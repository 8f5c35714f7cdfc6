"""The platform on a laptop: `Emulator` runs it in this process, `iot-northbound emulator` as a command.

It imports nothing of the client except the error codes, so that a mistake in the client cannot be hidden here.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iot_northbound.emulator.control.base import NotFound as NotFound
    from iot_northbound.emulator.control.control import Control as Control
    from iot_northbound.emulator.control.schema import InvalidArgument as InvalidArgument
    from iot_northbound.emulator.server import Emulator as Emulator

__all__ = ["Control", "Emulator", "InvalidArgument", "NotFound"]

_HOMES = {
    "Emulator": "iot_northbound.emulator.server",
    "Control": "iot_northbound.emulator.control.control",
    "InvalidArgument": "iot_northbound.emulator.control.schema",
    "NotFound": "iot_northbound.emulator.control.base",
}

_EXTRA = ("uvicorn", "httptools", "sortedcontainers")


def __getattr__(name: str) -> Any:
    # Loaded at first use: the rules can be tested without a server library.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ModuleNotFoundError(
            f"the emulator needs libraries that are not installed ({error.name}): pip install"
            " 'iot-northbound[emulator]'",
            name=error.name,
        ) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
