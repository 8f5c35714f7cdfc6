"""The platform on a laptop: `Emulator` runs it in this process, `iot-northbound emulator` as a command.

It is the other party: of the client it knows the error codes alone, so that a mistake there cannot hide here.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iot_northbound.emulator.control import Control as Control
    from iot_northbound.emulator.server import Emulator as Emulator

__all__ = ["Control", "Emulator"]

_HOMES = {"Emulator": "iot_northbound.emulator.server", "Control": "iot_northbound.emulator.control"}


def __getattr__(name: str) -> Any:
    # Loaded at first use: the rules of the state can be tested without a server library.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
