"""The platform on a laptop: `Emulator` runs it in this process, `iot-northbound emulator` as a command.

It is the other party: of the client it knows the error codes alone, so that a mistake there cannot hide here.
"""

from typing import TYPE_CHECKING, Any

from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.emulator.control import Control as Control
    from iot_northbound.emulator.control_base import NotFound as NotFound
    from iot_northbound.emulator.server import Emulator as Emulator

__all__ = ["Control", "Emulator", "NotFound"]

_load, __dir__ = lazy_names(__name__, {"Emulator": "server", "Control": "control", "NotFound": "control_base"})

_EXTRA = ("uvicorn", "httptools", "sortedcontainers")


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ModuleNotFoundError(
            f"the emulator needs libraries that are not installed ({error.name}): pip install"
            " 'iot-northbound[emulator]'",
            name=error.name,
        ) from error
